"""What libsds.h declares: its structs, its types of callbacks, and a table of its functions.

This module loads nothing and calls nothing. Members and parameters bear the header's
names; the header is where they are described.
"""

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Callable, Dict, List, Tuple

#: SDS_ABI_VERSION: the number in the SONAME of a library that these declarations fit.
ABI_VERSION = 1


class SdsDependency(Structure):
    _fields_ = [
        ("messageId", c_char_p),
        ("hint", c_void_p),
        ("hintLen", c_size_t),
        ("senderId", c_char_p),
    ]


class SdsUnwrapped(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("kind", c_uint32),
        ("content", c_void_p),
        ("contentLen", c_size_t),
        ("channelId", c_char_p),
        ("messageId", c_char_p),
        ("senderId", c_char_p),
        ("lamport", c_uint64),
        ("duplicate", c_uint32),
        ("buffered", c_uint32),
        ("missing", POINTER(SdsDependency)),
        ("missingCount", c_size_t),
    ]


class SdsEvent(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("type", c_uint32),
        ("channelId", c_char_p),
        ("messageId", c_char_p),
        ("message", c_void_p),
        ("messageLen", c_size_t),
        ("deps", POINTER(SdsDependency)),
        ("depCount", c_size_t),
        ("attempts", c_uint32),
        ("channelIds", POINTER(c_char_p)),
        ("channelCount", c_size_t),
    ]


class SdsHistoryRecord(Structure):
    _fields_ = [
        ("messageId", c_char_p),
        ("lamport", c_int64),
        ("message", c_void_p),
        ("messageLen", c_size_t),
    ]



def callback(prototype: Any) -> Callable[[Callable[..., object]], Any]:
    """A decorator that makes a function one that C can call, of one of these types:"""
    return lambda function: prototype(function)


# An SdsCall* is a name for one call, not memory: it is passed as a number.

SdsCallBack = CFUNCTYPE(None, c_int, c_char_p, c_size_t, c_void_p)
SdsEventHandler = CFUNCTYPE(None, POINTER(SdsEvent), c_void_p)
# The hint goes into memory of malloc(), whose address is stored through the second parameter.
SdsRetrievalHintProvider = CFUNCTYPE(None, c_char_p, POINTER(c_void_p), POINTER(c_size_t), c_void_p)
SdsLogHandler = CFUNCTYPE(None, c_int, c_void_p, c_size_t, c_void_p)

SaveChannelMeta = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, c_size_t, c_void_p)
UpdateHistory = CFUNCTYPE(
    c_int, c_void_p, c_char_p, POINTER(SdsHistoryRecord), c_size_t, POINTER(c_char_p), c_size_t, c_void_p
)
LoadChannel = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
DropChannel = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
SetRetrievalHint = CFUNCTYPE(c_int, c_void_p, c_char_p, c_char_p, c_void_p, c_size_t, c_void_p)
Commit = CFUNCTYPE(
    c_int,
    c_void_p,
    c_char_p,
    c_void_p,
    c_size_t,
    POINTER(SdsHistoryRecord),
    c_size_t,
    POINTER(c_char_p),
    c_size_t,
    c_void_p,
)


class SdsPersistence(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("saveChannelMeta", SaveChannelMeta),
        ("updateHistory", UpdateHistory),
        ("loadChannel", LoadChannel),
        ("dropChannel", DropChannel),
        ("setRetrievalHint", SetRetrievalHint),
        ("commit", Commit),
    ]


class SdsOptions(Structure):
    _fields_ = [
        ("size", c_uint32),
        ("participantId", c_char_p),
        ("configJson", c_char_p),
        ("persistence", POINTER(SdsPersistence)),
        ("persistenceUserData", c_void_p),
        ("eventHandler", SdsEventHandler),
        ("eventUserData", c_void_p),
        ("hintProvider", SdsRetrievalHintProvider),
        ("hintUserData", c_void_p),
    ]


STRUCTS: List[Any] = [SdsDependency, SdsUnwrapped, SdsEvent, SdsHistoryRecord, SdsPersistence, SdsOptions]

