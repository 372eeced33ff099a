//! Many threads on one manager.

mod diary;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use diary::participant;
use libsds as sds;
use sds::{Config, ErrorKind, Event, Options};

const THREADS: usize = 32;
const MESSAGES: usize = 30;

#[test]
fn many_threads_use_one_manager_and_its_handler_never_overlaps() {
    let running = AtomicBool::new(false);
    let delivered = Arc::new(Mutex::new(Vec::new()));
    let noted = delivered.clone();
    let bob = Options::new()
        .participant_id("bob")
        .event_handler(move |_, event| {
            assert!(!running.swap(true, Ordering::SeqCst), "two handlers at the same time");
            if let Event::MessageReady { channel_id, message_id, .. } = event {
                noted.lock().unwrap().push((channel_id.into_owned(), message_id.into_owned()));
            }
            thread::yield_now();
            running.store(false, Ordering::SeqCst);
        })
        .open()
        .unwrap();
    let (alice, _) = participant("alice", Config::new());
    bob.start().unwrap();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (alice, bob) = (&alice, &bob);
            scope.spawn(move || {
                let channel = format!("channel-{}", number % 8);
                for at in 0..MESSAGES {
                    let payload = alice.wrap(&channel, &format!("{number}-{at}"), "content").unwrap();
                    bob.unwrap(&payload).unwrap();
                    bob.unwrap(&payload).unwrap();
                    bob.wrap_sync(&channel).unwrap();
                    bob.inspect(&channel).unwrap();
                }
                bob.stats().unwrap();
                bob.channels().unwrap();
            });
        }
    });
    let all = delivered.lock().unwrap();
    assert_eq!(all.len(), THREADS * MESSAGES);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), THREADS * MESSAGES);
}

#[test]
fn close_at_any_moment_lets_calls_succeed_or_fail_as_closed() {
    for round in 0..50 {
        let live = Arc::new(AtomicUsize::new(0));
        let in_handler = live.clone();
        let bob = Options::new()
            .config(Config::new().sync_message_interval(Duration::from_millis(1)))
            .event_handler(move |_, _| {
                in_handler.fetch_add(1, Ordering::SeqCst);
                in_handler.fetch_sub(1, Ordering::SeqCst);
            })
            .open()
            .unwrap();
        bob.start().unwrap();
        let (alice, _) = participant("alice", Config::new());
        let start = Barrier::new(9);
        thread::scope(|scope| {
            for number in 0..8 {
                let (alice, bob, start) = (&alice, &bob, &start);
                scope.spawn(move || {
                    start.wait();
                    for at in 0..20 {
                        let payload = alice.wrap("channel", &format!("{number}-{at}"), "content").unwrap();
                        if let Err(error) = bob.unwrap(payload) {
                            assert_eq!(error.kind(), ErrorKind::InvalidContext, "{error}");
                        }
                        if number == 7 && at == round % 20 {
                            bob.close().unwrap();
                        }
                    }
                });
            }
            start.wait();
            let _ = bob.tick(SystemTime::now());
        });
        assert_eq!(live.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&live), 1, "the handler was dropped when it was closed");
    }
}

#[test]
fn a_manager_is_opened_used_and_dropped_on_different_threads() {
    let (alice, heard) = thread::spawn(|| participant("alice", Config::new())).join().unwrap();
    let (bob, _) = participant("bob", Config::new());
    let payload = thread::spawn(move || bob.wrap("channel", "m1", "one").unwrap()).join().unwrap();
    thread::spawn(move || alice.unwrap(payload).map(drop)).join().unwrap().unwrap();
    assert_eq!(heard.delivered(), ["m1"]);
}
