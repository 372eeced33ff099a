use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use libsds_sys as sys;

use crate::border;
use crate::error::{Error, Result};
use crate::text::slice_of;

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Every operation and event.
    Debug,
    /// What happens seldom.
    Info,
    /// What goes wrong and is mended.
    Warn,
    /// What goes wrong.
    Error,
}

impl LogLevel {
    fn number(self) -> c_int {
        match self {
            LogLevel::Debug => -4,
            LogLevel::Info => 0,
            LogLevel::Warn => 4,
            LogLevel::Error => 8,
        }
    }

    fn of(number: c_int) -> Self {
        match number {
            8.. => LogLevel::Error,
            4.. => LogLevel::Warn,
            0.. => LogLevel::Info,
            _ => LogLevel::Debug,
        }
    }
}

type Handler = Mutex<Box<dyn FnMut(LogLevel, &str) + Send>>;

/// The handler that the library has.
static CURRENT: Mutex<Option<Arc<Handler>>> = Mutex::new(None);

/// Sets who gets the log of all managers of the process, from `level` on. Once this returned, the
/// handler before is not called any more, and was dropped. At first there is none, and the library
/// writes nothing anywhere.
///
/// A line has words and then `key=value` pairs, such as
/// `msg="the channel was loaded" operation=wrap channel=lobby`; it names operation, channel and message
/// id, never content.
///
/// The handler is called on whichever thread has something to say, never by two at the same time, and
/// maybe while a channel is locked: it must return soon, and must not wait for a thread that is inside
/// the library. Inside it, every call of a manager fails at once. A panic resumes in the call that the
/// line is from, as that of an [event handler](crate::Options::event_handler) does.
///
/// # Errors
///
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) from inside a hint provider, a log handler or a
/// persistence procedure; [`Forked`](crate::ErrorKind::Forked).
pub fn set_log_handler(level: LogLevel, handler: impl FnMut(LogLevel, &str) + Send + 'static) -> Result<()> {
    replace(Some(Arc::new(Mutex::new(Box::new(handler)))), level)
}

/// Has the library log nothing, as at first; see [`set_log_handler`].
///
/// # Errors
///
/// As those of [`set_log_handler`].
pub fn clear_log_handler() -> Result<()> {
    replace(None, LogLevel::Error)
}

fn replace(handler: Option<Arc<Handler>>, level: LogLevel) -> Result<()> {
    // Where the library would refuse the call, the lock may be another thread's who waits for this
    // one, or, in a forked child, nobody's. It says so when it is asked to close nothing.
    // SAFETY: any value will do for a context.
    let status = border::call(|| unsafe { sys::SdsClose(ptr::null_mut()) });
    if status != sys::SDS_ERR_INVALID_CONTEXT {
        // SAFETY: there is no text.
        return unsafe { Error::check(status, ptr::null_mut()) };
    }
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let function: sys::SdsLogHandler = handler.is_some().then_some(on_line);
    let user = handler.as_ref().map_or(ptr::null_mut(), |handler| Arc::as_ptr(handler) as *mut c_void);
    // SAFETY: the handler lives until another one was set, and then the library does not call it.
    let status = border::call_quietly(|| unsafe { sys::SdsSetLogHandler(function, level.number(), user) });
    // SAFETY: there is no text.
    let result = unsafe { Error::check(status, ptr::null_mut()) };
    let unused = if result.is_ok() { std::mem::replace(&mut *current, handler) } else { handler };
    drop(current); // before what the host captured, whose end may call back in
    drop(unused);
    result
}

unsafe extern "C" fn on_line(level: c_int, line: *const c_char, len: usize, user: *mut c_void) {
    // SAFETY: `CURRENT` keeps it until the library calls it no more.
    let handler = unsafe { &*user.cast_const().cast::<Handler>() };
    let _ = border::contain(|| {
        // SAFETY: the line has this length, and is valid until this returns.
        let line = String::from_utf8_lossy(unsafe { slice_of(line.cast(), len) });
        let mut handler = handler.lock().unwrap_or_else(PoisonError::into_inner);
        handler(LogLevel::of(level), &line);
    });
}
