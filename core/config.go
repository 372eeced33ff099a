package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/store"
	"github.com/libsds/libsds/core/wire"
)

// Config is everything that a host can set (PROTOCOL, sections 6 and 7).
// Start from DefaultConfig or ParseConfig; New checks it. Durations are
// milliseconds.
type Config struct {
	BloomFilterCapacity  int
	BloomFilterErrorRate float64

	MaxMessageHistory int
	MaxCausalHistory  int

	ResendIntervalMs      int64
	MaxResendAttempts     int
	BufferSweepIntervalMs int64
	SyncMessageIntervalMs int64

	RepairTMinMs          int64
	RepairTMaxMs          int64
	NumResponseGroups     int
	MaxRepairRequests     int
	RepairSweepIntervalMs int64

	// WireFormat is written; every format is read. A channel that is made by a
	// received message of the other dialect, of which lip-109 is one and the
	// sds-* formats are the other, takes the format of that message.
	WireFormat wire.Format
	// ChannelWireFormats is what is written in channels that are not to go by
	// WireFormat or by what is received, by their ids.
	ChannelWireFormats map[string]wire.Format
	// LamportUnit is the unit of Lamport timestamps; 0 is that of the format that
	// a channel writes.
	LamportUnit channel.Unit

	AckConfidence        float64
	PossibleAckThreshold int

	MissingDependencyTimeoutMs int64
	MaxLamportDriftMs          int64

	// StorePath names the file of the built-in store; empty keeps nothing, unless
	// there is a Backend.
	StorePath string
	// StoreSync is when a Backend with transactions makes them.
	StoreSync StoreSync

	Limits limits.Limits
}

// StoreSync is how operations and commits go together, for backends with
// transactions.
type StoreSync uint8

const (
	// StoreSyncFull commits each operation by itself.
	StoreSyncFull StoreSync = iota
	// StoreSyncBatch lets operations that run at the same time share a commit.
	// Each still waits for it: nothing is announced before.
	StoreSyncBatch
)

// DefaultConfig returns the configuration that holds where the host names
// nothing.
func DefaultConfig() Config {
	return Config{
		BloomFilterCapacity:        10000,
		BloomFilterErrorRate:       0.001,
		MaxMessageHistory:          1000,
		MaxCausalHistory:           10,
		ResendIntervalMs:           60_000,
		MaxResendAttempts:          5,
		BufferSweepIntervalMs:      60_000,
		SyncMessageIntervalMs:      30_000,
		RepairTMinMs:               30_000,
		RepairTMaxMs:               300_000,
		NumResponseGroups:          1,
		MaxRepairRequests:          3,
		RepairSweepIntervalMs:      5_000,
		WireFormat:                 wire.SDS04,
		AckConfidence:              1e-6,
		PossibleAckThreshold:       2,
		MissingDependencyTimeoutMs: 600_000,
		MaxLamportDriftMs:          86_400_000,
		Limits:                     limits.Default(),
	}
}

// The widest ranges that make sense.
const (
	maxCount      = 10_000_000
	maxBytes      = 1 << 30
	maxDurationMs = 1 << 40 // 34 years
	// maxRepairMs keeps the product in T_resp within 64 bits.
	maxRepairMs = math.MaxInt32
	// minErrorRate keeps the number of hashes well below limits.MaxFilterHashes.
	minErrorRate = 1e-12
)

// setting is one key of the configuration: where its value is, and what it
// takes.
type setting struct {
	key   string
	takes string
	// set parses a JSON value; nil for a key that needs no place in Config.
	set func(*Config, json.RawMessage) bool
	// valid checks the value that c holds, given says it.
	valid func(c *Config) bool
	given func(c *Config) string
}

// integer is a key that takes a whole number from least to most.
func integer[T int | int64](key string, least, most int64, field func(*Config) *T) setting {
	return setting{
		key:   key,
		takes: fmt.Sprintf("a whole number from %d to %d", least, most),
		set: func(c *Config, raw json.RawMessage) bool {
			n, err := strconv.ParseInt(string(raw), 10, 64)
			if err != nil || int64(T(n)) != n {
				return false
			}
			*field(c) = T(n)
			return true
		},
		valid: func(c *Config) bool { n := int64(*field(c)); return n >= least && n <= most },
		given: func(c *Config) string { return fmt.Sprint(*field(c)) },
	}
}

