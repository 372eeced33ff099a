use std::ffi::CString;
use std::fmt;
use std::mem;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use libsds_sys as sys;

use crate::border;
use crate::callbacks::{self, Callbacks};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::manager::Manager;
use crate::persistence::{Persistence, Procedures};
use crate::text::Id;

/// What a [`Manager`] is made of.
///
/// ```
/// # fn main() -> libsds::Result<()> {
/// let alice = libsds::Options::new()
///     .participant_id("alice")
///     .config(libsds::Config::new().max_message_history(500))
///     .event_handler(|_, event| println!("{event:?}"))
///     .open()?;
/// # alice.close() }
/// ```
#[derive(Default)]
#[must_use]
pub struct Options {
    participant_id: String,
    config: Option<Vec<u8>>,
    callbacks: Callbacks,
}

impl Options {
    /// Nothing but defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names this participant to its peers, the same after every restart. Without one, repairs (SDS-R)
    /// are off: it neither asks nor answers.
    pub fn participant_id(mut self, id: impl Into<String>) -> Self {
        self.participant_id = id.into();
        self
    }

    /// How it works. Without a configuration, the environment variable `SDS_CONFIG` is looked at.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config.to_json());
        self
    }

    /// How it works, as the JSON object that the C header describes, for a host that reads it from a
    /// file. "" is as none.
    pub fn config_json(mut self, json: impl Into<String>) -> Self {
        self.config = Some(json.into().into_bytes());
        self
    }

    /// What keeps the channels, for a host with a database of its own. It is dropped when the manager
    /// was closed.
    pub fn persistence(mut self, persistence: impl Persistence + 'static) -> Self {
        self.callbacks.persistence = Some(Procedures::new(persistence));
        self
    }

    /// Who gets the events. Without a handler they are kept, the newest 1024, and nobody gets them.
    ///
    /// The events of an operation come before it returns, in order; another call on the same manager
    /// may be the one that delivers them, on its thread. Two handlers of one manager never execute at
    /// the same time. But they nest: a handler may call any method of any manager, also of the one that
    /// it is given, and what that announces comes before that call returns. And while a nested call
    /// waits for another thread, that one may run the handler in between. This is why a handler is `Fn`,
    /// and `Sync` beside `Send`: keep what it changes in an atomic or a [`Mutex`], which is not held
    /// while it calls the library, or send the events to a channel.
    ///
    /// What a handler must not do is wait for another thread that is itself in a call on its manager.
    ///
    /// The manager that it is given is its own, so that it needs no reference to it. A handler that
    /// captures an `Arc` of its own manager keeps it open until [`close`](Manager::close) is called.
    ///
    /// A panic does not cross the library: it resumes in the call that the handler ran in, after the
    /// other events of that call, on the thread that panicked. In a handler that the library's own timer
    /// calls there is no such call; what the panic hook reports is all that is heard of it.
    pub fn event_handler(mut self, handler: impl Fn(&Manager, Event<'_>) + Send + Sync + 'static) -> Self {
        self.callbacks.handler = Some(Box::new(handler));
        self
    }

    /// Who is asked where a message can be fetched: bytes that mean something to the host and its
    /// peers, at most 4096, such as the hash that a store knows it by. They travel with every citation of
    /// the message, and reach peers as [`Dependency::hint`](crate::Dependency::hint).
    ///
    /// It is called while a message is wrapped, for each message that it cites without a hint, until it
    /// gives one. It never runs twice at the same time, nor nested: inside it, every call of a manager
    /// fails at once. A panic resumes as that of a handler does, and is no hint.
    pub fn hint_provider(mut self, provider: impl FnMut(&str) -> Option<Vec<u8>> + Send + 'static) -> Self {
        self.callbacks.provider = Some(Mutex::new(Box::new(provider)));
        self
    }

    /// Makes the manager. No channel is loaded yet, and no event announced.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for a wrong configuration, and for both
    /// persistence and a store; [`Persistence`](crate::ErrorKind::Persistence) when the store cannot be
    /// opened, because another manager uses it for example.
    pub fn open(self) -> Result<Manager> {
        let participant_id = Id::new(&self.participant_id);
        let config = CString::new(self.config.unwrap_or_default())
            .map_err(|_| Error::invalid_argument("config: it has a NUL in it"))?;
        let callbacks = Arc::new(self.callbacks);
        let user_data = Arc::as_ptr(&callbacks).cast_mut().cast();
        let persistence = callbacks.persistence.as_ref();
        let options = sys::SdsOptions {
            size: mem::size_of::<sys::SdsOptions>() as u32,
            participantId: participant_id.as_ptr(),
            configJson: config.as_ptr(),
            persistence: persistence.map_or(ptr::null(), |procedures| &procedures.table),
            persistenceUserData: persistence.map_or(ptr::null_mut(), Procedures::user_data),
            eventHandler: callbacks.handler.is_some().then_some(callbacks::on_event),
            eventUserData: user_data,
            hintProvider: callbacks.provider.is_some().then_some(callbacks::provide_hint),
            hintUserData: user_data,
        };
        let (mut ctx, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: all that the options point to outlives the call, and the callbacks the context.
        let status = border::call(|| unsafe { sys::SdsOpen(&options, &mut ctx, &mut error) });
        // SAFETY: that is what the function gave.
        unsafe { Error::check(status, error) }?;
        callbacks.ctx.store(ctx, Ordering::Release);
        Ok(Manager::new(ctx, callbacks))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("participant_id", &self.participant_id)
            .field("config", &self.config.as_deref().map(String::from_utf8_lossy))
            .finish_non_exhaustive()
    }
}
