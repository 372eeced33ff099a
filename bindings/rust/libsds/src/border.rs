//! Panics and the border to C, which no panic may cross.
//!
//! What runs inside a callback is contained: a panic there is caught, and resumes in the innermost
//! call of this crate on the same thread once the library has returned from it. On a thread of the
//! library there is no such call, and the panic ends there.

use std::any::Any;
use std::cell::RefCell;
use std::mem;
use std::panic::{self, AssertUnwindSafe};

type Panic = Box<dyn Any + Send>;

/// A call into the library that this thread is in, with the first panic of its callbacks.
#[derive(Default)]
struct Call {
    panic: Option<Panic>,
}

thread_local! {
    static INNERMOST: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// Sets the innermost call and returns the one before. A thread that is about to end has none.
fn exchange(call: Option<Call>) -> Option<Call> {
    INNERMOST.try_with(|innermost| innermost.replace(call)).unwrap_or(None)
}

/// Calls the library. What a callback panicked with resumes here, and `result` is dropped.
pub(crate) fn call<T>(library: impl FnOnce() -> T) -> T {
    let (result, panic) = call_catching(library);
    match panic {
        None => result,
        Some(panic) => {
            drop(result);
            panic::resume_unwind(panic)
        }
    }
}

/// Calls the library where a panic has nowhere to go: in a destructor.
pub(crate) fn call_quietly<T>(library: impl FnOnce() -> T) -> T {
    let (result, panic) = call_catching(library);
    if let Some(panic) = panic {
        discard(panic);
    }
    result
}

fn call_catching<T>(library: impl FnOnce() -> T) -> (T, Option<Panic>) {
    let outer = exchange(Some(Call::default()));
    let result = library();
    let call = exchange(outer);
    (result, call.and_then(|call| call.panic))
}

/// Runs code of the host inside a callback of the library. `Err` has the words of a panic.
pub(crate) fn contain<T>(host: impl FnOnce() -> T) -> Result<T, String> {
    // A handler that panicked is called again with what it captured as the panic left it; what is
    // shared between threads is behind locks of the host's, which are poisoned.
    panic::catch_unwind(AssertUnwindSafe(host)).map_err(|panic| {
        let words = words_of(&*panic);
        keep(panic);
        words
    })
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    words.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_string()
}

/// Hands a panic to the call that is to resume it. The first one counts.
fn keep(panic: Panic) {
    let mut panic = Some(panic);
    let _ = INNERMOST.try_with(|innermost| {
        if let Some(call) = innermost.borrow_mut().as_mut() {
            if call.panic.is_none() {
                call.panic = panic.take();
            }
        }
    });
    if let Some(panic) = panic {
        discard(panic);
    }
}

/// Drops what somebody panicked with, which may panic in turn.
fn discard(panic: Panic) {
    if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(another);
    }
}
