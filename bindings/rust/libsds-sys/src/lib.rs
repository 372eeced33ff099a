//! `include/libsds.h` of libsds, one to one, under the names that it has there. The header is the
//! documentation of all of this: of meaning, threads, memory and errors. Hosts use the crate `libsds`.

#![no_std]
#![allow(non_camel_case_types, non_snake_case)]
// Members and parameters are documented in the header, whose comments would only be repeated.
#![allow(missing_docs)]

use core::ffi::{c_char, c_int, c_void};
use core::marker::{PhantomData, PhantomPinned};

/// The version of the ABI that is declared here: the number in the SONAME.
pub const SDS_ABI_VERSION: u32 = 1;

/// A C enumeration: an `int`, which may have values that are not listed here.
pub type SdsStatus = c_int;
pub const SDS_OK: SdsStatus = 0;
pub const SDS_ERR: SdsStatus = 1;
pub const SDS_ERR_MISSING_CALLBACK: SdsStatus = 2;
pub const SDS_ERR_INVALID_ARGUMENT: SdsStatus = 10;
pub const SDS_ERR_OUT_OF_MEMORY: SdsStatus = 11;
pub const SDS_ERR_INTERNAL: SdsStatus = 12;
pub const SDS_ERR_SERIALIZATION: SdsStatus = 13;
pub const SDS_ERR_DESERIALIZATION: SdsStatus = 14;
pub const SDS_ERR_MESSAGE_TOO_LARGE: SdsStatus = 15;
pub const SDS_ERR_PERSISTENCE: SdsStatus = 16;
pub const SDS_ERR_LIMIT_EXCEEDED: SdsStatus = 17;
pub const SDS_ERR_INVALID_CONTEXT: SdsStatus = 20;
pub const SDS_ERR_FORKED: SdsStatus = 21;

/// A C enumeration: an `int`, which may have values that are not listed here.
pub type SdsKind = c_int;
pub const SDS_KIND_CONTENT: SdsKind = 1;
pub const SDS_KIND_SYNC: SdsKind = 2;
pub const SDS_KIND_EPHEMERAL: SdsKind = 3;

/// A C enumeration: an `int`, which may have values that are not listed here.
pub type SdsEventType = c_int;
pub const SDS_EVENT_MESSAGE_READY: SdsEventType = 1;
pub const SDS_EVENT_MESSAGE_SENT: SdsEventType = 2;
pub const SDS_EVENT_MISSING_DEPENDENCIES: SdsEventType = 3;
pub const SDS_EVENT_PERIODIC_SYNC: SdsEventType = 4;
pub const SDS_EVENT_REPAIR_READY: SdsEventType = 5;
pub const SDS_EVENT_RESEND_READY: SdsEventType = 6;
pub const SDS_EVENT_DELIVERY_FAILED: SdsEventType = 7;
pub const SDS_EVENT_DEPENDENCIES_LOST: SdsEventType = 8;

pub const RET_OK: c_int = 0;
pub const RET_ERR: c_int = 1;
pub const RET_MISSING_CALLBACK: c_int = 2;

/// One call of a persistence procedure. It names the call and is not memory to look into.
#[repr(C)]
pub struct SdsCall {
    _opaque: [u8; 0],
    _neither_send_nor_sync: PhantomData<(*mut u8, PhantomPinned)>,
}

/// Receives the events of a context.
pub type SdsEventHandler = Option<unsafe extern "C" fn(event: *const SdsEvent, userData: *mut c_void)>;
/// Tells where a message can be fetched.
pub type SdsRetrievalHintProvider = Option<
    unsafe extern "C" fn(
        messageId: *const c_char,
        hint: *mut *mut c_char,
        hintLen: *mut usize,
        userData: *mut c_void,
    ),
>;
/// Receives a line of the log.
pub type SdsLogHandler =
    Option<unsafe extern "C" fn(level: c_int, line: *const c_char, len: usize, userData: *mut c_void)>;
/// Receives the outcome of a call of the replaced API, or an event.
pub type SdsCallBack =
    Option<unsafe extern "C" fn(callerRet: c_int, msg: *const c_char, len: usize, userData: *mut c_void)>;

/// A message that another one cites.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SdsDependency {
    pub messageId: *const c_char,
    pub hint: *const u8,
    pub hintLen: usize,
    pub senderId: *const c_char,
}