// fraction is a key that takes a number from least to most, most excepted.
func fraction(key string, least, most float64, field func(*Config) *float64) setting {
	return setting{
		key:   key,
		takes: fmt.Sprintf("a number from %g to below %g", least, most),
		set:   func(c *Config, raw json.RawMessage) bool { return unmarshal(raw, field(c)) },
		valid: func(c *Config) bool { x := *field(c); return x >= least && x < most },
		given: func(c *Config) string { return fmt.Sprint(*field(c)) },
	}
}

// choice is a key that takes one of some words.
func choice[T comparable](key string, words []string, values []T, field func(*Config) *T) setting {
	return setting{
		key:   key,
		takes: `one of "` + strings.Join(words, `", "`) + `"`,
		set: func(c *Config, raw json.RawMessage) bool {
			var word string
			if !unmarshal(raw, &word) {
				return false
			}
			at := slices.Index(words, word)
			if at < 0 {
				return false
			}
			*field(c) = values[at]
			return true
		},
		valid: func(c *Config) bool { return slices.Contains(values, *field(c)) },
		given: func(c *Config) string { return fmt.Sprint(*field(c)) },
	}
}

// unmarshal parses a JSON value that must be there: null is refused.
func unmarshal(raw json.RawMessage, into any) bool {
	return string(raw) != "null" && json.Unmarshal(raw, into) == nil
}

var settings = []setting{
	integer("bloomFilterCapacity", 1, maxCount, func(c *Config) *int { return &c.BloomFilterCapacity }),
	fraction("bloomFilterErrorRate", minErrorRate, 1, func(c *Config) *float64 { return &c.BloomFilterErrorRate }),
	integer("maxMessageHistory", 1, maxCount, func(c *Config) *int { return &c.MaxMessageHistory }),
	integer("maxCausalHistory", 0, 4096, func(c *Config) *int { return &c.MaxCausalHistory }),
	integer("resendIntervalMs", 1, maxDurationMs, func(c *Config) *int64 { return &c.ResendIntervalMs }),
	integer("maxResendAttempts", 0, maxCount, func(c *Config) *int { return &c.MaxResendAttempts }),
	integer("syncMessageIntervalMs", 1, maxDurationMs, func(c *Config) *int64 { return &c.SyncMessageIntervalMs }),
	integer("bufferSweepIntervalMs", 1, maxDurationMs, func(c *Config) *int64 { return &c.BufferSweepIntervalMs }),
	integer("repairTMinMs", 0, maxRepairMs, func(c *Config) *int64 { return &c.RepairTMinMs }),
	integer("repairTMaxMs", 0, maxRepairMs, func(c *Config) *int64 { return &c.RepairTMaxMs }),
	integer("numResponseGroups", 0, maxCount, func(c *Config) *int { return &c.NumResponseGroups }),
	integer("maxRepairRequests", 0, 4096, func(c *Config) *int { return &c.MaxRepairRequests }),
	integer("repairSweepIntervalMs", 1, maxDurationMs, func(c *Config) *int64 { return &c.RepairSweepIntervalMs }),
	choice("wireFormat",
		[]string{wire.SDS02.String(), wire.SDS03.String(), wire.SDS04.String(), wire.LIP109.String()},
		[]wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109},
		func(c *Config) *wire.Format { return &c.WireFormat }),
	{
		key:   "channelWireFormats",
		takes: `an object that gives ids of channels one of "sds-0.2", "sds-0.3", "sds-0.4", "lip-109"`,
		set:   setChannelWireFormats,
		valid: func(c *Config) bool { return validChannelWireFormats(c.ChannelWireFormats) },
		given: func(c *Config) string { return fmt.Sprintf("%q", c.ChannelWireFormats) },
	},
	choice("lamportUnit",
		[]string{"auto", "seconds", "milliseconds"}, []channel.Unit{0, channel.Seconds, channel.Milliseconds},
		func(c *Config) *channel.Unit { return &c.LamportUnit }),
	fraction("ackConfidence", 0, 1, func(c *Config) *float64 { return &c.AckConfidence }),
	integer("possibleAckThreshold", 1, 1000, func(c *Config) *int { return &c.PossibleAckThreshold }),
	integer("missingDependencyTimeoutMs", 0, maxDurationMs, func(c *Config) *int64 { return &c.MissingDependencyTimeoutMs }),
	integer("maxLamportDriftMs", 0, maxDurationMs, func(c *Config) *int64 { return &c.MaxLamportDriftMs }),
	{
		key:   "storePath",
		takes: "the name of a file, without a NUL in it",
		set:   func(c *Config, raw json.RawMessage) bool { return unmarshal(raw, &c.StorePath) },
		valid: func(c *Config) bool { return !strings.ContainsRune(c.StorePath, 0) },
		given: func(c *Config) string { return fmt.Sprintf("%q", abbreviate([]byte(c.StorePath))) },
	},
	choice("storeSync", []string{"full", "batch"}, []StoreSync{StoreSyncFull, StoreSyncBatch},
		func(c *Config) *StoreSync { return &c.StoreSync }),
	integer("maxContentBytes", 1, maxBytes, func(c *Config) *int { return &c.Limits.MaxContentBytes }),
	integer("maxWireBytes", 1, maxBytes, func(c *Config) *int { return &c.Limits.MaxWireBytes }),
	integer("maxHistoryEntries", 0, maxCount, func(c *Config) *int { return &c.Limits.MaxHistoryEntries }),
	integer("maxIdBytes", 1, maxBytes, func(c *Config) *int { return &c.Limits.MaxIDBytes }),
	integer("maxChannels", 0, maxCount, func(c *Config) *int { return &c.Limits.MaxChannels }),
	{
		key:   "acceptUnknownChannels",
		takes: "true or false",
		set:   func(c *Config, raw json.RawMessage) bool { return unmarshal(raw, &c.Limits.AcceptUnknownChannels) },
		valid: func(*Config) bool { return true },
		given: func(c *Config) string { return fmt.Sprint(c.Limits.AcceptUnknownChannels) },
	},
	integer("maxIncomingMessages", 0, maxCount, func(c *Config) *int { return &c.Limits.MaxIncomingMessages }),
	integer("maxIncomingBytes", 0, math.MaxInt32, func(c *Config) *int { return &c.Limits.MaxIncomingBytes }),
	integer("maxOutgoingMessages", 1, maxCount, func(c *Config) *int { return &c.Limits.MaxOutgoingMessages }),
	integer("maxRepairEntries", 1, maxCount, func(c *Config) *int { return &c.Limits.MaxRepairEntries }),
}

