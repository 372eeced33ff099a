use std::borrow::Cow;

use libsds_sys as sys;

use crate::text::{id_of, slice_of};

/// A message that another one cites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency<'a> {
    /// Its id.
    pub message_id: Cow<'a, str>,
    /// Who sent it; empty when that is not known.
    pub sender_id: Cow<'a, str>,
    /// What the host of a peer said about where it can be fetched; empty if nothing.
    pub hint: Cow<'a, [u8]>,
}

impl Dependency<'_> {
    /// The same, with memory of its own.
    pub fn into_owned(self) -> Dependency<'static> {
        Dependency { message_id: own(self.message_id), sender_id: own(self.sender_id), hint: own(self.hint) }
    }
}

/// Something that a channel announces.
///
/// A handler is lent an event whose fields lie in memory of the library's, without a copy;
/// [`into_owned`](Event::into_owned) makes one to keep or to send to another thread.
///
/// A host that shows each message on its `MessageReady` shows them in causal order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A message was delivered, in causal order.
    MessageReady {
        /// The channel.
        channel_id: Cow<'a, str>,
        /// The message.
        message_id: Cow<'a, str>,
        /// Its content.
        content: Cow<'a, [u8]>,
    },
    /// An own message was acknowledged.
    MessageSent {
        /// The channel.
        channel_id: Cow<'a, str>,
        /// The message.
        message_id: Cow<'a, str>,
    },
    /// A message, also a sync message, cites others that were not delivered yet.
    MissingDependencies {
        /// The channel.
        channel_id: Cow<'a, str>,
        /// The message that cites them.
        message_id: Cow<'a, str>,
        /// What it lacks.
        dependencies: Vec<Dependency<'a>>,
    },
    /// It is time to say something, with [`wrap_sync`](crate::Manager::wrap_sync) where there is nothing
    /// to say.
    PeriodicSync {
        /// The channels in memory that hold anything, in the order of their ids; maybe none.
        channel_ids: Vec<Cow<'a, str>>,
    },
    /// Broadcast this answer to a peer who asked.
    RepairReady {
        /// The channel.
        channel_id: Cow<'a, str>,
        /// The message that was asked for.
        message_id: Cow<'a, str>,
        /// What to broadcast.
        payload: Cow<'a, [u8]>,
    },
    /// Broadcast this own message again: nobody acknowledged it.
    ResendReady {
        /// The channel.
        channel_id: Cow<'a, str>,
        /// The message.
        message_id: Cow<'a, str>,
        /// What to broadcast.
        payload: Cow<'a, [u8]>,
        /// How often it was sent again, this time included.
        attempts: u32,
    },
    /// An own message was given up: nobody acknowledged it.
    DeliveryFailed {
        /// The channel.
        channel_id: Cow<'a, str>,
        /// The message.
        message_id: Cow<'a, str>,
        /// How often it was sent again.
        attempts: u32,
    },
    /// A message was delivered without others that never came; its `MessageReady` follows.
    DependenciesLost {
        /// The channel.
        channel_id: Cow<'a, str>,
        /// The message.
        message_id: Cow<'a, str>,
        /// What it lacked.
        dependencies: Vec<Dependency<'a>>,
    },
}

