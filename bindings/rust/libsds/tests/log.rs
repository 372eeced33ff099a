//! The log, of which a process has one: so this is one test, in a process of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use libsds as sds;
use sds::{ErrorKind, LogLevel, Options};

#[test]
fn the_log_goes_to_its_handler_and_a_handler_is_dropped_when_it_is_replaced() {
    let lines: Arc<Mutex<Vec<(LogLevel, String)>>> = Arc::default();
    let talk = || {
        let alice = Options::new().participant_id("alice").open().unwrap();
        alice.wrap("lobby", "m1", "secret content").unwrap();
        alice
    };
    talk();

    let kept = lines.clone();
    sds::set_log_handler(LogLevel::Debug, move |level, line| kept.lock().unwrap().push((level, line.into())))
        .unwrap();
    talk();
    {
        let lines = lines.lock().unwrap();
        assert!(lines.iter().any(|(_, line)| line.contains("operation=wrap")), "{lines:?}");
        assert!(lines.iter().any(|&(level, _)| level == LogLevel::Debug));
        assert!(lines.iter().all(|(_, line)| line.starts_with("msg=") && !line.contains("secret")));
    }

    // Another one takes its place, and what it captured is dropped. It can call next to nothing.
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = refused.clone();
    let manager = talk();
    sds::set_log_handler(LogLevel::Debug, move |_, _| {
        let errors = [
            manager.wrap("lobby", "nested", "content").map(drop),
            sds::set_log_handler(LogLevel::Debug, |_, _| {}),
            sds::clear_log_handler(),
        ];
        for error in errors {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidArgument);
            counted.fetch_add(1, Ordering::SeqCst);
        }
    })
    .unwrap();
    assert_eq!(Arc::strong_count(&lines), 1);
    talk();
    assert!(refused.load(Ordering::SeqCst) >= 3);

    // A panic resumes in the call that the line is from.
    sds::set_log_handler(LogLevel::Debug, |_, line| {
        if line.contains("operation=wrap") {
            panic!("the disk is full");
        }
    })
    .unwrap();
    let alice = Options::new().open().unwrap();
    let panic = std::panic::catch_unwind(|| alice.wrap("lobby", "m1", "content").map(drop)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the disk is full"));

    // Threads that replace it while others log: whoever is last is it, and nobody waits for ever.
    let live = Arc::new(());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let live = live.clone();
                    sds::set_log_handler(LogLevel::Info, move |_, _| drop(live.clone())).unwrap();
                    talk();
                }
            });
        }
    });
    assert_eq!(Arc::strong_count(&live), 2);

    sds::clear_log_handler().unwrap();
    assert_eq!(Arc::strong_count(&live), 1);
    let before = refused.load(Ordering::SeqCst);
    talk();
    assert_eq!(refused.load(Ordering::SeqCst), before);
}
