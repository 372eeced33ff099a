//! What a manager calls back, and how long it lives.
//!
//! The library is given one reference to it as its user data. The call of `SdsClose` that succeeds
//! gives that back, when the library has waited for everything that could still use it, save for
//! handlers that the close was called from inside: each handler that runs holds a reference of its own.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libsds_sys as sys;

use crate::border;
use crate::event::Event;
use crate::manager::Manager;
use crate::persistence::Procedures;
use crate::text::id_of;

pub(crate) type Handler = Box<dyn Fn(&Manager, Event<'_>) + Send + Sync>;
pub(crate) type Provider = Box<dyn FnMut(&str) -> Option<Vec<u8>> + Send>;

#[derive(Default)]
pub(crate) struct Callbacks {
    /// Set right after the context was made, before anything can call back.
    pub(crate) ctx: AtomicPtr<c_void>,
    pub(crate) handler: Option<Handler>,
    pub(crate) provider: Option<Mutex<Provider>>,
    pub(crate) persistence: Option<Procedures>,
}

extern "C" {
    // Of the C library that std is linked with: the memory of hints is the library's to free().
    fn malloc(size: usize) -> *mut c_void;
}

pub(crate) unsafe extern "C" fn on_event(event: *const sys::SdsEvent, user: *mut c_void) {
    let user = user.cast_const().cast::<Callbacks>();
    // SAFETY: the library holds a reference when it calls this; from here on, so does this function.
    let callbacks = unsafe {
        Arc::increment_strong_count(user);
        Arc::from_raw(user)
    };
    let _ = border::contain(|| {
        let Some(handler) = &callbacks.handler else { return };
        // SAFETY: the library passes an event that is valid until this returns.
        let Some(event) = (unsafe { Event::read(&*event) }) else { return };
        Manager::lend(callbacks.ctx.load(Ordering::Acquire), user, |manager| handler(manager, event));
    });
    // It may be the last reference, and then what the host captured is dropped.
    let _ = border::contain(|| drop(callbacks));
}

pub(crate) unsafe extern "C" fn provide_hint(
    message: *const c_char,
    hint: *mut *mut c_char,
    hint_len: *mut usize,
    user: *mut c_void,
) {
    // SAFETY: the library holds a reference, and does not give it back while this runs.
    let callbacks = unsafe { &*user.cast_const().cast::<Callbacks>() };
    let given = border::contain(|| {
        let mut provider = callbacks.provider.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: a C string that is valid until this returns.
        provider(&unsafe { id_of(message) })
    });
    let given = match given {
        Ok(Some(bytes)) if !bytes.is_empty() => bytes,
        _ => return,
    };
    // SAFETY: malloc gives memory for so many bytes or NULL; the outputs are the library's.
    unsafe {
        let memory = malloc(given.len());
        if !memory.is_null() {
            ptr::copy_nonoverlapping(given.as_ptr(), memory.cast(), given.len());
            *hint = memory.cast();
            *hint_len = given.len();
        }
    }
}