impl<'a> Event<'a> {
    /// Reads what a handler was given; `None` for a type of a later version, which hosts ignore.
    ///
    /// # Safety
    ///
    /// `event` is an event of the library's, valid for `'a`.
    pub(crate) unsafe fn read(event: &'a sys::SdsEvent) -> Option<Self> {
        // SAFETY: all that an event points to is valid as long as the event.
        let (channel_id, message_id, bytes, dependencies) = unsafe {
            (
                id_of(event.channelId),
                id_of(event.messageId),
                Cow::Borrowed(slice_of(event.message, event.messageLen)),
                dependencies_of(event.deps, event.depCount),
            )
        };
        let attempts = event.attempts;
        Some(match i32::try_from(event.r#type).ok()? {
            sys::SDS_EVENT_MESSAGE_READY => Event::MessageReady { channel_id, message_id, content: bytes },
            sys::SDS_EVENT_MESSAGE_SENT => Event::MessageSent { channel_id, message_id },
            sys::SDS_EVENT_MISSING_DEPENDENCIES => {
                Event::MissingDependencies { channel_id, message_id, dependencies }
            }
            sys::SDS_EVENT_PERIODIC_SYNC => Event::PeriodicSync {
                // SAFETY: as above.
                channel_ids: unsafe { ids_of(event.channelIds, event.channelCount) },
            },
            sys::SDS_EVENT_REPAIR_READY => Event::RepairReady { channel_id, message_id, payload: bytes },
            sys::SDS_EVENT_RESEND_READY => {
                Event::ResendReady { channel_id, message_id, payload: bytes, attempts }
            }
            sys::SDS_EVENT_DELIVERY_FAILED => Event::DeliveryFailed { channel_id, message_id, attempts },
            sys::SDS_EVENT_DEPENDENCIES_LOST => {
                Event::DependenciesLost { channel_id, message_id, dependencies }
            }
            _ => return None,
        })
    }

    /// The same event with memory of its own, to keep or to send to another thread.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Event::MessageReady { channel_id, message_id, content } => Event::MessageReady {
                channel_id: own(channel_id),
                message_id: own(message_id),
                content: own(content),
            },
            Event::MessageSent { channel_id, message_id } => {
                Event::MessageSent { channel_id: own(channel_id), message_id: own(message_id) }
            }
            Event::MissingDependencies { channel_id, message_id, dependencies } => {
                Event::MissingDependencies {
                    channel_id: own(channel_id),
                    message_id: own(message_id),
                    dependencies: own_all(dependencies),
                }
            }
            Event::PeriodicSync { channel_ids } => {
                Event::PeriodicSync { channel_ids: channel_ids.into_iter().map(own).collect() }
            }
            Event::RepairReady { channel_id, message_id, payload } => Event::RepairReady {
                channel_id: own(channel_id),
                message_id: own(message_id),
                payload: own(payload),
            },
            Event::ResendReady { channel_id, message_id, payload, attempts } => Event::ResendReady {
                channel_id: own(channel_id),
                message_id: own(message_id),
                payload: own(payload),
                attempts,
            },
            Event::DeliveryFailed { channel_id, message_id, attempts } => {
                Event::DeliveryFailed { channel_id: own(channel_id), message_id: own(message_id), attempts }
            }
            Event::DependenciesLost { channel_id, message_id, dependencies } => Event::DependenciesLost {
                channel_id: own(channel_id),
                message_id: own(message_id),
                dependencies: own_all(dependencies),
            },
        }
    }
}

fn own<T: ToOwned + ?Sized + 'static>(value: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(value.into_owned())
}

fn own_all(dependencies: Vec<Dependency<'_>>) -> Vec<Dependency<'static>> {
    dependencies.into_iter().map(Dependency::into_owned).collect()
}

/// # Safety
///
/// As for `slice_of`, with all that the dependencies point to.
pub(crate) unsafe fn dependencies_of<'a>(
    first: *const sys::SdsDependency,
    count: usize,
) -> Vec<Dependency<'a>> {
    // SAFETY: the caller's promise.
    let dependencies = unsafe { slice_of(first, count) };
    let read = |dependency: &sys::SdsDependency| Dependency {
        // SAFETY: the caller's promise.
        message_id: unsafe { id_of(dependency.messageId) },
        // SAFETY: the caller's promise.
        sender_id: unsafe { id_of(dependency.senderId) },
        // SAFETY: the caller's promise.
        hint: Cow::Borrowed(unsafe { slice_of(dependency.hint, dependency.hintLen) }),
    };
    dependencies.iter().map(read).collect()
}

/// # Safety
///
/// As for `slice_of`, with the C strings.
pub(crate) unsafe fn ids_of<'a>(first: *const *const std::ffi::c_char, count: usize) -> Vec<Cow<'a, str>> {
    // SAFETY: the caller's promise.
    unsafe { slice_of(first, count).iter().map(|&id| id_of(id)).collect() }
}
