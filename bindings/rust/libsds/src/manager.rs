use std::ffi::{c_char, c_void};
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libsds_sys as sys;

use crate::border;
use crate::callbacks::Callbacks;
use crate::error::{Error, Result};
use crate::message::{Payload, Unwrapped};
use crate::text::{Id, Ids};

/// One participant with its channels, made by [`Options::open`](crate::Options::open) and ended by
/// [`close`](Manager::close) or by being dropped.
///
/// Give every outgoing message to [`wrap`](Manager::wrap) and broadcast what you get; give every payload
/// that arrives to [`unwrap`](Manager::unwrap). Call [`start`](Manager::start), or
/// [`tick`](Manager::tick) from a loop: without either no time passes, nothing is sent again and no gap
/// is closed.
///
/// All methods can be called from any thread at any time, from inside event handlers too; operations
/// on different channels run side by side. Ids are any text but the empty one, at most `maxIdBytes` long,
/// and compared byte by byte.
///
/// In a child of `fork()` every method fails with [`ErrorKind::Forked`](crate::ErrorKind::Forked), after
/// `close` with [`ErrorKind::InvalidContext`](crate::ErrorKind::InvalidContext).
pub struct Manager {
    /// Never used again for another context, so calls after `close` are errors and nothing worse.
    ctx: *mut c_void,
    /// The library's reference, for the call of `SdsClose` that succeeds. Not to be looked into.
    callbacks: *const Callbacks,
}

// SAFETY: every function of the library may be called on any thread at any time, and what it calls
// back is `Sync`, behind a lock, or both.
unsafe impl Send for Manager {}
// SAFETY: as above.
unsafe impl Sync for Manager {}

// A panic resumes when the library has returned: it interrupts nothing.
impl UnwindSafe for Manager {}
impl RefUnwindSafe for Manager {}

/// The end of the year 9999, the latest time that the library knows.
const LATEST: i64 = 253_402_300_799_999;

impl Manager {
    pub(crate) fn new(ctx: *mut c_void, callbacks: Arc<Callbacks>) -> Self {
        Manager { ctx, callbacks: Arc::into_raw(callbacks) }
    }

    /// Lends a handler its own manager, which is not closed at the end of that.
    pub(crate) fn lend(ctx: *mut c_void, callbacks: *const Callbacks, to: impl FnOnce(&Manager)) {
        to(&ManuallyDrop::new(Manager { ctx, callbacks }));
    }

    /// Makes the payload to broadcast for a new message. It is in the own log at once, without an
    /// event. A message with an id that was wrapped before takes the place of that one.
    ///
    /// The channel is made, or loaded, when it is new. The content has at least one byte and at most
    /// `maxContentBytes`.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument),
    /// [`MessageTooLarge`](crate::ErrorKind::MessageTooLarge),
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when `maxOutgoingMessages` wait for an
    /// acknowledgement or `maxChannels` exist, [`Persistence`](crate::ErrorKind::Persistence) when the
    /// channel cannot be loaded.
    pub fn wrap(&self, channel_id: &str, message_id: &str, content: impl AsRef<[u8]>) -> Result<Payload> {
        let (channel_id, message_id) = (Id::new(channel_id), Id::new(message_id));
        let content = content.as_ref();
        self.payload(|data, len, error| {
            // SAFETY: all pointers are to what outlives the call.
            unsafe {
                sys::SdsWrap(
                    self.ctx,
                    channel_id.as_ptr(),
                    message_id.as_ptr(),
                    content.as_ptr().cast(),
                    content.len(),
                    data,
                    len,
                    error,
                )
            }
        })
    }

    /// Makes a payload without content, which tells and asks what a message would, for a channel that
    /// has been quiet: on [`PeriodicSync`](crate::Event::PeriodicSync), for example. It is not logged,
    /// acknowledged or sent again.
    ///
    /// Peers that run nim-sds take it for a message and cite it: send none where there are such peers.
    ///
    /// # Errors
    ///
    /// As those of [`wrap`](Manager::wrap), but for content and `maxOutgoingMessages`.
    pub fn wrap_sync(&self, channel_id: &str) -> Result<Payload> {
        let channel_id = Id::new(channel_id);
        self.payload(|data, len, error| {
            // SAFETY: all pointers are to what outlives the call.
            unsafe { sys::SdsWrapSync(self.ctx, channel_id.as_ptr(), data, len, error) }
        })
    }

