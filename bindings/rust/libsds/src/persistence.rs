use std::any::Any;
use std::borrow::Cow;
use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use libsds_sys as sys;

use crate::border;
use crate::event::ids_of;
use crate::text::{id_of, slice_of, Id};

/// The procedures through which a host keeps channels in a database of its own, in place of the
/// file that [`Config::store_path`](crate::Config::store_path) names.
///
/// What is kept of a channel is a *meta*, which is small and replaced as a whole, its *log* of up to
/// `maxMessageHistory` messages, and *retrieval hints* for messages of the log. All of it is bytes
/// that the host need not understand.
///
/// Every operation that changes a channel saves once, at its end and before any of its events. A save
/// that fails fails no operation: the library goes on from memory, and the same changes come again at
/// the next save point. [`load_channel`](Persistence::load_channel) and
/// [`drop_channel`](Persistence::drop_channel) fail the operation that needs them, with
/// [`ErrorKind::Persistence`](crate::ErrorKind::Persistence) and the words of the error.
///
/// A procedure runs on the thread of the operation, which is the library's after
/// [`start`](crate::Manager::start), while its channel is locked. Those of one manager never run at the
/// same time as each other and are not called from inside each other, which is why they are given
/// `&mut self`. Inside them, every call of a [`Manager`](crate::Manager) fails at once.
pub trait Persistence: Send {
    /// What goes wrong; its words become those of the library.
    type Error: fmt::Display;

    /// Replaces the meta of a channel.
    fn save_channel_meta(&mut self, channel_id: &str, meta: &[u8]) -> Result<(), Self::Error>;

    /// Changes the log of a channel, all of it or nothing. A message to append that is there already
    /// replaces the one of the same id; one to evict that is not there is no error. The retrieval hint
    /// of an evicted message goes with it. No id is in both.
    fn update_history(
        &mut self,
        channel_id: &str,
        append: &[Record<'_>],
        evict: &[&str],
    ) -> Result<(), Self::Error>;

    /// Hands over what is kept of a channel. To find nothing is a success: the channel is new.
    fn load_channel(&mut self, channel_id: &str, loader: &mut Loader<'_>) -> Result<(), Self::Error>;

    /// Forgets a channel: meta, log and hints. One that is not known is a success.
    fn drop_channel(&mut self, channel_id: &str) -> Result<(), Self::Error>;

    /// Keeps where a message of the log can be fetched, in place of what was kept of that before.
    /// By itself this keeps nothing: hints are then asked for again after a restart.
    fn set_retrieval_hint(
        &mut self,
        channel_id: &str,
        message_id: &str,
        hint: &[u8],
    ) -> Result<(), Self::Error> {
        let _ = (channel_id, message_id, hint);
        Ok(())
    }

    /// Saves what an operation changed, which the library calls at each save point. By itself this
    /// saves first the meta and then the log, if it changed: a process that ends in between loses what
    /// the second would have kept. A host with transactions wraps one around both.
    fn commit(
        &mut self,
        channel_id: &str,
        meta: &[u8],
        append: &[Record<'_>],
        evict: &[&str],
    ) -> Result<(), Self::Error> {
        self.save_channel_meta(channel_id, meta)?;
        if append.is_empty() && evict.is_empty() {
            return Ok(());
        }
        self.update_history(channel_id, append, evict)
    }
}

/// A message that joins the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its id, a key within its channel.
    pub message_id: &'a str,
    /// Its logical time. The log is ordered by it, and by the bytes of the id where it is equal.
    pub lamport: i64,
    /// What to hand back to [`Loader::message`].
    pub message: &'a [u8],
}

/// Takes what is kept of a channel. What cannot be (a second meta, more than 16 GiB) is not taken, and
/// then the channel is not loaded, with an error that says what it was.
pub struct Loader<'a> {
    call: *mut sys::SdsCall,
    _call: PhantomData<&'a mut ()>,
}

// SAFETY: a procedure may have another thread do its work and wait for it, and the lifetime makes it
// wait. `&mut self` lets one thread in at a time.
unsafe impl Send for Loader<'_> {}

impl Loader<'_> {
    /// Hands over the meta, at most once.
    pub fn meta(&mut self, meta: &[u8]) {
        // SAFETY: the call is under way, and what is passed is copied before this returns.
        unsafe { sys::SdsLoadMeta(self.call, meta.as_ptr(), meta.len()) }
    }

    /// Hands over a message of the log as it was appended, oldest first: in the order of logical times
    /// and then of ids. The library sorts what comes in another order.
    pub fn message(&mut self, message: &[u8]) {
        // SAFETY: as above.
        unsafe { sys::SdsLoadMessage(self.call, message.as_ptr(), message.len()) }
    }

