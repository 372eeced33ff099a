use std::fmt;
use std::path::Path;
use std::time::Duration;

/// How a participant works. Every key is optional; the library checks the values when the manager is
/// opened, and its [error](crate::Error) names the key, what was given and what it takes.
///
/// ```
/// use std::time::Duration;
///
/// let config = libsds::Config::new()
///     .max_message_history(500)
///     .resend_interval(Duration::from_secs(20));
/// assert_eq!(config.to_string(), r#"{"maxMessageHistory":500,"resendIntervalMs":20000}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Keys, each once, with the JSON of their values. Bytes, because a path may not be UTF-8: the
    /// library says so then.
    members: Vec<(&'static str, Vec<u8>)>,
}

/// What is written; every format is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireFormat {
    /// `"sds-0.2"`
    Sds02,
    /// `"sds-0.3"`, while there are peers of nim-sds 0.3.0 to mid-2026.
    Sds03,
    /// `"sds-0.4"`, the default.
    Sds04,
    /// `"lip-109"`
    Lip109,
}

impl WireFormat {
    fn word(self) -> &'static str {
        match self {
            WireFormat::Sds02 => "sds-0.2",
            WireFormat::Sds03 => "sds-0.3",
            WireFormat::Sds04 => "sds-0.4",
            WireFormat::Lip109 => "lip-109",
        }
    }
}

/// The unit of logical times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LamportUnit {
    /// That of the wire format; the default.
    Auto,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// When what happened is put on disk, with a store or with [persistence](crate::Persistence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreSync {
    /// Each operation is committed by itself; the default.
    Full,
    /// Operations that run at the same time share a commit.
    Batch,
}

/// A method for each key that takes a whole number.
macro_rules! whole_numbers {
    ($($(#[$doc:meta])* $name:ident($type:ty) = $key:literal;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(self, $name: $type) -> Self {
            self.with($key, $name.to_string())
        })*
    };
}

/// A method for each key that takes milliseconds. Parts of one are rounded up: no time is not short.
macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident = $key:literal;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(self, $name: Duration) -> Self {
            self.with($key, (($name.as_nanos() + 999_999) / 1_000_000).to_string())
        })*
    };
}

impl Config {
    /// The defaults, whatever the environment variable `SDS_CONFIG` says.
    pub fn new() -> Self {
        Self::default()
    }

    whole_numbers! {
        /// How many ids the filter in each message covers: 10000.
        bloom_filter_capacity(u32) = "bloomFilterCapacity";
        /// How many messages the log of a channel keeps: 1000.
        max_message_history(u32) = "maxMessageHistory";
        /// How many messages each message cites: 10.
        max_causal_history(u32) = "maxCausalHistory";
        /// How often an unacknowledged message is sent again before it is given up: 5.
        max_resend_attempts(u32) = "maxResendAttempts";
        /// Groups of participants that share the work of answering: 1.
        num_response_groups(u32) = "numResponseGroups";
        /// How many repairs one message asks for: 3.
        max_repair_requests(u32) = "maxRepairRequests";
        /// How many filters acknowledge together where none does alone: 2.
        possible_ack_threshold(u32) = "possibleAckThreshold";
        /// The content of a message, in bytes: 1 MiB.
        max_content_bytes(u32) = "maxContentBytes";
        /// A received payload, in bytes: 8 MiB.
        max_wire_bytes(u32) = "maxWireBytes";
        /// Entries of a received causal history, or of its repair requests: 4096.
        max_history_entries(u32) = "maxHistoryEntries";
        /// An id, in bytes: 1024; at most 32752 with a store.
        max_id_bytes(u32) = "maxIdBytes";
        /// Channels of a manager; 0, the default, is no bound, not even for strangers.
        max_channels(u32) = "maxChannels";
        /// Messages per channel that wait for others: 10000. Past it, the oldest waits no longer.
        max_incoming_messages(u32) = "maxIncomingMessages";
        /// Their size in bytes: 64 MiB. Past it, the oldest waits no longer.
        max_incoming_bytes(u32) = "maxIncomingBytes";
        /// Unacknowledged messages per channel: 10000.
        max_outgoing_messages(u32) = "maxOutgoingMessages";
        /// Entries of each repair buffer of a channel: 1000.
        max_repair_entries(u32) = "maxRepairEntries";
    }

    durations! {
        /// Unacknowledged for so long, a message is sent again: 60 s.
        resend_interval = "resendIntervalMs";
        /// Between [`PeriodicSync`](crate::Event::PeriodicSync) events: 30 s.
        sync_message_interval = "syncMessageIntervalMs";
        /// Between looks for what to send again or give up: 60 s.
        buffer_sweep_interval = "bufferSweepIntervalMs";
        /// The shortest delay before asking for a repair: 30 s.
        repair_t_min = "repairTMinMs";
        /// The longest delay before asking for a repair: 300 s.
        repair_t_max = "repairTMaxMs";
        /// Between looks for what to answer: 5 s.
        repair_sweep_interval = "repairSweepIntervalMs";
        /// How long a message waits for others: 600 s; zero is for ever.
        missing_dependency_timeout = "missingDependencyTimeoutMs";
        /// How far a peer can move the clock ahead: 24 h.
        max_lamport_drift = "maxLamportDriftMs";
    }

