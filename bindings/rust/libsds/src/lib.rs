//! End-to-end reliability for group messaging (SDS): the idiomatic layer over libsds.
//!
//! A transport such as gossip or mesh radio loses messages, repeats them and delivers them in any
//! order. A host gives every outgoing message to [`Manager::wrap`] and broadcasts what it gets; it gives
//! every payload that arrives to [`Manager::unwrap`]. The library notices what was lost, asks for it,
//! delivers in causal order, and says so through [events](Event).
//!
//! ```
//! use libsds as sds;
//!
//! # fn main() -> sds::Result<()> {
//! let alice = sds::Options::new().participant_id("alice").open()?;
//! let bob = sds::Options::new()
//!     .participant_id("bob")
//!     .event_handler(|_, event| {
//!         if let sds::Event::MessageReady { message_id, content, .. } = event {
//!             println!("{message_id}: {}", String::from_utf8_lossy(&content));
//!         }
//!     })
//!     .open()?;
//!
//! let payload = alice.wrap("lobby", "m-1", "hello")?; // and broadcast it
//! let message = bob.unwrap(&payload)?; // what the transport brings
//! assert_eq!((message.sender_id(), message.content()), ("alice", &b"hello"[..]));
//! # Ok(()) }
//! ```
//!
//! Nothing that the library gives is copied: [`Payload`] and [`Unwrapped`] own its memory, and a
//! handler is lent events that lie in it.
//!
//! # Threads
//!
//! Everything is `Send` and `Sync`, but for [`Loader`], which is only `Send`.
//!
//! ```
//! fn shared<T: Send + Sync>() {}
//! shared::<libsds::Manager>();
//! shared::<libsds::Payload>();
//! shared::<libsds::Unwrapped>();
//! shared::<libsds::Event<'static>>();
//! shared::<libsds::Error>();
//! shared::<libsds::Config>();
//! shared::<libsds::Options>();
//! fn sent<T: Send>() {}
//! sent::<libsds::Loader<'static>>();
//! ```
//!
//! A loader is for one thread at a time:
//!
//! ```compile_fail,E0277
//! fn shared<T: Sync>() {}
//! shared::<libsds::Loader<'static>>();
//! ```
//!
//! Handlers may run on two threads in turns, so what they capture is shared:
//!
//! ```compile_fail,E0277
//! let count = std::cell::Cell::new(0);
//! libsds::Options::new().event_handler(move |_, _| count.set(count.get() + 1));
//! ```
//!
//! ```compile_fail,E0277
//! let count = std::rc::Rc::new(());
//! libsds::Options::new().hint_provider(move |_| { let _ = &count; None });
//! ```
//!
//! They nest, so they cannot change what they captured without a lock:
//!
//! ```compile_fail,E0594
//! let mut count = 0;
//! libsds::Options::new().event_handler(move |_, _| count += 1);
//! ```
//!
//! An event is lent, and its manager with it:
//!
//! ```compile_fail,E0521
//! let (sender, _receiver) = std::sync::mpsc::sync_channel::<libsds::Event<'static>>(9);
//! libsds::Options::new().event_handler(move |_, event| sender.send(event).unwrap());
//! ```
//!
//! ```compile_fail,E0521
//! let kept = std::sync::Mutex::new(None::<&'static libsds::Manager>);
//! libsds::Options::new().event_handler(move |manager, _| *kept.lock().unwrap() = Some(manager));
//! ```
//!
//! What was unwrapped lives as long as the whole:
//!
//! ```compile_fail,E0505
//! # let bob = libsds::Options::new().open().unwrap();
//! let message = bob.unwrap(b"payload").unwrap();
//! let missing = message.missing();
//! drop(message);
//! println!("{missing:?}");
//! ```
//!
//! # Panics
//!
//! A panic in a handler, a provider or a persistence procedure does not cross the library: it resumes
//! in the call that it happened in, once the library has returned from that. What the operation did
//! stays done. Where a thread of the library runs it, the panic hook has reported it, and that is all.
//! With `panic = "abort"` a panic ends the process, as anywhere.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod border;
mod callbacks;
mod config;
mod error;
mod event;
mod log;
mod manager;
mod message;
mod options;
mod persistence;
mod text;

use std::ffi::CStr;

pub use config::{Config, LamportUnit, StoreSync, WireFormat};
pub use error::{Error, ErrorKind, Result};
pub use event::{Dependency, Event};
pub use log::{clear_log_handler, set_log_handler, LogLevel};
pub use manager::Manager;
pub use message::{Kind, Payload, Unwrapped};
pub use options::Options;
pub use persistence::{Loader, Persistence, Record};

/// The version of the library that was loaded, such as "0.1.0".
pub fn version() -> &'static str {
    // SAFETY: a C string that lives as long as the process.
    unsafe { CStr::from_ptr(libsds_sys::SdsVersion()) }.to_str().unwrap_or_default()
}

/// The version of the ABI of the library that was loaded: the number in its SONAME.
pub fn abi_version() -> u32 {
    // SAFETY: it may be called anywhere.
    unsafe { libsds_sys::SdsAbiVersion() }
}

/// The program of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