    /// Hands over a retrieval hint, at any time and in any order.
    pub fn hint(&mut self, message_id: &str, hint: &[u8]) {
        let message_id = Id::new(message_id);
        // SAFETY: as above.
        unsafe { sys::SdsLoadHint(self.call, message_id.as_ptr(), hint.as_ptr(), hint.len()) }
    }
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").finish_non_exhaustive()
    }
}

/// A [`Persistence`] as the library calls it.
pub(crate) struct Procedures {
    pub(crate) table: sys::SdsPersistence,
    /// A `Mutex<P>`. The library keeps its promise to call one at a time, and the lock is never
    /// contended; that `&mut` is sound does not hang on it.
    host: Arc<dyn Any + Send + Sync>,
}

impl Procedures {
    pub(crate) fn new<P: Persistence + 'static>(host: P) -> Self {
        Procedures {
            table: sys::SdsPersistence {
                size: std::mem::size_of::<sys::SdsPersistence>() as u32,
                saveChannelMeta: None, // `commit` takes their place
                updateHistory: None,
                loadChannel: Some(load_channel::<P>),
                dropChannel: Some(drop_channel::<P>),
                setRetrievalHint: Some(set_retrieval_hint::<P>),
                commit: Some(commit::<P>),
            },
            host: Arc::new(Mutex::new(host)),
        }
    }

    pub(crate) fn user_data(&self) -> *mut c_void {
        Arc::as_ptr(&self.host) as *mut c_void
    }
}

/// Carries out a procedure: 0, or 1 and the reason.
///
/// # Safety
///
/// `call` is the call under way, `user` the `Mutex<P>` of its context's procedures.
unsafe fn perform<P: Persistence>(
    call: *mut sys::SdsCall,
    user: *mut c_void,
    procedure: impl FnOnce(&mut P) -> Result<(), P::Error>,
) -> c_int {
    // SAFETY: the caller's promise. It lives until the context was closed, which waits for this.
    let host = unsafe { &*user.cast_const().cast::<Mutex<P>>() };
    let outcome = border::contain(|| {
        let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
        procedure(&mut host).map_err(|error| error.to_string())
    });
    let reason = match outcome {
        Ok(Ok(())) => return 0,
        Ok(Err(words)) => words,
        Err(panic) => format!("a persistence procedure panicked: {panic}"),
    };
    if !reason.is_empty() {
        let reason = Id::new(&reason.replace('\0', "\u{fffd}"));
        // SAFETY: the caller's promise, and a C string that is copied.
        unsafe { sys::SdsFail(call, reason.as_ptr()) };
    }
    1
}

unsafe extern "C" fn load_channel<P: Persistence>(
    call: *mut sys::SdsCall,
    channel: *const c_char,
    user: *mut c_void,
) -> c_int {
    // SAFETY: the library passes what it says, valid during this call.
    unsafe {
        perform(call, user, |host: &mut P| {
            host.load_channel(&id_of(channel), &mut Loader { call, _call: PhantomData })
        })
    }
}

unsafe extern "C" fn drop_channel<P: Persistence>(
    call: *mut sys::SdsCall,
    channel: *const c_char,
    user: *mut c_void,
) -> c_int {
    // SAFETY: as above.
    unsafe { perform(call, user, |host: &mut P| host.drop_channel(&id_of(channel))) }
}

unsafe extern "C" fn set_retrieval_hint<P: Persistence>(
    call: *mut sys::SdsCall,
    channel: *const c_char,
    message: *const c_char,
    hint: *const u8,
    hint_len: usize,
    user: *mut c_void,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        perform(call, user, |host: &mut P| {
            host.set_retrieval_hint(&id_of(channel), &id_of(message), slice_of(hint, hint_len))
        })
    }
}

unsafe extern "C" fn commit<P: Persistence>(
    call: *mut sys::SdsCall,
    channel: *const c_char,
    meta: *const u8,
    meta_len: usize,
    append: *const sys::SdsHistoryRecord,
    append_count: usize,
    evict: *const *const c_char,
    evict_count: usize,
    user: *mut c_void,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        perform(call, user, |host: &mut P| {
            let append = slice_of(append, append_count);
            let appended: Vec<Cow<'_, str>> = append.iter().map(|record| id_of(record.messageId)).collect();
            let records: Vec<Record<'_>> = append
                .iter()
                .zip(&appended)
                .map(|(record, message_id)| Record {
                    message_id,
                    lamport: record.lamport,
                    message: slice_of(record.message, record.messageLen),
                })
                .collect();
            let evicted = ids_of(evict, evict_count);
            let evicted: Vec<&str> = evicted.iter().map(|id| &**id).collect();
            host.commit(&id_of(channel), slice_of(meta, meta_len), &records, &evicted)
        })
    }
}