    /// The filter's share of false positives when it is full: 0.001.
    #[must_use]
    pub fn bloom_filter_error_rate(self, rate: f64) -> Self {
        self.with("bloomFilterErrorRate", number(rate))
    }

    /// A filter with fewer false positives acknowledges alone: 1e-6.
    #[must_use]
    pub fn ack_confidence(self, confidence: f64) -> Self {
        self.with("ackConfidence", number(confidence))
    }

    /// Whether a received message may create its channel: true.
    #[must_use]
    pub fn accept_unknown_channels(self, accept: bool) -> Self {
        self.with("acceptUnknownChannels", accept.to_string())
    }

    /// What is written.
    #[must_use]
    pub fn wire_format(self, format: WireFormat) -> Self {
        self.with("wireFormat", quoted(format.word().as_bytes()))
    }

    /// What is written in single channels, by their ids.
    #[must_use]
    pub fn channel_wire_formats<Id: AsRef<str>>(
        self,
        formats: impl IntoIterator<Item = (Id, WireFormat)>,
    ) -> Self {
        let mut object = vec![b'{'];
        for (channel, format) in formats {
            if object.len() > 1 {
                object.push(b',');
            }
            object.extend(quoted(channel.as_ref().as_bytes()));
            object.push(b':');
            object.extend(quoted(format.word().as_bytes()));
        }
        object.push(b'}');
        self.with("channelWireFormats", object)
    }

    /// The unit of logical times.
    #[must_use]
    pub fn lamport_unit(self, unit: LamportUnit) -> Self {
        let word = match unit {
            LamportUnit::Auto => "auto",
            LamportUnit::Seconds => "seconds",
            LamportUnit::Milliseconds => "milliseconds",
        };
        self.with("lamportUnit", quoted(word.as_bytes()))
    }

    /// A file that keeps the channels, made if it is missing. It serves one manager at a time.
    #[must_use]
    pub fn store_path(self, path: impl AsRef<Path>) -> Self {
        #[cfg(unix)]
        let path = std::os::unix::ffi::OsStrExt::as_bytes(path.as_ref().as_os_str()).to_vec();
        #[cfg(not(unix))]
        let path = path.as_ref().to_string_lossy().into_owned().into_bytes();
        self.with("storePath", quoted(&path))
    }

    /// When what happened is put on disk.
    #[must_use]
    pub fn store_sync(self, sync: StoreSync) -> Self {
        let word = match sync {
            StoreSync::Full => "full",
            StoreSync::Batch => "batch",
        };
        self.with("storeSync", quoted(word.as_bytes()))
    }

    /// Sets a key, in place of an earlier value.
    fn with(mut self, key: &'static str, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        match self.members.iter_mut().find(|member| member.0 == key) {
            Some(member) => member.1 = value,
            None => self.members.push((key, value)),
        }
        self
    }

    /// The JSON object; not UTF-8 where the store's path is not.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json = vec![b'{'];
        for (at, (key, value)) in self.members.iter().enumerate() {
            if at > 0 {
                json.push(b',');
            }
            json.extend(quoted(key.as_bytes()));
            json.push(b':');
            json.extend(value);
        }
        json.push(b'}');
        json
    }
}

/// As the JSON object that the library reads.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_json()))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({self})")
    }
}

fn number(value: f64) -> Vec<u8> {
    if value.is_finite() {
        value.to_string().into_bytes()
    } else {
        // JSON has no such number: as a word, it is refused by the name of its key.
        quoted(value.to_string().as_bytes())
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut json = vec![b'"'];
    for &byte in text {
        match byte {
            b'"' | b'\\' => json.extend([b'\\', byte]),
            0..=0x1f => json.extend(format!("\\u{byte:04x}").into_bytes()),
            _ => json.push(byte),
        }
    }
    json.push(b'"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_set_again_has_its_last_value() {
        let config = Config::new().max_channels(1).max_id_bytes(2).max_channels(3);
        assert_eq!(config.to_string(), r#"{"maxChannels":3,"maxIdBytes":2}"#);
    }

    #[test]
    fn texts_are_escaped() {
        let config = Config::new().store_path("a\"b\\c\n\u{1}\0ä€");
        assert_eq!(config.to_string(), r#"{"storePath":"a\"b\\c\u000a\u0001\u0000ä€"}"#);
    }

    #[test]
    fn formats_of_channels_are_an_object() {
        let formats = [("a\"b", WireFormat::Lip109), ("ä", WireFormat::Sds02)];
        let config = Config::new().channel_wire_formats(formats);
        assert_eq!(config.to_string(), r#"{"channelWireFormats":{"a\"b":"lip-109","ä":"sds-0.2"}}"#);
        let none = config.channel_wire_formats(std::iter::empty::<(String, WireFormat)>());
        assert_eq!(none.to_string(), r#"{"channelWireFormats":{}}"#);
    }

    #[test]
    fn parts_of_a_millisecond_are_rounded_up() {
        let config = Config::new().repair_t_min(Duration::from_nanos(1)).repair_t_max(Duration::ZERO);
        assert_eq!(config.to_string(), r#"{"repairTMinMs":1,"repairTMaxMs":0}"#);
    }

    #[test]
    fn numbers_that_json_lacks_are_still_json() {
        let config = Config::new().ack_confidence(f64::NAN).bloom_filter_error_rate(1e-12);
        assert_eq!(config.to_string(), r#"{"ackConfidence":"NaN","bloomFilterErrorRate":0.000000000001}"#);
    }
}
