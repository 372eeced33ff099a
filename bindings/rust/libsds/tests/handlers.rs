//! Handlers: what they may do, what becomes of their panics, and when what they captured is dropped.

mod diary;

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use diary::{participant, Diary};
use libsds as sds;
use sds::{Config, ErrorKind, Event, Manager, Options};

/// Counts how often it was dropped.
struct Captured(Arc<AtomicUsize>);

impl Drop for Captured {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn captured() -> (Captured, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    (Captured(drops.clone()), drops)
}

fn payloads(count: usize) -> Vec<sds::Payload> {
    let alice = Options::new().participant_id("alice").open().unwrap();
    (0..count).map(|at| alice.wrap("channel", &format!("m{at}"), "content").unwrap()).collect()
}

fn wait_until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(20), "it did not come");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The words of the panic that `work` ends with.
fn panic_of<T>(work: impl FnOnce() -> T) -> String {
    let panic = panic::catch_unwind(AssertUnwindSafe(work)).err().expect("a panic");
    panic.downcast_ref::<&str>().map(|words| words.to_string()).expect("words")
}

#[test]
fn what_a_handler_captured_is_dropped_once_at_the_end() {
    for close in [true, false] {
        let (handlers, of_handler) = captured();
        let (providers, of_provider) = captured();
        let manager = Options::new()
            .event_handler(move |_, _| assert_eq!(handlers.0.load(Ordering::SeqCst), 0))
            .hint_provider(move |_| Some(vec![providers.0.load(Ordering::SeqCst) as u8]))
            .open()
            .unwrap();
        manager.unwrap(&payloads(1)[0]).unwrap();
        assert_eq!(of_handler.load(Ordering::SeqCst), 0);
        if close {
            manager.close().unwrap();
            assert_eq!(of_handler.load(Ordering::SeqCst), 1);
            assert!(manager.close().is_err());
        }
        drop(manager);
        assert_eq!(of_handler.load(Ordering::SeqCst), 1);
        assert_eq!(of_provider.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn what_a_handler_captured_is_dropped_where_there_never_was_a_manager() {
    let (captured, drops) = captured();
    let options = Options::new().config_json("{").event_handler(move |_, _| drop(captured.0.clone()));
    assert!(options.open().is_err());
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn a_handler_may_call_its_manager_and_what_that_announces_comes_before_it_returns() {
    let payloads = payloads(3);
    let second = payloads[1].to_vec();
    let diary = Diary::default();
    let notes = diary.clone();
    let bob = Options::new()
        .participant_id("bob")
        .event_handler(move |bob, event| {
            let first = matches!(&event, Event::MessageReady { message_id, .. } if message_id == "m0");
            notes.note(event);
            if first {
                bob.unwrap(&second).unwrap();
                assert_eq!(notes.delivered(), ["m0", "m1"]);
                bob.wrap("channel", "b1", "an answer").unwrap();
                assert!(bob.stats().is_ok() && bob.inspect("channel").is_ok());
            }
        })
        .open()
        .unwrap();
    bob.unwrap(&payloads[0]).unwrap();
    bob.unwrap(&payloads[2]).unwrap();
    assert_eq!(diary.delivered(), ["m0", "m1", "m2"]);
}

#[test]
fn a_handler_may_close_its_manager() {
    let (captured, drops) = captured();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let bob = Options::new()
        .event_handler(move |bob, event| {
            counted.fetch_add(1, Ordering::SeqCst);
            bob.close().unwrap();
            assert_eq!(bob.close().unwrap_err().kind(), ErrorKind::InvalidContext);
            assert_eq!(bob.wrap("channel", "b", "b").unwrap_err().kind(), ErrorKind::InvalidContext);
            // The event and what was captured are there until this returns.
            assert!(matches!(event, Event::MissingDependencies { message_id, .. } if message_id == "m1"));
            assert_eq!(captured.0.load(Ordering::SeqCst), 0);
        })
        .open()
        .unwrap();
    assert_eq!(bob.unwrap(&payloads(2)[1]).unwrap().message_id(), "m1");
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!(bob.unwrap("payload").unwrap_err().kind(), ErrorKind::InvalidContext);
    drop(bob);
    assert_eq!((calls.load(Ordering::SeqCst), drops.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn a_handler_may_drop_the_last_reference_to_its_manager() {
    let (captured, drops) = captured();
    let own: Arc<Mutex<Option<Arc<Manager>>>> = Arc::default();
    let slot = own.clone();
    let bob = Options::new()
        .config(Config::new().sync_message_interval(Duration::from_millis(1)))
        .event_handler(move |bob, _| {
            let Some(last) = slot.lock().unwrap().take() else { return };
            drop(last);
            assert_eq!(captured.0.load(Ordering::SeqCst), 0);
            assert_eq!(bob.stats().unwrap_err().kind(), ErrorKind::InvalidContext);
        })
        .open()
        .unwrap();
    let bob = Arc::new(bob);
    bob.start().unwrap();
    bob.ensure_channel("channel").unwrap();
    *own.lock().unwrap() = Some(bob); // the handler, on the timer's thread, has the only one
    wait_until(|| drops.load(Ordering::SeqCst) == 1);
    assert!(own.lock().unwrap().is_none());
}

#[test]
fn managers_whose_handlers_hold_each_other_end_when_they_are_closed() {
    let (first, of_first) = captured();
    let (second, of_second) = captured();
    let alice: Arc<OnceLock<Arc<Manager>>> = Arc::default();
    let to_alice = alice.clone();
    let bob = Options::new().event_handler(move |_, _| {
        assert_eq!(first.0.load(Ordering::SeqCst), 0);
        to_alice.get().unwrap().wrap("channel", "answer", "content").unwrap();
    });
    let bob = Arc::new(bob.open().unwrap());
    let to_bob = bob.clone();
    let opened = Options::new().event_handler(move |_, _| {
        assert_eq!(second.0.load(Ordering::SeqCst), 0);
        to_bob.stats().unwrap();
    });
    let opened = Arc::new(opened.open().unwrap());
    alice.set(opened.clone()).unwrap();
    let payload = &payloads(1)[0];
    bob.unwrap(payload).unwrap();
    opened.unwrap(payload).unwrap();
    bob.close().unwrap();
    opened.close().unwrap();
    assert_eq!((of_first.load(Ordering::SeqCst), of_second.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn two_threads_whose_handlers_close_each_others_manager_both_go_on() {
    for _ in 0..200 {
        let slots: [Arc<OnceLock<Manager>>; 2] = Default::default();
        let mut drops = Vec::new();
        let meet = Arc::new(std::sync::Barrier::new(2));
        for at in 0..2 {
            let (captured, dropped) = captured();
            let (other, meet) = (slots[1 - at].clone(), meet.clone());
            let opened = Options::new().event_handler(move |_, _| {
                meet.wait();
                other.get().unwrap().close().unwrap();
                assert_eq!(captured.0.load(Ordering::SeqCst), 0);
            });
            slots[at].set(opened.open().unwrap()).unwrap();
            drops.push(dropped);
        }
        let payload = &payloads(1)[0];
        thread::scope(|scope| {
            for slot in &slots {
                scope.spawn(|| slot.get().unwrap().unwrap(payload).map(drop));
            }
        });
        assert!(drops.iter().all(|dropped| dropped.load(Ordering::SeqCst) == 1));
    }
}

#[test]
fn a_manager_can_be_closed_while_its_timer_closes_it() {
    for _ in 0..100 {
        let (captured, drops) = captured();
        let (arrived, in_handler) = mpsc::sync_channel(100);
        let bob = Options::new()
            .config(Config::new().sync_message_interval(Duration::from_millis(1)))
            .event_handler(move |bob, _| {
                let _ = arrived.try_send(());
                let _ = bob.close();
                assert_eq!(captured.0.load(Ordering::SeqCst), 0);
            })
            .open()
            .unwrap();
        bob.start().unwrap();
        in_handler.recv().unwrap();
        drop(bob);
        wait_until(|| drops.load(Ordering::SeqCst) == 1);
    }
}

#[test]
fn a_panic_of_a_handler_resumes_in_the_call_that_caused_it() {
    let diary = Diary::default();
    let notes = diary.clone();
    let bob = Options::new()
        .event_handler(move |_, event| {
            notes.note(event);
            panic!("the handler is out of order");
        })
        .open()
        .unwrap();
    let payloads = payloads(3);
    assert_eq!(panic_of(|| bob.unwrap(&payloads[0])), "the handler is out of order");
    assert_eq!(panic_of(|| bob.unwrap(&payloads[2])), "the handler is out of order");
    assert_eq!(panic_of(|| bob.unwrap(&payloads[1])), "the handler is out of order");
    assert_eq!(diary.delivered(), ["m0", "m1", "m2"]); // nothing was lost
    assert!(bob.unwrap(&payloads[1]).unwrap().is_duplicate()); // which announces nothing
    bob.wrap("channel", "b1", "content").unwrap();
    bob.close().unwrap();
}

#[test]
fn a_panic_of_a_nested_handler_resumes_in_the_nested_call() {
    let inner = Options::new().event_handler(|_, _| panic!("inner")).open().unwrap();
    let payload = payloads(1).remove(0);
    let nested = payload.to_vec();
    let outer = Options::new()
        .event_handler(move |_, _| {
            assert_eq!(panic_of(|| inner.unwrap(&nested)), "inner");
            panic!("outer");
        })
        .open()
        .unwrap();
    assert_eq!(panic_of(|| outer.unwrap(&payload)), "outer");
}

#[test]
fn a_panic_waits_for_its_own_call_when_a_later_handler_calls_the_library() {
    let payloads = payloads(2);
    let diary = Diary::default();
    let notes = diary.clone();
    let bob = Options::new()
        .event_handler(move |bob, event| {
            notes.note(event);
            match notes.delivered().len() {
                1 => panic!("the first"),
                _ => drop(bob.stats().unwrap()), // does not panic for the other one
            }
        })
        .open()
        .unwrap();
    bob.ensure_channel("channel").unwrap();
    panic::catch_unwind(AssertUnwindSafe(|| bob.unwrap(&payloads[1]))).unwrap().unwrap();
    assert_eq!(panic_of(|| bob.unwrap(&payloads[0])), "the first");
    assert_eq!(diary.delivered(), ["m0", "m1"]);
}

#[test]
fn a_panic_on_the_timers_thread_ends_there() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let bob = Options::new()
        .config(Config::new().sync_message_interval(Duration::from_millis(1)))
        .event_handler(move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            panic!("nobody resumes this");
        })
        .open()
        .unwrap();
    bob.start().unwrap();
    wait_until(|| calls.load(Ordering::SeqCst) > 3);
    bob.stats().unwrap();
    bob.close().unwrap();
}

#[test]
fn what_panics_when_it_is_dropped_does_no_harm() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("dropped");
            }
        }
    }
    let bob = Options::new().event_handler(|_, _| panic::panic_any(Bomb)).open().unwrap();
    let payload = &payloads(1)[0];
    let panic = panic::catch_unwind(AssertUnwindSafe(|| bob.unwrap(payload))).unwrap_err();
    assert!(panic.is::<Bomb>());
    std::mem::forget(panic);

    let bomb = Bomb;
    let closing = Options::new().event_handler(move |manager, _| {
        let _ = &bomb;
        manager.close().unwrap();
    });
    let closing = closing.open().unwrap();
    assert_eq!(panic_of(|| closing.unwrap(payload)), "dropped");
}

#[test]
fn a_panic_of_a_hint_provider_resumes_in_the_wrap() {
    let alice = Options::new().hint_provider(|_| panic!("no hints today")).open().unwrap();
    alice.wrap("channel", "m1", "one").unwrap(); // cites nothing
    assert_eq!(panic_of(|| alice.wrap("channel", "m2", "two")), "no hints today");
    let log = alice.inspect("channel").unwrap();
    assert!(log.contains("m2"), "what the operation did stays done: {log}");
}

#[test]
fn a_hint_provider_cannot_call_the_library_and_nothing_deadlocks() {
    let own: Arc<OnceLock<Manager>> = Arc::default();
    let alice = own.clone();
    let errors = Arc::new(Mutex::new(Vec::new()));
    let seen = errors.clone();
    let options = Options::new().hint_provider(move |_| {
        let alice = alice.get().unwrap();
        let refused = [
            alice.wrap("channel", "nested", "content").err(),
            alice.stats().err(),
            alice.close().err(),
            sds::set_log_handler(sds::LogLevel::Error, |_, _| {}).err(),
            Options::new().open().err(),
        ];
        seen.lock().unwrap().extend(refused.into_iter().map(|error| error.unwrap().kind()));
        None
    });
    assert!(own.set(options.open().unwrap()).is_ok());
    let alice = own.get().unwrap();
    alice.wrap("channel", "m1", "one").unwrap();
    alice.wrap("channel", "m2", "two").unwrap();
    assert_eq!(*errors.lock().unwrap(), [ErrorKind::InvalidArgument; 5]);
    alice.close().unwrap();
}

#[test]
fn a_manager_that_is_dropped_where_nothing_can_be_closed_is_closed_soon_after() {
    let (captured, drops) = captured();
    let path = diary::folder("dropped_inside").join("other.sds");
    let other = Options::new()
        .config(Config::new().store_path(&path))
        .event_handler(move |_, _| drop(captured.0.clone()))
        .open()
        .unwrap();
    let mut other = Some(other);
    let alice = Options::new().hint_provider(move |_| {
        drop(other.take());
        None
    });
    let alice = alice.open().unwrap();
    alice.wrap("channel", "m1", "one").unwrap();
    alice.wrap("channel", "m2", "two").unwrap();
    wait_until(|| drops.load(Ordering::SeqCst) == 1);
    let (again, _) = participant("other", Config::new().store_path(&path)); // the file is free
    again.tick(SystemTime::now()).unwrap();
}
