package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// key is what PROTOCOL, sections 6 and 7, says of one key.
type key struct {
	name string
	// byDefault is its value in the text, other one that it takes too.
	byDefault, other string
	// field reads what a configuration has of it, as JSON; nil for keys that
	// have no place in it.
	field func(core.Config) string
	// wrongTypes are refused, and so are outOfRange, besides null.
	wrongTypes, outOfRange []string
}

var (
	notANumber = []string{`"1"`, `true`, `[1]`, `{}`}
	notWhole   = append([]string{`1.5`, `1e3`}, notANumber...)
	notAWord   = []string{`1`, `true`, `["full"]`, `{}`}
)

func show[T any](field func(core.Config) T) func(core.Config) string {
	return func(c core.Config) string { return fmt.Sprint(field(c)) }
}

const tooBig = `9223372036854775808`

var configKeys = []key{
	{"bloomFilterCapacity", `10000`, `1`, show(func(c core.Config) int { return c.BloomFilterCapacity }), notWhole, []string{`0`, `-1`, tooBig}},
	{"bloomFilterErrorRate", `0.001`, `0.5`, show(func(c core.Config) float64 { return c.BloomFilterErrorRate }), notANumber, []string{`0`, `1`, `-0.1`, `1e-300`, `1e400`}},
	{"maxMessageHistory", `1000`, `1`, show(func(c core.Config) int { return c.MaxMessageHistory }), notWhole, []string{`0`, `-1`, tooBig}},
	{"maxCausalHistory", `10`, `0`, show(func(c core.Config) int { return c.MaxCausalHistory }), notWhole, []string{`-1`, tooBig}},
	{"resendIntervalMs", `60000`, `1`, show(func(c core.Config) int64 { return c.ResendIntervalMs }), notWhole, []string{`0`, `-1`, tooBig, `9223372036854775807`}},
	{"maxResendAttempts", `5`, `0`, show(func(c core.Config) int { return c.MaxResendAttempts }), notWhole, []string{`-1`, tooBig}},
	{"syncMessageIntervalMs", `30000`, `1`, show(func(c core.Config) int64 { return c.SyncMessageIntervalMs }), notWhole, []string{`0`, `-1`, tooBig, `9223372036854775807`}},
	{"bufferSweepIntervalMs", `60000`, `1`, show(func(c core.Config) int64 { return c.BufferSweepIntervalMs }), notWhole, []string{`0`, `-1`, tooBig, `9223372036854775807`}},
	{"repairTMinMs", `30000`, `0`, show(func(c core.Config) int64 { return c.RepairTMinMs }), notWhole, []string{`-1`, tooBig, `9223372036854775807`}},
	{"repairTMaxMs", `300000`, `0`, show(func(c core.Config) int64 { return c.RepairTMaxMs }), notWhole, []string{`-1`, tooBig, `9223372036854775807`}},
	{"numResponseGroups", `1`, `7`, show(func(c core.Config) int { return c.NumResponseGroups }), notWhole, []string{`-1`, tooBig}},
	{"maxRepairRequests", `3`, `0`, show(func(c core.Config) int { return c.MaxRepairRequests }), notWhole, []string{`-1`, tooBig}},
	{"repairSweepIntervalMs", `5000`, `1`, show(func(c core.Config) int64 { return c.RepairSweepIntervalMs }), notWhole, []string{`0`, `-1`, tooBig, `9223372036854775807`}},
	{"wireFormat", `"sds-0.4"`, `"lip-109"`, show(func(c core.Config) string { return `"` + c.WireFormat.String() + `"` }), notAWord, []string{`""`, `"sds-0.5"`, `"SDS-0.4"`}},
	{"channelWireFormats", `{}`, `{"a":"lip-109","b":"sds-0.2"}`, show(channelFormats), []string{`1`, `true`, `[1]`, `"lip-109"`, `{"a":1}`, `{"a":null}`, `{"a":["lip-109"]}`}, []string{`{"a":""}`, `{"a":"sds-0.5"}`, `{"":"lip-109"}`, `{"a":"sds-0.4","b":"LIP-109"}`}},
	{"lamportUnit", `"auto"`, `"milliseconds"`, show(unitName), notAWord, []string{`""`, `"minutes"`}},
	{"ackConfidence", `1e-06`, `0`, show(func(c core.Config) float64 { return c.AckConfidence }), notANumber, []string{`-1e-6`, `1`}},
	{"possibleAckThreshold", `2`, `1`, show(func(c core.Config) int { return c.PossibleAckThreshold }), notWhole, []string{`0`, `-1`, tooBig}},
	{"missingDependencyTimeoutMs", `600000`, `0`, show(func(c core.Config) int64 { return c.MissingDependencyTimeoutMs }), notWhole, []string{`-1`, tooBig, `9223372036854775807`}},
	{"maxLamportDriftMs", `86400000`, `0`, show(func(c core.Config) int64 { return c.MaxLamportDriftMs }), notWhole, []string{`-1`, tooBig, `9223372036854775807`}},
	{"storePath", `""`, `"folder/file"`, show(func(c core.Config) string { return `"` + c.StorePath + `"` }), notAWord, []string{`"a\u0000b"`}},
	{"storeSync", `"full"`, `"batch"`, show(func(c core.Config) string {
		return map[core.StoreSync]string{core.StoreSyncFull: `"full"`, core.StoreSyncBatch: `"batch"`}[c.StoreSync]
	}), notAWord, []string{`""`, `"half"`}},

	{"maxContentBytes", `1048576`, `1`, show(func(c core.Config) int { return c.Limits.MaxContentBytes }), notWhole, []string{`0`, `-1`, tooBig}},
	{"maxWireBytes", `8388608`, `1`, show(func(c core.Config) int { return c.Limits.MaxWireBytes }), notWhole, []string{`0`, `-1`, tooBig}},
	{"maxHistoryEntries", `4096`, `0`, show(func(c core.Config) int { return c.Limits.MaxHistoryEntries }), notWhole, []string{`-1`, tooBig}},
	{"maxIdBytes", `1024`, `1`, show(func(c core.Config) int { return c.Limits.MaxIDBytes }), notWhole, []string{`0`, `-1`, tooBig}},
	{"maxChannels", `0`, `7`, show(func(c core.Config) int { return c.Limits.MaxChannels }), notWhole, []string{`-1`, tooBig}},
	{"acceptUnknownChannels", `true`, `false`, show(func(c core.Config) bool { return c.Limits.AcceptUnknownChannels }), []string{`1`, `"true"`, `[]`, `{}`}, nil},
	{"maxIncomingMessages", `10000`, `7`, show(func(c core.Config) int { return c.Limits.MaxIncomingMessages }), notWhole, []string{`-1`, tooBig}},
	{"maxIncomingBytes", `67108864`, `7`, show(func(c core.Config) int { return c.Limits.MaxIncomingBytes }), notWhole, []string{`-1`, tooBig}},
	{"maxOutgoingMessages", `10000`, `7`, show(func(c core.Config) int { return c.Limits.MaxOutgoingMessages }), notWhole, []string{`0`, `-1`, tooBig}},
	{"maxRepairEntries", `1000`, `7`, show(func(c core.Config) int { return c.Limits.MaxRepairEntries }), notWhole, []string{`0`, `-1`, tooBig}},
}

