"""The configuration of a manager."""

import dataclasses
import json
import math
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Union

from .errors import InvalidArgument

__all__ = ["Config"]


@dataclass(frozen=True)
class Config:
    """The keys of the library's configuration. None takes the default of the library, which
    is in parentheses here; values are checked by it when a manager is made.

    A manager without a Config takes the environment variable SDS_CONFIG, if set; one with
    `Config()` takes the defaults.
    """

    #: Ids that the filter in each message covers (10000).
    bloom_filter_capacity: Optional[int] = None
    #: Its share of false positives when full (0.001).
    bloom_filter_error_rate: Optional[float] = None
    #: Messages that the log of a channel keeps (1000).
    max_message_history: Optional[int] = None
    #: Messages that each message cites (10).
    max_causal_history: Optional[int] = None
    #: Unacknowledged for so many milliseconds: sent again (60000).
    resend_interval_ms: Optional[int] = None
    #: And given up after so many times (5).
    max_resend_attempts: Optional[int] = None
    #: Milliseconds between PeriodicSync events (30000).
    sync_message_interval_ms: Optional[int] = None
    #: Milliseconds between looks for what to resend or give up (60000).
    buffer_sweep_interval_ms: Optional[int] = None
    #: Least delay before asking for repair, in milliseconds (30000).
    repair_t_min_ms: Optional[int] = None
    #: Greatest delay before asking for repair, in milliseconds (300000).
    repair_t_max_ms: Optional[int] = None
    #: Groups that share the work of answering (1).
    num_response_groups: Optional[int] = None
    #: Repairs that one message asks for (3).
    max_repair_requests: Optional[int] = None
    #: Milliseconds between looks for what to answer (5000).
    repair_sweep_interval_ms: Optional[int] = None
    #: What is written: "sds-0.2", "sds-0.3", "sds-0.4" or "lip-109" ("sds-0.4"); all are read.
    wire_format: Optional[str] = None
    #: What is written in single channels, by their ids: {"lobby": "lip-109"} ({}).
    channel_wire_formats: Optional[Mapping[str, str]] = None
    #: "seconds", "milliseconds", or "auto": by the format that a channel writes ("auto").
    lamport_unit: Optional[str] = None
    #: A filter with fewer false positives acknowledges alone (1e-6).
    ack_confidence: Optional[float] = None
    #: And otherwise so many do together (2).
    possible_ack_threshold: Optional[int] = None
    #: How many milliseconds a message waits for others; 0: for ever (600000).
    missing_dependency_timeout_ms: Optional[int] = None
    #: How many milliseconds a peer can move the clock ahead (86400000).
    max_lamport_drift_ms: Optional[int] = None
    #: A file that keeps the channels, made if missing; "" keeps nothing ("").
    store_path: Optional[Union[str, "os.PathLike[str]"]] = None
    #: "full": an operation is committed by itself; "batch": those at the same time together ("full").
    store_sync: Optional[str] = None
    #: Bytes of the content of a message (1048576).
    max_content_bytes: Optional[int] = None
    #: Bytes of a received payload (8388608).
    max_wire_bytes: Optional[int] = None
    #: Entries of a received causal history, or of its repair requests (4096).
    max_history_entries: Optional[int] = None
    #: Bytes of an id, in UTF-8 (1024); at most 32752 with store_path.
    max_id_bytes: Optional[int] = None
    #: Channels of a manager; 0: no bound, not even for strangers (0).
    max_channels: Optional[int] = None
    #: Whether a received message may create its channel (True).
    accept_unknown_channels: Optional[bool] = None
    #: Messages per channel that wait for others (10000).
    max_incoming_messages: Optional[int] = None
    #: And their bytes; past either, the oldest waits no longer (67108864).
    max_incoming_bytes: Optional[int] = None
    #: Unacknowledged messages per channel (10000).
    max_outgoing_messages: Optional[int] = None
    #: Entries of each repair buffer (1000).
    max_repair_entries: Optional[int] = None

    def to_json(self) -> str:
        """Writes the keys that are set as the library reads them."""
        keys: Dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):  # JSON has no word for it
                raise InvalidArgument(f"{field.name} takes a finite number, not {value}")
            if value is not None:
                keys[_key(field.name)] = value
        if "storePath" in keys:
            keys["storePath"] = os.fspath(keys["storePath"])
        if "channelWireFormats" in keys:
            keys["channelWireFormats"] = dict(keys["channelWireFormats"])
        return json.dumps(keys, ensure_ascii=False)


def _key(name: str) -> str:
    """store_path -> storePath"""
    return re.sub("_(.)", lambda match: match.group(1).upper(), name)
