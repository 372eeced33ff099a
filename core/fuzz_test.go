package core_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
	"github.com/libsds/libsds/internal/allocation"
	"github.com/libsds/libsds/internal/corpus"
)

// fuzzConfig has all bounds within reach of a short input.
func fuzzConfig(format wire.Format) func(*core.Config) {
	return func(c *core.Config) {
		c.WireFormat = format
		c.BloomFilterCapacity, c.MaxMessageHistory = 20, 3
		c.Limits.MaxIncomingMessages, c.Limits.MaxRepairEntries, c.Limits.MaxHistoryEntries = 2, 2, 8
	}
}

var formats = []wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109}

// FuzzUnwrap: no payload hurts. It may come twice; then the timers run; then
// the next message of ours is made, is read by a peer, and has a time near to
// now; and what the backend has can be loaded.
func FuzzUnwrap(f *testing.F) {
	for i, format := range formats {
		bob := newPeer(f, "bob", newClock(), fuzzConfig(format))
		for _, id := range []string{"first", "second", "third"} {
			f.Add(byte(i), bob.wrap("c", id))
		}
		f.Add(byte(i), bob.wrapSync("c"))
		ephemeral, err := bob.WrapEphemeral(nil, "c", "e", []byte("x"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), ephemeral)
	}
	f.Add(byte(2), []byte("hello"))
	for _, payload := range append(vectorPayloads(f), corpus.Inputs(f, "../tests/fuzz/corpus/message")...) {
		f.Add(byte(1), payload)
	}
	f.Fuzz(func(t *testing.T, format byte, payload []byte) {
		change := fuzzConfig(formats[int(format)%len(formats)])
		alice := newPeer(t, "alice", newClock(), change)
		alice.wrap("c", "mine")
		for range 2 {
			received, err := alice.Unwrap(payload)
			if err != nil && !errors.Is(err, core.ErrDeserialization) {
				t.Fatal(err)
			}
			if err == nil && (received.ChannelID == "" || received.MessageID == "" || received.Buffered && len(received.Missing) == 0) {
				t.Errorf("%+v", received)
			}
		}
		alice.tick(start)
		alice.tick(start + hour)
		next := alice.wrap("c", "next")
		newPeer(t, "bob", alice.clock, change).unwrap(next)
		unit := uint64(1000)
		if formats[int(format)%len(formats)] == wire.LIP109 {
			unit = 1
		}
		furthest := uint64(alice.clock.read()+core.DefaultConfig().MaxLamportDriftMs) / unit
		if lamport := decoded(t, next).Lamport; lamport > furthest+2 {
			t.Errorf("the clock is at %d, past %d", lamport, furthest)
		}
		channels := alice.Channels()
		restarted := alice.restart(change)
		for _, id := range channels {
			if err := restarted.EnsureChannel(id); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzParseConfig: what is taken reads back from its own values and makes a manager
// that works; what is not says why, briefly, in UTF-8.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{} {}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"unknown": 1}`))
	for _, input := range corpus.Inputs(f, "../tests/fuzz/corpus/config") {
		f.Add(input)
	}
	for _, key := range configKeys {
		f.Add(object(key.name, key.byDefault))
		for _, value := range key.outOfRange {
			f.Add(object(key.name, value))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var config core.Config
		var err error
		took := allocation.Beyond(64*uint64(len(text))+64<<10, func() { config, err = core.ParseConfig(text) })
		if took > 0 {
			t.Errorf("%d bytes of text took %d bytes of memory", len(text), took)
		}
		if err != nil {
			if !errors.Is(err, core.ErrInvalidArgument) || len(err.Error()) > 2000 || !utf8.ValidString(err.Error()) {
				t.Errorf("%.3000v", err)
			}
			return
		}
		// What the keys say, written and read again, is the same.
		var written []string
		for _, key := range configKeys {
			if key.name == "storePath" {
				path, err := json.Marshal(config.StorePath)
				if err != nil {
					t.Fatal(err)
				}
				written = append(written, fmt.Sprintf("%q: %s", key.name, path))
			} else if key.field != nil {
				written = append(written, fmt.Sprintf("%q: %s", key.name, key.field(config)))
			}
		}
		again, err := core.ParseConfig([]byte("{" + strings.Join(written, ", ") + "}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range configKeys {
			if key.field != nil && key.field(again) != key.field(config) {
				t.Errorf("%s: %s is read back as %s", key.name, key.field(config), key.field(again))
			}
		}
		if config.StorePath != "" { // not where the fuzzer says
			config.StorePath = filepath.Join(t.TempDir(), "store")
		}
		m, err := core.New(core.Options{ParticipantID: "a", Config: &config})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if _, err := m.Wrap(nil, "c", "m", []byte("x")); err != nil {
			t.Error(err)
		}
		m.Tick(start)
	})
}

// vectorPayloads returns the payloads of the conformance vectors.
func vectorPayloads(f *testing.F) (payloads [][]byte) {
	text, err := os.ReadFile("../tests/conformance/vectors/wire.json")
	if err != nil {
		f.Fatal(err)
	}
	type vector struct{ WireHex string }
	var file struct{ Vectors, Decode []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		f.Fatal(err)
	}
	for _, v := range append(file.Vectors, file.Decode...) {
		payload, err := hex.DecodeString(v.WireHex)
		if err != nil {
			f.Fatal(err)
		}
		payloads = append(payloads, payload)
	}
	return payloads
}