func unitName(c core.Config) string {
	names := map[channel.Unit]string{0: `"auto"`, channel.Seconds: `"seconds"`, channel.Milliseconds: `"milliseconds"`}
	return names[c.LamportUnit]
}

func channelFormats(c core.Config) string {
	names := make(map[string]string)
	for id, format := range c.ChannelWireFormats {
		names[id] = format.String()
	}
	text, err := json.Marshal(names)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func object(name, value string) []byte { return fmt.Appendf(nil, ` { %q : %s } `, name, value) }

func TestDefaultConfigIsThatOfTheText(t *testing.T) {
	var everything []string
	for _, key := range configKeys {
		everything = append(everything, fmt.Sprintf("%q: %s", key.name, key.byDefault))
		if key.field != nil {
			if got := key.field(core.DefaultConfig()); got != key.byDefault {
				t.Errorf("%s is %s, not %s", key.name, got, key.byDefault)
			}
		}
	}
	for _, text := range []string{"{}", "{" + strings.Join(everything, ",") + "}"} {
		got, err := core.ParseConfig([]byte(text))
		if err != nil {
			t.Errorf("%.40s: %v", text, err)
		}
		if diff := cmp.Diff(core.DefaultConfig(), got); diff != "" {
			t.Errorf("%.40s: %s", text, diff)
		}
	}
}

func TestConfigTakesOtherValues(t *testing.T) {
	for _, key := range configKeys {
		if key.other == "" {
			continue
		}
		got, err := core.ParseConfig(object(key.name, key.other))
		if err != nil {
			t.Errorf("%s: %v", key.name, err)
			continue
		}
		if key.field == nil {
			continue
		}
		if value := key.field(got); value != key.other {
			t.Errorf("%s is %s, not %s", key.name, value, key.other)
		}
		// Every other key keeps its default.
		for _, kept := range configKeys {
			if kept.field != nil && kept.name != key.name && kept.field(got) != kept.byDefault {
				t.Errorf("%s changes %s to %s", key.name, kept.name, kept.field(got))
			}
		}
	}
	for _, format := range []wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109} {
		got, err := core.ParseConfig(object("wireFormat", fmt.Sprintf("%q", format)))
		if err != nil || got.WireFormat != format {
			t.Errorf("%v: %v %v", format, got.WireFormat, err)
		}
	}
	if got, err := core.ParseConfig(object("lamportUnit", `"seconds"`)); err != nil || got.LamportUnit != channel.Seconds {
		t.Errorf("%v %v", got.LamportUnit, err)
	}
}