/// A received message, in one block that [`SdsFree`] frees.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SdsUnwrapped {
    pub size: u32,
    pub kind: u32,
    pub content: *const u8,
    pub contentLen: usize,
    pub channelId: *const c_char,
    pub messageId: *const c_char,
    pub senderId: *const c_char,
    pub lamport: u64,
    pub duplicate: u32,
    pub buffered: u32,
    pub missing: *const SdsDependency,
    pub missingCount: usize,
}

/// Something that a channel announces.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SdsEvent {
    pub size: u32,
    pub r#type: u32,
    pub channelId: *const c_char,
    pub messageId: *const c_char,
    pub message: *const u8,
    pub messageLen: usize,
    pub deps: *const SdsDependency,
    pub depCount: usize,
    pub attempts: u32,
    pub channelIds: *const *const c_char,
    pub channelCount: usize,
}

/// A message that joins the log.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SdsHistoryRecord {
    pub messageId: *const c_char,
    pub lamport: i64,
    pub message: *const u8,
    pub messageLen: usize,
}

/// The procedures through which a host keeps channels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SdsPersistence {
    pub size: u32,
    pub saveChannelMeta: Option<
        unsafe extern "C" fn(
            call: *mut SdsCall,
            channelId: *const c_char,
            meta: *const u8,
            metaLen: usize,
            userData: *mut c_void,
        ) -> c_int,
    >,
    pub updateHistory: Option<
        unsafe extern "C" fn(
            call: *mut SdsCall,
            channelId: *const c_char,
            append: *const SdsHistoryRecord,
            appendCount: usize,
            evict: *const *const c_char,
            evictCount: usize,
            userData: *mut c_void,
        ) -> c_int,
    >,
    pub loadChannel: Option<
        unsafe extern "C" fn(call: *mut SdsCall, channelId: *const c_char, userData: *mut c_void) -> c_int,
    >,
    pub dropChannel: Option<
        unsafe extern "C" fn(call: *mut SdsCall, channelId: *const c_char, userData: *mut c_void) -> c_int,
    >,
    pub setRetrievalHint: Option<
        unsafe extern "C" fn(
            call: *mut SdsCall,
            channelId: *const c_char,
            messageId: *const c_char,
            hint: *const u8,
            hintLen: usize,
            userData: *mut c_void,
        ) -> c_int,
    >,
    pub commit: Option<
        unsafe extern "C" fn(
            call: *mut SdsCall,
            channelId: *const c_char,
            meta: *const u8,
            metaLen: usize,
            append: *const SdsHistoryRecord,
            appendCount: usize,
            evict: *const *const c_char,
            evictCount: usize,
            userData: *mut c_void,
        ) -> c_int,
    >,
}

/// What a context is made of.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SdsOptions {
    pub size: u32,
    pub participantId: *const c_char,
    pub configJson: *const c_char,
    pub persistence: *const SdsPersistence,
    pub persistenceUserData: *mut c_void,
    pub eventHandler: SdsEventHandler,
    pub eventUserData: *mut c_void,
    pub hintProvider: SdsRetrievalHintProvider,
    pub hintUserData: *mut c_void,
}