    /// Makes the payload of a message that is delivered or lost and leaves no trace: "is typing", say.
    ///
    /// # Errors
    ///
    /// As those of [`wrap`](Manager::wrap), but for `maxOutgoingMessages`.
    pub fn wrap_ephemeral(
        &self,
        channel_id: &str,
        message_id: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<Payload> {
        let (channel_id, message_id) = (Id::new(channel_id), Id::new(message_id));
        let content = content.as_ref();
        self.payload(|data, len, error| {
            // SAFETY: all pointers are to what outlives the call.
            unsafe {
                sys::SdsWrapEphemeral(
                    self.ctx,
                    channel_id.as_ptr(),
                    message_id.as_ptr(),
                    content.as_ptr().cast(),
                    content.len(),
                    data,
                    len,
                    error,
                )
            }
        })
    }

    /// Takes in a payload that the transport received. Give it everything: what is not an SDS message
    /// fails with [`Deserialization`](crate::ErrorKind::Deserialization) and changes nothing.
    ///
    /// # Errors
    ///
    /// [`Deserialization`](crate::ErrorKind::Deserialization), also for what is over a limit;
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when it is of a channel that may not be made;
    /// [`Persistence`](crate::ErrorKind::Persistence) when its channel cannot be loaded.
    pub fn unwrap(&self, payload: impl AsRef<[u8]>) -> Result<Unwrapped> {
        let payload = payload.as_ref();
        border::call(|| {
            let (mut result, mut error) = (ptr::null_mut(), ptr::null_mut());
            // SAFETY: all pointers are to what outlives the call; then, the outputs are what it gave.
            unsafe {
                let status =
                    sys::SdsUnwrap(self.ctx, payload.as_ptr().cast(), payload.len(), &mut result, &mut error);
                Error::check(status, error)?;
                Ok(Unwrapped::from_raw(result))
            }
        })
    }

    /// Declares that the host has messages by other means, from an archive for example: nothing waits
    /// for them or asks for them any longer. What waited for nothing else is delivered, with its events,
    /// before this returns. At most a million ids, of a channel in memory.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), also when the channel is not in memory.
    pub fn mark_met<I>(&self, channel_id: &str, message_ids: I) -> Result<()>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let (channel_id, ids) = (Id::new(channel_id), Ids::new(message_ids));
        let ids = ids.as_slice();
        self.operate(|error| {
            // SAFETY: all pointers are to what outlives the call.
            unsafe { sys::SdsMarkMet(self.ctx, channel_id.as_ptr(), ids.as_ptr(), ids.len(), error) }
        })
    }

    /// Makes a channel, or loads what is kept of it, before its first message.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when `maxChannels` exist;
    /// [`Persistence`](crate::ErrorKind::Persistence) when it cannot be loaded.
    pub fn ensure_channel(&self, channel_id: &str) -> Result<()> {
        let channel_id = Id::new(channel_id);
        self.operate(|error| {
            // SAFETY: all pointers are to what outlives the call.
            unsafe { sys::SdsEnsureChannel(self.ctx, channel_id.as_ptr(), error) }
        })
    }

    /// Forgets a channel, what is kept of it first. One that does not exist is no error; the next
    /// message that is sent or received in it makes it anew.
    ///
    /// # Errors
    ///
    /// [`Persistence`](crate::ErrorKind::Persistence), and then the channel stays.
    pub fn drop_channel(&self, channel_id: &str) -> Result<()> {
        let channel_id = Id::new(channel_id);
        self.operate(|error| {
            // SAFETY: all pointers are to what outlives the call.
            unsafe { sys::SdsDropChannel(self.ctx, channel_id.as_ptr(), error) }
        })
    }

    /// Forgets all channels, what is kept of them first. With [persistence](crate::Persistence) of the
    /// host these are the channels in memory; a store is emptied.
    ///
    /// # Errors
    ///
    /// [`Persistence`](crate::ErrorKind::Persistence), and then the channels stay.
    pub fn reset(&self) -> Result<()> {
        // SAFETY: the pointer is to what outlives the call.
        self.operate(|error| unsafe { sys::SdsReset(self.ctx, error) })
    }

    /// Starts the library's own timer, one thread for the manager: resends, repairs, messages that
    /// waited too long, and [`PeriodicSync`](crate::Event::PeriodicSync). Events come on that thread, too,
    /// from then on. It runs until the manager is closed; starting twice is the same as once.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when [`tick`](Manager::tick) drives it.
    pub fn start(&self) -> Result<()> {
        // SAFETY: the pointer is to what outlives the call.
        self.operate(|error| unsafe { sys::SdsStart(self.ctx, error) })
    }