// TestConfigErrorNamesTheKeyWhatWasGivenAndWhatItTakes, whatever is wrong.
func TestConfigErrorNamesTheKeyWhatWasGivenAndWhatItTakes(t *testing.T) {
	for _, key := range configKeys {
		for _, value := range append(append([]string{"null"}, key.wrongTypes...), key.outOfRange...) {
			got, err := core.ParseConfig(object(key.name, value))
			if !errors.Is(err, core.ErrInvalidArgument) || core.StatusOf(err) != core.StatusInvalidArgument {
				t.Errorf("%s: %s gives %v", key.name, value, err)
				continue
			}
			if text := err.Error(); !strings.Contains(text, `"`+key.name+`" takes `) || !strings.HasSuffix(text, ", not "+value) {
				t.Errorf("%s: %s gives %q", key.name, value, text)
			}
			if diff := cmp.Diff(core.Config{}, got); diff != "" {
				t.Errorf("%s: %s gives an error and a configuration", key.name, value)
			}
		}
	}
}

// TestConfigThatIsNotUTF8IsRefused, wherever the byte is: the file of the store
// would be another one than was meant.
func TestConfigThatIsNotUTF8IsRefused(t *testing.T) {
	for _, test := range []struct{ name, text, says string }{
		{"in a value", "{\"storePath\": \"/a\xff\"}", "not valid UTF-8: byte 17 is 0xff"},
		{"in a key", "{\"\xe9\": 1}", "not valid UTF-8: byte 2 is 0xe9"},
		{"cut short", "{\"storePath\": \"\xe2\x82\"}", "not valid UTF-8: byte 15 is 0xe2"},
		{"surrogate", "{\"storePath\": \"\xed\xa0\x80\"}", "not valid UTF-8: byte 15 is 0xed"},
		{"in UTF-16", "\xff\xfe{\x00}\x00", "not valid UTF-8: byte 0 is 0xff"},
		{"behind the object", "{}\x80", "not valid UTF-8: byte 2 is 0x80"},
	} {
		_, err := core.ParseConfig([]byte(test.text))
		if !errors.Is(err, core.ErrInvalidArgument) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, path := range []string{"/tmp/\ufffd", "/tmp/é€😀"} {
		if got, err := core.ParseConfig(object("storePath", `"`+path+`"`)); err != nil || got.StorePath != path {
			t.Errorf("%q: %q, %v", path, got.StorePath, err)
		}
	}
}

func TestConfigMustBeOneObjectOfKnownKeys(t *testing.T) {
	for _, test := range []struct{ name, text, says string }{
		{"nothing", ``, "not a JSON object"},
		{"blanks", ` `, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"array", `[]`, "not a JSON object"},
		{"string", `"{}"`, "not a JSON object"},
		{"number", `1`, "not a JSON object"},
		{"truncated", `{"maxChannels": 1`, "not a JSON object"},
		{"two objects", `{} {}`, "something follows"},
		{"trailing text", `{} x`, "something follows"},
		{"trailing brace", `{}}`, "something follows"},
		{"trailing comma", `{"maxChannels": 1,}`, "not a JSON object"},
		{"unknown key", `{"maxChanels": 1}`, `unknown key "maxChanels"`},
		{"unknown key beside known ones", `{"maxChannels": 1, "zzz": 2, "aaa": 1}`, `unknown key "aaa"`},
		{"key in other letters", `{"maxchannels": 1}`, `unknown key "maxchannels"`},
		{"long unknown key", `{"` + strings.Repeat("x", 1_000_000) + `": 1}`, `unknown key "xxx`},
		{"empty key", `{"": 1}`, `unknown key ""`},
		{"filter too large to be read", `{"bloomFilterCapacity": 10000000}`, `with a "bloomFilterErrorRate" of 0.001, not 10000000`},
		{"long value", `{"maxChannels": "` + strings.Repeat("x", 1_000_000) + `"}`, `"maxChannels" takes a whole number`},
	} {
		_, err := core.ParseConfig([]byte(test.text))
		if !errors.Is(err, core.ErrInvalidArgument) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: %.200v", test.name, err)
		}
		if n := len(fmt.Sprint(err)); n > 2000 {
			t.Errorf("%s: an error of %d bytes", test.name, n)
		}
	}
	_, err := core.ParseConfig([]byte(`{"unknown": 1}`))
	for _, key := range configKeys {
		if !strings.Contains(fmt.Sprint(err), key.name) {
			t.Errorf("the error of an unknown key does not offer %s", key.name)
		}
	}
}