extern "C" {
    pub fn SdsVersion() -> *const c_char;
    pub fn SdsAbiVersion() -> u32;
    pub fn SdsStatusString(status: c_int) -> *const c_char;
    pub fn SdsFree(p: *mut c_void);
    pub fn SdsOpen(options: *const SdsOptions, ctx: *mut *mut c_void, error: *mut *mut c_char) -> c_int;
    pub fn SdsClose(ctx: *mut c_void) -> c_int;
    pub fn SdsSetEventHandler(ctx: *mut c_void, handler: SdsEventHandler, userData: *mut c_void) -> c_int;
    pub fn SdsWrap(
        ctx: *mut c_void,
        channelId: *const c_char,
        messageId: *const c_char,
        content: *const c_void,
        contentLen: usize,
        message: *mut *mut u8,
        messageLen: *mut usize,
        error: *mut *mut c_char,
    ) -> c_int;
    pub fn SdsWrapSync(
        ctx: *mut c_void,
        channelId: *const c_char,
        message: *mut *mut u8,
        messageLen: *mut usize,
        error: *mut *mut c_char,
    ) -> c_int;
    pub fn SdsWrapEphemeral(
        ctx: *mut c_void,
        channelId: *const c_char,
        messageId: *const c_char,
        content: *const c_void,
        contentLen: usize,
        message: *mut *mut u8,
        messageLen: *mut usize,
        error: *mut *mut c_char,
    ) -> c_int;
    pub fn SdsUnwrap(
        ctx: *mut c_void,
        message: *const c_void,
        messageLen: usize,
        result: *mut *mut SdsUnwrapped,
        error: *mut *mut c_char,
    ) -> c_int;
    pub fn SdsMarkMet(
        ctx: *mut c_void,
        channelId: *const c_char,
        messageIds: *const *const c_char,
        count: usize,
        error: *mut *mut c_char,
    ) -> c_int;
    pub fn SdsEnsureChannel(ctx: *mut c_void, channelId: *const c_char, error: *mut *mut c_char) -> c_int;
    pub fn SdsDropChannel(ctx: *mut c_void, channelId: *const c_char, error: *mut *mut c_char) -> c_int;
    pub fn SdsReset(ctx: *mut c_void, error: *mut *mut c_char) -> c_int;
    pub fn SdsStart(ctx: *mut c_void, error: *mut *mut c_char) -> c_int;
    pub fn SdsTick(ctx: *mut c_void, nowUnixMs: i64, nextUnixMs: *mut i64, error: *mut *mut c_char) -> c_int;
    pub fn SdsChannels(ctx: *mut c_void, json: *mut *mut c_char, error: *mut *mut c_char) -> c_int;
    pub fn SdsInspect(
        ctx: *mut c_void,
        channelId: *const c_char,
        json: *mut *mut c_char,
        error: *mut *mut c_char,
    ) -> c_int;
    pub fn SdsStats(ctx: *mut c_void, json: *mut *mut c_char, error: *mut *mut c_char) -> c_int;
    pub fn SdsSetLogHandler(handler: SdsLogHandler, level: c_int, userData: *mut c_void) -> c_int;
    pub fn SdsLoadMeta(call: *mut SdsCall, meta: *const u8, metaLen: usize);
    pub fn SdsLoadMessage(call: *mut SdsCall, message: *const u8, messageLen: usize);
    pub fn SdsLoadHint(call: *mut SdsCall, messageId: *const c_char, hint: *const u8, hintLen: usize);
    pub fn SdsFail(call: *mut SdsCall, reason: *const c_char);
    pub fn SdsSetPersistence(
        ctx: *mut c_void,
        persistence: *const SdsPersistence,
        userData: *mut c_void,
        error: *mut *mut c_char,
    ) -> c_int;
    pub fn SdsNewReliabilityManager(callback: SdsCallBack, userData: *mut c_void) -> *mut c_void;
    pub fn SdsNewReliabilityManagerWithConfig(
        participantId: *const c_char,
        configJson: *const c_char,
        callback: SdsCallBack,
        userData: *mut c_void,
    ) -> *mut c_void;
    pub fn SdsSetEventCallback(ctx: *mut c_void, callback: SdsCallBack, userData: *mut c_void);
    pub fn SdsSetRetrievalHintProvider(
        ctx: *mut c_void,
        callback: SdsRetrievalHintProvider,
        userData: *mut c_void,
    );
    pub fn SdsCleanupReliabilityManager(
        ctx: *mut c_void,
        callback: SdsCallBack,
        userData: *mut c_void,
    ) -> c_int;
    pub fn SdsResetReliabilityManager(
        ctx: *mut c_void,
        callback: SdsCallBack,
        userData: *mut c_void,
    ) -> c_int;
    pub fn SdsWrapOutgoingMessage(
        ctx: *mut c_void,
        message: *mut c_void,
        messageLen: usize,
        messageId: *const c_char,
        channelId: *const c_char,
        callback: SdsCallBack,
        userData: *mut c_void,
    ) -> c_int;
    pub fn SdsUnwrapReceivedMessage(
        ctx: *mut c_void,
        message: *mut c_void,
        messageLen: usize,
        callback: SdsCallBack,
        userData: *mut c_void,
    ) -> c_int;
    pub fn SdsMarkDependenciesMet(
        ctx: *mut c_void,
        messageIDs: *mut *mut c_char,
        count: usize,
        channelId: *const c_char,
        callback: SdsCallBack,
        userData: *mut c_void,
    ) -> c_int;
    pub fn SdsStartPeriodicTasks(ctx: *mut c_void, callback: SdsCallBack, userData: *mut c_void) -> c_int;
    pub fn SdsRemoveChannel(
        ctx: *mut c_void,
        channelId: *const c_char,
        callback: SdsCallBack,
        userData: *mut c_void,
    ) -> c_int;
}