# Contents and payloads are declared as c_char_p, which takes bytes as they lie, NULs included.
# Texts and bytes that are to be freed come as c_void_p: ctypes would copy a c_char_p and lose it.
_ctx = c_void_p
_id = c_char_p
_bytes = c_char_p
_text = c_char_p
_out = POINTER(c_void_p)
_error = POINTER(c_void_p)

#: Every function of the header: its name, what it returns, what it takes.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    # Versions, statuses, memory
    "SdsVersion": (c_char_p, []),
    "SdsAbiVersion": (c_uint32, []),
    "SdsStatusString": (c_char_p, [c_int]),
    "SdsFree": (None, [c_void_p]),
    # Contexts
    "SdsOpen": (c_int, [POINTER(SdsOptions), _out, _error]),
    "SdsClose": (c_int, [_ctx]),
    "SdsSetEventHandler": (c_int, [_ctx, SdsEventHandler, c_void_p]),
    # Messages
    "SdsWrap": (c_int, [_ctx, _id, _id, _bytes, c_size_t, _out, POINTER(c_size_t), _error]),
    "SdsWrapSync": (c_int, [_ctx, _id, _out, POINTER(c_size_t), _error]),
    "SdsWrapEphemeral": (c_int, [_ctx, _id, _id, _bytes, c_size_t, _out, POINTER(c_size_t), _error]),
    "SdsUnwrap": (c_int, [_ctx, _bytes, c_size_t, POINTER(POINTER(SdsUnwrapped)), _error]),
    "SdsMarkMet": (c_int, [_ctx, _id, POINTER(c_char_p), c_size_t, _error]),
    # Channels
    "SdsEnsureChannel": (c_int, [_ctx, _id, _error]),
    "SdsDropChannel": (c_int, [_ctx, _id, _error]),
    "SdsReset": (c_int, [_ctx, _error]),
    # Time
    "SdsStart": (c_int, [_ctx, _error]),
    "SdsTick": (c_int, [_ctx, c_int64, POINTER(c_int64), _error]),
    # Insight
    "SdsChannels": (c_int, [_ctx, _out, _error]),
    "SdsInspect": (c_int, [_ctx, _id, _out, _error]),
    "SdsStats": (c_int, [_ctx, _out, _error]),
    "SdsSetLogHandler": (c_int, [SdsLogHandler, c_int, c_void_p]),
    # What persistence procedures may call
    "SdsLoadMeta": (None, [c_void_p, _bytes, c_size_t]),
    "SdsLoadMessage": (None, [c_void_p, _bytes, c_size_t]),
    "SdsLoadHint": (None, [c_void_p, _id, _bytes, c_size_t]),
    "SdsFail": (None, [c_void_p, _text]),
    "SdsSetPersistence": (c_int, [_ctx, POINTER(SdsPersistence), c_void_p, _error]),
    # The API of the replaced library, which this package does not use
    "SdsNewReliabilityManager": (c_void_p, [SdsCallBack, c_void_p]),
    "SdsNewReliabilityManagerWithConfig": (c_void_p, [_id, _text, SdsCallBack, c_void_p]),
    "SdsSetEventCallback": (None, [_ctx, SdsCallBack, c_void_p]),
    "SdsSetRetrievalHintProvider": (None, [_ctx, SdsRetrievalHintProvider, c_void_p]),
    "SdsCleanupReliabilityManager": (c_int, [_ctx, SdsCallBack, c_void_p]),
    "SdsResetReliabilityManager": (c_int, [_ctx, SdsCallBack, c_void_p]),
    "SdsWrapOutgoingMessage": (c_int, [_ctx, _bytes, c_size_t, _id, _id, SdsCallBack, c_void_p]),
    "SdsUnwrapReceivedMessage": (c_int, [_ctx, _bytes, c_size_t, SdsCallBack, c_void_p]),
    "SdsMarkDependenciesMet": (c_int, [_ctx, POINTER(c_char_p), c_size_t, _id, SdsCallBack, c_void_p]),
    "SdsStartPeriodicTasks": (c_int, [_ctx, SdsCallBack, c_void_p]),
    "SdsRemoveChannel": (c_int, [_ctx, _id, SdsCallBack, c_void_p]),
}