// TestNewChecksTheConfig, which need not come from ParseConfig.
func TestNewChecksTheConfig(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*core.Config)
		given string
	}{
		"bloomFilterCapacity":   {func(c *core.Config) { c.BloomFilterCapacity = 0 }, "0"},
		"bloomFilterErrorRate":  {func(c *core.Config) { c.BloomFilterErrorRate = math.NaN() }, "NaN"},
		"ackConfidence":         {func(c *core.Config) { c.AckConfidence = math.Inf(1) }, "+Inf"},
		"wireFormat":            {func(c *core.Config) { c.WireFormat = 0 }, "unknown"},
		"lamportUnit":           {func(c *core.Config) { c.LamportUnit = 17 }, "17"},
		"channelWireFormats":    {func(c *core.Config) { c.ChannelWireFormats = map[string]wire.Format{"a": 9} }, `map["a":"unknown"]`},
		"repairSweepIntervalMs": {func(c *core.Config) { c.RepairSweepIntervalMs = -1 }, "-1"},
		"storePath":             {func(c *core.Config) { c.StorePath = "a\x00b" }, `"a\x00b"`},
		"maxIdBytes":            {func(c *core.Config) { c.Limits.MaxIDBytes = 0 }, "0"},
	} {
		config := core.DefaultConfig()
		test.spoil(&config)
		m, err := core.New(core.Options{Config: &config})
		if m != nil || !errors.Is(err, core.ErrInvalidArgument) || !strings.Contains(fmt.Sprint(err), name) || !strings.HasSuffix(fmt.Sprint(err), ", not "+test.given) {
			t.Errorf("%s: %v", name, err)
		}
		var failure *core.Error
		if !errors.As(err, &failure) || failure.Op != "open" {
			t.Errorf("%s: %#v", name, err)
		}
	}
	if m, err := core.New(core.Options{Config: &core.Config{}}); m != nil || err == nil {
		t.Error("a configuration of zeros is taken")
	}
}

func TestNewCopiesTheConfig(t *testing.T) {
	config := core.DefaultConfig()
	m, err := core.New(core.Options{Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	config.Limits.MaxContentBytes = 1
	if _, err := m.Wrap(nil, "c", "m", []byte("two")); err != nil {
		t.Error(err)
	}
}
