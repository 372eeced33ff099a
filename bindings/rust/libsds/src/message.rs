use std::borrow::Cow;
use std::ffi::c_void;
use std::fmt;
use std::ops::Deref;

use libsds_sys as sys;

use crate::event::{dependencies_of, Dependency};
use crate::text::{id_of, slice_of};

/// Memory that the library gave, to be freed once.
struct Block(*mut c_void);

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is the host's, is freed only here, and may be NULL.
        unsafe { sys::SdsFree(self.0) }
    }
}

/// What to broadcast. It lies in the memory that the library gave, and derefs to its bytes; `to_vec`
/// copies them. It outlives its manager and can be dropped on any thread.
pub struct Payload {
    block: Block,
    len: usize,
}

// SAFETY: nobody else has the block, it does not change, and any thread may free it.
unsafe impl Send for Payload {}
// SAFETY: as above.
unsafe impl Sync for Payload {}

impl Payload {
    /// # Safety
    ///
    /// `data` and `len` are what a function gave as a payload, or NULL and 0.
    pub(crate) unsafe fn from_raw(data: *mut u8, len: usize) -> Self {
        Payload { block: Block(data.cast()), len }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the block has these bytes, and lives as long as `self`.
        unsafe { slice_of(self.block.0.cast(), self.len) }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len)
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// It has a content, and is delivered in causal order.
    Content,
    /// It has none: it tells and asks what a message would, and is not delivered.
    Sync,
    /// It is delivered at once or lost, and leaves no trace.
    Ephemeral,
    /// One of a later version of the library.
    Other,
}

/// A received message. Content and ids lie in the one block of memory that the library gave; nothing
/// is copied. It outlives its manager and can be dropped on any thread.
///
/// The content is here at once, even when the message has to wait; what is delivered, and in which
/// order, the [events](crate::Event) say.
pub struct Unwrapped {
    // These lie in the block, but for ids with a NUL in them.
    content: &'static [u8],
    channel_id: Cow<'static, str>,
    message_id: Cow<'static, str>,
    sender_id: Cow<'static, str>,
    missing: Vec<Dependency<'static>>,
    kind: Kind,
    lamport: u64,
    duplicate: bool,
    buffered: bool,
    _block: Block,
}

// SAFETY: nobody else has the block, it does not change, and any thread may free it.
unsafe impl Send for Unwrapped {}
// SAFETY: as above.
unsafe impl Sync for Unwrapped {}

impl Unwrapped {
    /// # Safety
    ///
    /// `result` is what `SdsUnwrap` gave, and nobody else's.
    pub(crate) unsafe fn from_raw(result: *mut sys::SdsUnwrapped) -> Self {
        let block = Block(result.cast());
        // SAFETY: the caller's promise.
        let result = unsafe { &*result };
        // SAFETY: what it points to is in the block, which does not move. `'static` is a lie that the
        // methods do not repeat: they lend for as long as `self` is borrowed.
        unsafe {
            Unwrapped {
                content: slice_of(result.content, result.contentLen),
                channel_id: id_of(result.channelId),
                message_id: id_of(result.messageId),
                sender_id: id_of(result.senderId),
                missing: dependencies_of(result.missing, result.missingCount),
                kind: match i32::try_from(result.kind) {
                    Ok(sys::SDS_KIND_CONTENT) => Kind::Content,
                    Ok(sys::SDS_KIND_SYNC) => Kind::Sync,
                    Ok(sys::SDS_KIND_EPHEMERAL) => Kind::Ephemeral,
                    _ => Kind::Other,
                },
                lamport: result.lamport,
                duplicate: result.duplicate != 0,
                buffered: result.buffered != 0,
                _block: block,
            }
        }
    }

    /// What the message is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The content; empty for a sync message.
    pub fn content(&self) -> &[u8] {
        self.content
    }

    /// The channel.
    pub fn channel_id(&self) -> &str {
        &self.channel_id
    }

    /// The message.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// Who sent it; empty when not named.
    pub fn sender_id(&self) -> &str {
        &self.sender_id
    }

    /// Its logical time, in the unit of its sender; 0 for an ephemeral message.
    pub fn lamport(&self) -> u64 {
        self.lamport
    }

    /// Whether it was delivered before.
    pub fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    /// Whether it waits for what is [missing](Unwrapped::missing).
    /// [`MessageReady`](crate::Event::MessageReady) comes when it is delivered.
    pub fn is_buffered(&self) -> bool {
        self.buffered
    }

    /// What it cites that was not delivered yet.
    pub fn missing(&self) -> &[Dependency<'_>] {
        &self.missing
    }
}

impl fmt::Debug for Unwrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unwrapped")
            .field("kind", &self.kind)
            .field("channel_id", &self.channel_id)
            .field("message_id", &self.message_id)
            .field("sender_id", &self.sender_id)
            .field("lamport", &self.lamport)
            .field("duplicate", &self.duplicate)
            .field("buffered", &self.buffered)
            .field("missing", &self.missing)
            .field("content_len", &self.content.len())
            .finish()
    }
}
