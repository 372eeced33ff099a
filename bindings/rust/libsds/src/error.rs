use std::ffi::{c_char, c_int, CStr};
use std::fmt;

use libsds_sys as sys;

/// What calls of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed: a [kind](ErrorKind) for the program, and words for people, which are the
/// library's and name the argument, channel or key that is wrong. The words may change.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    status: c_int,
    words: String,
}

/// What kind of thing went wrong: the library's statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument or a key of the configuration is wrong, or the call comes at a wrong moment: from
    /// inside a hint provider, [`tick`](crate::Manager::tick) after [`start`](crate::Manager::start), a
    /// channel that is not in memory.
    InvalidArgument,
    /// No memory for the result; the operation may have taken effect.
    OutOfMemory,
    /// A defect of the library.
    Internal,
    /// Frozen; does not occur.
    Serialization,
    /// Not an SDS message: deliver the payload as it is.
    Deserialization,
    /// Content over `maxContentBytes`.
    MessageTooLarge,
    /// The store or a persistence procedure failed.
    Persistence,
    /// A configured limit.
    LimitExceeded,
    /// The manager was closed.
    InvalidContext,
    /// Called in a child of `fork()`, which cannot use the library.
    Forked,
    /// A status of a later version of the library; see [`Error::status`].
    Other,
}

impl Error {
    pub(crate) fn new(status: c_int, words: impl Into<String>) -> Self {
        Error { status, words: words.into() }
    }

    pub(crate) fn invalid_argument(what: &str) -> Self {
        Error::new(sys::SDS_ERR_INVALID_ARGUMENT, format!("libsds error: {what}"))
    }

    /// The result of a function that has no text to give, or that gave `text`, which is freed.
    ///
    /// # Safety
    ///
    /// `text` is NULL, or what a function of the library gave to be freed.
    pub(crate) unsafe fn check(status: c_int, text: *mut c_char) -> Result<()> {
        if status == sys::SDS_OK {
            return Ok(());
        }
        let words = if text.is_null() {
            // SAFETY: it is never NULL, and lives as long as the process.
            let name = unsafe { CStr::from_ptr(sys::SdsStatusString(status)) };
            format!("libsds error: {}", name.to_string_lossy())
        } else {
            // SAFETY: the caller's promise.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        // SAFETY: the caller's promise; it is not used any more.
        unsafe { sys::SdsFree(text.cast()) };
        Err(Error::new(status, words))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        match self.status {
            sys::SDS_ERR_INVALID_ARGUMENT => ErrorKind::InvalidArgument,
            sys::SDS_ERR_OUT_OF_MEMORY => ErrorKind::OutOfMemory,
            sys::SDS_ERR_INTERNAL => ErrorKind::Internal,
            sys::SDS_ERR_SERIALIZATION => ErrorKind::Serialization,
            sys::SDS_ERR_DESERIALIZATION => ErrorKind::Deserialization,
            sys::SDS_ERR_MESSAGE_TOO_LARGE => ErrorKind::MessageTooLarge,
            sys::SDS_ERR_PERSISTENCE => ErrorKind::Persistence,
            sys::SDS_ERR_LIMIT_EXCEEDED => ErrorKind::LimitExceeded,
            sys::SDS_ERR_INVALID_CONTEXT => ErrorKind::InvalidContext,
            sys::SDS_ERR_FORKED => ErrorKind::Forked,
            _ => ErrorKind::Other,
        }
    }

    /// The number of the status, an `SdsStatus` of the C header. The numbers are frozen.
    pub fn status(&self) -> i32 {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.kind()).field("words", &self.words).finish()
    }
}

impl std::error::Error for Error {}