    /// In place of [`start`](Manager::start), for a host with a loop of its own: runs what is due at
    /// `now`, on this thread, with its events, and returns when it wants to be called again. Call it once
    /// after opening, which makes the schedule, and then at those times. To call it earlier costs little;
    /// to call it late delays what is due, and loses nothing.
    ///
    /// `now` is the time of the system's clock, which all other methods go by; parts of a millisecond do
    /// not count.
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// # fn main() -> libsds::Result<()> {
    /// # let manager = libsds::Options::new().open()?;
    /// let next = manager.tick(SystemTime::now())?;
    /// let wait = next.duration_since(SystemTime::now()).unwrap_or_default();
    /// // poll the sockets for so long
    /// # assert!(wait.as_secs() <= 5); Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when the library's own timer was started,
    /// and for a time before 1970 or after the year 9999.
    pub fn tick(&self, now: SystemTime) -> Result<SystemTime> {
        let now = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(_) => -1, // the library has words for it
        };
        let mut next = 0;
        // SAFETY: all pointers are to what outlives the call.
        self.operate(|error| unsafe { sys::SdsTick(self.ctx, now, &mut next, error) })?;
        Ok(UNIX_EPOCH + Duration::from_millis(next.clamp(0, LATEST) as u64))
    }

    /// Lists the channels in memory, with how much each holds, as a JSON object; the C header describes
    /// it under `SdsChannels`.
    ///
    /// # Errors
    ///
    /// As the first paragraphs about the manager say.
    pub fn channels(&self) -> Result<String> {
        // SAFETY: all pointers are to what outlives the call.
        self.text(|json, error| unsafe { sys::SdsChannels(self.ctx, json, error) })
    }

    /// Shows what a channel in memory holds, as a JSON object: why a message is not delivered, or not
    /// acknowledged. There is no content in it. The C header describes it under `SdsInspect`.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument), also when the channel is not in memory.
    pub fn inspect(&self, channel_id: &str) -> Result<String> {
        let channel_id = Id::new(channel_id);
        // SAFETY: all pointers are to what outlives the call.
        self.text(|json, error| unsafe { sys::SdsInspect(self.ctx, channel_id.as_ptr(), json, error) })
    }

    /// Counts what the manager did since it was opened, and what it holds, as a JSON object in the terms
    /// of Prometheus; docs/metrics.md of libsds lists the metrics.
    ///
    /// # Errors
    ///
    /// As the first paragraphs about the manager say.
    pub fn stats(&self) -> Result<String> {
        // SAFETY: all pointers are to what outlives the call.
        self.text(|json, error| unsafe { sys::SdsStats(self.ctx, json, error) })
    }

    /// Ends the manager, as dropping it does, and says how that went. It waits for calls and handlers
    /// that run on other threads; once it returned, no handler is called any more, and what the handlers
    /// captured is dropped. Calls of a closed manager are errors.
    ///
    /// From inside a handler it does not wait for that one; what that captured is dropped when it
    /// returns.
    ///
    /// # Errors
    ///
    /// [`InvalidContext`](crate::ErrorKind::InvalidContext) when it was closed before, or is being
    /// closed by another thread; [`InvalidArgument`](crate::ErrorKind::InvalidArgument) from inside a
    /// hint provider, a log handler or a persistence procedure.
    pub fn close(&self) -> Result<()> {
        // SAFETY: any value will do for a context.
        let status = border::call(|| unsafe { sys::SdsClose(self.ctx) });
        self.release(status);
        // SAFETY: there is no text.
        unsafe { Error::check(status, ptr::null_mut()) }
    }

    /// Drops the library's reference to the callbacks, if a call of `SdsClose` gave it back.
    fn release(&self, status: i32) {
        if status == sys::SDS_OK {
            // SAFETY: the reference was given to the library by `new`, and one call at most succeeds.
            drop(unsafe { Arc::from_raw(self.callbacks) });
        }
    }

    /// Calls a function that gives nothing.
    fn operate(&self, function: impl FnOnce(*mut *mut c_char) -> i32) -> Result<()> {
        border::call(|| {
            let mut error = ptr::null_mut();
            let status = function(&mut error);
            // SAFETY: that is what the function gave.
            unsafe { Error::check(status, error) }
        })
    }

    /// Calls a function that gives a payload.
    fn payload(
        &self,
        function: impl FnOnce(*mut *mut u8, *mut usize, *mut *mut c_char) -> i32,
    ) -> Result<Payload> {
        border::call(|| {
            let (mut data, mut len, mut error) = (ptr::null_mut(), 0, ptr::null_mut());
            let status = function(&mut data, &mut len, &mut error);
            // SAFETY: these are what the function gave.
            unsafe {
                Error::check(status, error)?;
                Ok(Payload::from_raw(data, len))
            }
        })
    }

    /// Calls a function that gives a text.
    fn text(&self, function: impl FnOnce(*mut *mut c_char, *mut *mut c_char) -> i32) -> Result<String> {
        border::call(|| {
            let (mut text, mut error) = (ptr::null_mut(), ptr::null_mut());
            let status = function(&mut text, &mut error);
            // SAFETY: these are what the function gave; the text is freed when it was copied.
            unsafe {
                Error::check(status, error)?;
                let copy = crate::text::id_of(text).into_owned();
                sys::SdsFree(text.cast());
                Ok(copy)
            }
        })
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // SAFETY: any value will do for a context.
        let close = |ctx| border::call_quietly(|| unsafe { sys::SdsClose(ctx) });
        let status = close(self.ctx);
        if status == sys::SDS_ERR_INVALID_ARGUMENT {
            // From inside a hint provider, a log handler or a persistence procedure, nothing can be
            // closed. Another thread does it, as soon as this one lets it.
            let left = Manager { ctx: self.ctx, callbacks: self.callbacks };
            let left = ManuallyDrop::new(left);
            let _ = thread::Builder::new().name("libsds-close".to_string()).spawn(move || {
                left.release(close(left.ctx));
            });
            return;
        }
        self.release(status);
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Manager").field(&self.ctx).finish()
    }
}
