//! A child of fork(), which cannot use the library. One test, in a process of its own.
#![cfg(unix)]

use std::ffi::c_int;
use std::sync::Arc;
use std::time::SystemTime;

use libsds as sds;
use sds::{ErrorKind, Options};

extern "C" {
    fn fork() -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

/// Whether all is as it should be in the child.
fn all_fails(alice: sds::Manager, captured: &Arc<()>) -> bool {
    let errors = [
        alice.wrap("channel", "m2", "two").err(),
        alice.wrap_sync("channel").err(),
        alice.unwrap("payload").err(),
        alice.mark_met("channel", ["m1"]).err(),
        alice.tick(SystemTime::now()).err(),
        alice.stats().err(),
        alice.close().err(),
        Options::new().open().err(),
        sds::set_log_handler(sds::LogLevel::Error, |_, _| {}).err(),
        sds::clear_log_handler().err(),
    ];
    let all = errors.iter().all(|error| matches!(error, Some(error) if error.kind() == ErrorKind::Forked));
    drop(alice); // not closed, which is the parent's to do, and what it captured stays
    all && Arc::strong_count(captured) == 2 && !sds::version().is_empty()
}

#[test]
fn in_a_forked_child_every_call_is_an_error_and_the_parent_goes_on() {
    let captured = Arc::new(());
    let held = captured.clone();
    let open = Options::new().event_handler(move |_, _| drop(held.clone()));
    let alice = open.open().unwrap();
    alice.start().unwrap();
    let payload = alice.wrap("channel", "m1", "one").unwrap();
    let message = Options::new().open().unwrap().unwrap(&payload).unwrap();
    // SAFETY: the child calls what may be called there, and ends.
    match unsafe { fork() } {
        -1 => panic!("no child"),
        0 => {
            let fine = all_fails(alice, &captured);
            drop((payload, message)); // memory can be freed there, too
                                      // SAFETY: it does not return.
            unsafe { _exit(if fine { 0 } else { 1 }) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the child is this process's own.
            assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0);
            alice.wrap("channel", "m2", "two").unwrap();
            alice.close().unwrap();
            assert_eq!(Arc::strong_count(&captured), 1);
        }
    }
}
