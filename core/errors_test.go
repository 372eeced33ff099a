package core_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
)

// TestStatuses holds the table to that of the C API, which is frozen.
func TestStatuses(t *testing.T) {
	for _, row := range []struct {
		err    error
		status core.Status
		number int
		name   string
	}{
		{core.ErrInvalidArgument, core.StatusInvalidArgument, 10, "reInvalidArgument"},
		{core.ErrInvalidID, core.StatusInvalidArgument, 10, "reInvalidArgument"},
		{core.ErrClosed, core.StatusInvalidArgument, 10, "reInvalidArgument"},
		{core.ErrOutOfMemory, core.StatusOutOfMemory, 11, "reOutOfMemory"},
		{core.ErrInternal, core.StatusInternal, 12, "reInternalError"},
		{core.ErrDeserialization, core.StatusDeserialization, 14, "reDeserializationError"},
		{core.ErrMessageTooLarge, core.StatusMessageTooLarge, 15, "reMessageTooLarge"},
		{core.ErrPersistence, core.StatusPersistence, 16, "rePersistenceError"},
		{core.ErrLimitExceeded, core.StatusLimitExceeded, 17, "reLimitExceeded"},
		{errors.New("of another making"), core.StatusInternal, 12, "reInternalError"},
	} {
		for _, err := range []error{row.err, fmt.Errorf("wrapped: %w", row.err), &core.Error{Op: "wrap", Err: fmt.Errorf("%w: because", row.err)}} {
			status := core.StatusOf(err)
			if status != row.status || int(status) != row.number || status.Name() != row.name {
				t.Errorf("%v: status %d %s, not %d %s", err, status, status.Name(), row.number, row.name)
			}
		}
	}
	if core.StatusOf(nil) != core.StatusOK || core.StatusOK != 0 {
		t.Error("success is not 0")
	}
	if name := core.Status(99).Name(); name != "reInternalError" {
		t.Errorf("an unknown status is %q", name)
	}
	if core.StatusSerialization != 13 || core.StatusSerialization.Name() != "reSerializationError" {
		t.Error("13 is frozen too")
	}
}

func TestErrorNamesOperationAndChannel(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	for _, test := range []struct {
		err         error
		op, channel string
		text        string
	}{
		{errorOf(alice.Wrap(nil, "c", "m", nil)), "wrap", "c", `sds: wrap in channel "c": invalid argument: content is empty`},
		{errorOf(alice.Unwrap([]byte("x"))), "unwrap", "", "sds: unwrap: not an SDS message"},
		{errorOf(alice.WrapSync(nil, "")), "wrap sync", "", "sds: wrap sync: channel ID is empty string"},
		{errorOf(alice.WrapEphemeral(nil, "c", "", nil)), "wrap ephemeral", "c", `sds: wrap ephemeral in channel "c": message ID is empty string`},
		{alice.MarkDependenciesMet("unknown", nil), "mark dependencies met", "unknown", "the channel is not known"},
		{alice.RemoveChannel(""), "remove channel", "", "channel ID is empty string"},
	} {
		var failure *core.Error
		if !errors.As(test.err, &failure) || failure.Op != test.op || failure.ChannelID != test.channel {
			t.Errorf("%#v, not of %q in %q", test.err, test.op, test.channel)
		}
		if text := fmt.Sprint(test.err); !strings.Contains(text, test.text) {
			t.Errorf("%q does not say %q", text, test.text)
		}
	}
}

// complaints leaves out what a log says when all goes well.
var complaints = &slog.HandlerOptions{Level: slog.LevelWarn}

// TestSwallowedFailuresAreLogged, since nobody else hears of them.
func TestSwallowedFailuresAreLogged(t *testing.T) {
	var logged bytes.Buffer
	config := core.DefaultConfig()
	config.MaxMessageHistory = 2
	faulty := persistence.NewFaulty(new(persistence.Memory))
	m, err := core.New(core.Options{Config: &config, Backend: faulty, Logger: slog.New(slog.NewTextHandler(&logged, complaints))})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	said := func(what string) bool {
		defer logged.Reset()
		return strings.Contains(logged.String(), what)
	}
	wrap := func(id string) {
		if _, err := m.Wrap(nil, "c", id, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}

	wrap("m1")
	if logged.Len() > 0 {
		t.Errorf("without a failure: %s", &logged)
	}
	faulty.FailOnce(1, persistence.SaveChannelMeta)
	wrap("m2")
	if !said("a channel was not saved") {
		t.Error("a failing save is not logged")
	}
	faulty.FailOnce(1, persistence.UpdateHistory)
	wrap("m3")
	if !said("a history update was not saved") {
		t.Error("a failing history update is not logged")
	}
	faulty.FailFrom(1, persistence.UpdateHistory)
	wrap("m4")
	wrap("m5")
	if !said("the backend is stuck") {
		t.Error("a stuck backend is not logged")
	}
	faulty.Heal()
	faulty.FailOnce(1, persistence.SetRetrievalHint)
	m.SetHints(func(string, string) []byte { return []byte("hint") })
	wrap("m6")
	if !said("a retrieval hint was not saved") {
		t.Error("a hint that was not saved is not logged")
	}
	m.SetHints(func(string, string) []byte { return make([]byte, 5000) })
	wrap("m7")
	if !said("a retrieval hint is too long") {
		t.Error("a hint that is too long is not logged")
	}
}

func TestHistoryLargerThanTheFilterIsWarnedOf(t *testing.T) {
	for capacity, warned := range map[int]bool{1000: false, 999: true} {
		var logged bytes.Buffer
		config := core.DefaultConfig()
		config.BloomFilterCapacity = capacity
		m, err := core.New(core.Options{Config: &config, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
		if got := strings.Contains(logged.String(), "maxMessageHistory"); got != warned {
			t.Errorf("with capacity %d: %s", capacity, &logged)
		}
	}
}