// ParseConfig reads a JSON object over the defaults. An unknown key, a value
// of the wrong type and one out of range are errors that name the key, what was
// given and what it takes. So is text that is not UTF-8: the decoder would read
// something else for it, and the store be another file than was meant.
func ParseConfig(text []byte) (Config, error) {
	if at := invalidUTF8(text); at >= 0 {
		return Config{}, configError("it is not valid UTF-8: byte %d is 0x%02x", at, text[at])
	}
	config := DefaultConfig()
	var object map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&object); err != nil || object == nil {
		return Config{}, configError("it is not a JSON object%s", detail(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Config{}, configError("something follows its JSON object")
	}
	for _, s := range settings {
		raw, named := object[s.key]
		delete(object, s.key)
		if named && (!s.set(&config, raw) || !s.valid(&config)) {
			return Config{}, configError("%q takes %s, not %s", s.key, s.takes, abbreviate(raw))
		}
	}
	if unknown := slices.Sorted(maps.Keys(object)); len(unknown) > 0 {
		return Config{}, configError("unknown key %q; the keys are %s", abbreviate([]byte(unknown[0])), keys())
	}
	if err := config.check(); err != nil {
		return Config{}, err
	}
	return config, nil
}

// invalidUTF8 returns where text ceases to be UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// setChannelWireFormats reads an object of names of formats.
func setChannelWireFormats(c *Config, raw json.RawMessage) bool {
	var names map[string]json.RawMessage
	if !unmarshal(raw, &names) {
		return false
	}
	formats := make(map[string]wire.Format, len(names))
	for id, value := range names {
		var name string
		if !unmarshal(value, &name) {
			return false
		}
		format, ok := wire.ParseFormat(name)
		if !ok {
			return false
		}
		formats[id] = format
	}
	if len(formats) > 0 {
		c.ChannelWireFormats = formats
	}
	return true
}

func validChannelWireFormats(formats map[string]wire.Format) bool {
	for id, format := range formats {
		if id == "" || !utf8.ValidString(id) || format < wire.SDS02 || format > wire.LIP109 {
			return false
		}
	}
	return true
}

// check tells what in the configuration is impossible.
func (c *Config) check() error {
	for _, s := range settings {
		if !s.valid(c) {
			return configError("%q takes %s, not %s", s.key, s.takes, s.given(c))
		}
	}
	if c.StorePath != "" && c.Limits.MaxIDBytes > store.MaxIDBytes {
		return configError(`"maxIdBytes" takes at most %d with a "storePath", not %d: the store has no room for longer ids`, store.MaxIDBytes, c.Limits.MaxIDBytes)
	}
	for _, id := range slices.Sorted(maps.Keys(c.ChannelWireFormats)) {
		if err := c.checkID("channel ID", id); err != nil {
			return configError(`"channelWireFormats" names what can be no channel: %v`, err)
		}
	}
	if most := bloom.MaxCapacity(c.BloomFilterErrorRate); c.BloomFilterCapacity > most {
		return configError(`"bloomFilterCapacity" takes at most %d with a "bloomFilterErrorRate" of %g, not %d: a larger filter is read by no peer`, most, c.BloomFilterErrorRate, c.BloomFilterCapacity)
	}
	return nil
}

// channelConfig is what channels that write a format are told of the
// configuration. Whether the format was taken from a message, the channel keeps.
func (c *Config) channelConfig(participantID string, durable bool, format wire.Format, taken bool) *channel.Config {
	unit := c.LamportUnit
	if unit == 0 {
		unit = channel.Seconds
		if format == wire.LIP109 {
			unit = channel.Milliseconds
		}
	}
	return &channel.Config{
		ParticipantID:        participantID,
		Format:               format,
		FormatTaken:          taken,
		LamportUnit:          unit,
		FilterCapacity:       c.BloomFilterCapacity,
		FilterErrorRate:      c.BloomFilterErrorRate,
		MaxHistory:           c.MaxMessageHistory,
		MaxCausalHistory:     c.MaxCausalHistory,
		ResendInterval:       c.ResendIntervalMs,
		MaxResendAttempts:    c.MaxResendAttempts,
		RepairTMin:           c.RepairTMinMs,
		RepairTMax:           c.RepairTMaxMs,
		ResponseGroups:       c.NumResponseGroups,
		MaxRepairRequests:    c.MaxRepairRequests,
		AckConfidence:        c.AckConfidence,
		PossibleAckThreshold: c.PossibleAckThreshold,
		MissingTimeout:       c.MissingDependencyTimeoutMs,
		MaxLamportDrift:      c.MaxLamportDriftMs,
		Limits:               c.Limits,
		Durable:              durable,
	}
}

// checkID tells what makes id unusable; what names it in the error.
func (c *Config) checkID(what, id string) error {
	switch {
	case id == "":
		return invalidID(what + " is empty string")
	case len(id) > c.Limits.MaxIDBytes:
		return invalidID(fmt.Sprintf("%s has %d bytes, more than maxIdBytes (%d)", what, len(id), c.Limits.MaxIDBytes))
	case !utf8.ValidString(id):
		return invalidID(what + " is not valid UTF-8")
	}
	return nil
}

func configError(format string, arguments ...any) error {
	return fmt.Errorf("%w: config: "+format, append([]any{ErrInvalidArgument}, arguments...)...)
}

// detail is what is wrong with the syntax. That another JSON value is no object
// needs no words of the decoder's.
func detail(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return ": " + err.Error()
	}
	return ""
}

// abbreviate quotes a value in an error without repeating a novel.
func abbreviate(raw json.RawMessage) string {
	const most = 60
	if len(raw) > most {
		return strings.ToValidUTF8(string(raw[:most]), "") + "..."
	}
	return string(raw)
}

func keys() string {
	names := make([]string, len(settings))
	for i, s := range settings {
		names[i] = s.key
	}
	return strings.Join(names, ", ")
}
