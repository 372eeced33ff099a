package sds

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
)

func TestWhatIsUnwrappedIsTheCallersOwn(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	must(alice.WrapOutgoingMessage([]byte("lost"), "m-1", lobby))
	payload := must(alice.WrapOutgoingMessage([]byte("hello"), "m-2", lobby))
	received := must(bob.UnwrapReceivedMessage(payload))
	clear(payload)
	if string(*received.Message) != "hello" || *received.ChannelId != lobby {
		t.Errorf("received %q in %q", *received.Message, *received.ChannelId)
	}
	text := string(must(json.Marshal(received)))
	if want := `{"message":"aGVsbG8=","missingDeps":[{"messageId":"m-1","retrievalHint":""}],"channelId":"lobby"}`; text != want {
		t.Errorf("as JSON: %s, not %s", text, want)
	}
}

func TestAMessageThatLacksNothingHasAnEmptyListNotNil(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	received := must(bob.UnwrapReceivedMessage(must(alice.WrapSyncMessage(lobby))))
	if *received.Message == nil || len(*received.Message) != 0 || *received.MissingDeps == nil || len(*received.MissingDeps) != 0 {
		t.Errorf("a sync message: %#v %#v", *received.Message, *received.MissingDeps)
	}
}

func TestUnwrapTellsAllThatIsKnown(t *testing.T) {
	alice, bob := newPeer(t, WithParticipantID("alice")), newPeer(t)
	payload := must(alice.WrapOutgoingMessage([]byte("hello"), "m-1", lobby))
	must(bob.Unwrap(payload))
	again := must(bob.Unwrap(payload))
	if !again.Duplicate || again.MessageID != "m-1" || again.SenderID != "alice" || again.Kind != core.KindContent {
		t.Errorf("a copy is received as %+v", again)
	}
	passing := must(bob.Unwrap(must(alice.WrapEphemeralMessage([]byte("hush"), "e-1", lobby))))
	if passing.Kind != core.KindEphemeral || string(passing.Content) != "hush" {
		t.Errorf("an ephemeral message is received as %+v", passing)
	}
}

// The texts are those of this repository's shared library behind the old bindings.
func TestErrorsHaveTheTextsOfTheOldBindingsAndTheKindsOfCore(t *testing.T) {
	long := MessageID(strings.Repeat("x", 1025))
	full := newPeer(t, WithConfigJSON(`{"maxOutgoingMessages":1,"maxContentBytes":8,"acceptUnknownChannels":false}`))
	must(full.WrapOutgoingMessage([]byte("first"), "m-1", lobby))
	closed := newPeer(t)
	mustNot(t, closed.Cleanup())
	stranger := must(newPeer(t).WrapOutgoingMessage([]byte("hello"), "m-1", "elsewhere"))
	ticked := newPeer(t)
	must(ticked.Tick(zeroTime))

	wrap := func(p *peer, content string, id MessageID, channel string) error {
		_, err := p.WrapOutgoingMessage([]byte(content), id, channel)
		return err
	}
	unwrap := func(p *peer, payload []byte) error {
		_, err := p.UnwrapReceivedMessage(payload)
		return err
	}
	for _, c := range []struct {
		err  error
		kind error
		text string
	}{
		{wrap(full, "", "m", lobby), ErrInvalidArgument, "error WrapOutgoingMessage: error processing WRAP_MESSAGE request: reInvalidArgument"},
		{wrap(full, "x", "", lobby), ErrInvalidID, "error WrapOutgoingMessage: libsds error: message ID is empty string"},
		{wrap(full, "x", "", ""), ErrInvalidID, "error WrapOutgoingMessage: libsds error: channel ID is empty string"},
		{wrap(full, "x", "\xff", lobby), ErrInvalidID, "error WrapOutgoingMessage: error processing WRAP_MESSAGE request: reInvalidArgument: message ID is not valid UTF-8"},
		{wrap(full, "x", long, lobby), ErrInvalidArgument, "error WrapOutgoingMessage: error processing WRAP_MESSAGE request: reInvalidArgument: message ID has 1025 bytes, more than maxIdBytes (1024)"},
		{wrap(full, "123456789", "m", lobby), ErrMessageTooLarge, "error WrapOutgoingMessage: error processing WRAP_MESSAGE request: reMessageTooLarge"},
		{wrap(full, "x", "m-2", lobby), ErrLimitExceeded, "error WrapOutgoingMessage: error processing WRAP_MESSAGE request: reLimitExceeded: limit exceeded: too many unacknowledged messages: 1 wait for an acknowledgement, as many as maxOutgoingMessages allows"},
		{wrap(closed, "x", "m", lobby), ErrClosed, "error WrapOutgoingMessage: libsds error: invalid context"},
		{unwrap(full, nil), ErrDeserialization, "error UnwrapReceivedMessage: error processing UNWRAP_MESSAGE request: reDeserializationError"},
		{unwrap(full, []byte("no SDS")), ErrDeserialization, "error UnwrapReceivedMessage: error processing UNWRAP_MESSAGE request: reDeserializationError"},
		{unwrap(full, stranger), ErrLimitExceeded, "error UnwrapReceivedMessage: error processing UNWRAP_MESSAGE request: reLimitExceeded: limit exceeded: the channel is unknown and acceptUnknownChannels is false"},
		{full.MarkDependenciesMet([]MessageID{"m"}, "elsewhere"), ErrInvalidArgument, "error MarkDependenciesMet: error processing MARK_DEPENDENCIES_MET request: reInvalidArgument"},
		{full.MarkDependenciesMet([]MessageID{"m", ""}, lobby), ErrInvalidID, "error MarkDependenciesMet: libsds error: message ID is empty string"},
		{full.RemoveChannel(""), ErrInvalidID, "error RemoveChannel: libsds error: channel ID is empty string"},
		{closed.Reset(), ErrClosed, "error ResetReliabilityManager: libsds error: invalid context"},
		{closed.StartPeriodicTasks(), ErrClosed, "error StartPeriodicTasks: libsds error: invalid context"},
		{closed.Cleanup(), ErrClosed, "error CleanupReliabilityManager: libsds error: invalid context"},
		{ticked.StartPeriodicTasks(), ErrInvalidArgument, "error StartPeriodicTasks: error processing START_PERIODIC_TASKS request: reInvalidArgument: invalid argument: Tick drives this manager: the program's loop and the manager's timer exclude each other"},
	} {
		if c.err == nil || c.err.Error() != c.text || !errors.Is(c.err, c.kind) {
			t.Errorf("the error is %v,\nnot %s,\nor is no %v", c.err, c.text, c.kind)
		}
	}
	var details *core.Error
	if err := wrap(full, "", "m", lobby); !errors.As(err, &details) || details.ChannelID != lobby {
		t.Errorf("%v does not tell the channel", err)
	}
}

func TestAnEmptyManagerRefusesEverythingAndCrashesNowhere(t *testing.T) {
	for name, rm := range map[string]*ReliabilityManager{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			rm.RegisterCallbacks(EventCallbacks{})
			rm.OnEvent(`{"eventType":"message_ready"}`)
			rm.OnCallbackError(1, "x")
			if rm.Done() != nil || len(rm.Stats().Metrics) > 0 {
				t.Error("it has something")
			}
			var errs []error
			note := func(err error) { errs = append(errs, err) }
			_, err := rm.WrapOutgoingMessage([]byte("x"), "m", lobby)
			note(err)
			_, err = rm.WrapSyncMessage(lobby)
			note(err)
			_, err = rm.WrapEphemeralMessage([]byte("x"), "m", lobby)
			note(err)
			received, err := rm.UnwrapReceivedMessage(nil)
			note(err)
			_, err = rm.Unwrap(nil)
			note(err)
			_, err = rm.Tick(zeroTime)
			note(err)
			_, err = rm.Inspect(lobby)
			note(err)
			_, err = rm.Overview()
			note(err)
			for _, err := range append(errs, rm.MarkDependenciesMet([]MessageID{"m"}, lobby), rm.EnsureChannel(lobby),
				rm.RemoveChannel(lobby), rm.StartPeriodicTasks(), rm.Reset(), rm.Cleanup()) {
				if err != ErrEmptyManager {
					t.Errorf("a call ends with %v", err)
				}
			}
			if received != nil {
				t.Error("something was received")
			}
		})
	}
}

func TestNoDependenciesAreNothingToDo(t *testing.T) {
	p := newPeer(t)
	mustNot(t, p.MarkDependenciesMet(nil, "unknown"))
	mustNot(t, p.MarkDependenciesMet([]MessageID{}, ""))
}

func TestResetForgetsChannelsAndKeepsTheRest(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	payload := must(alice.WrapOutgoingMessage([]byte("hello"), "m-1", lobby))
	must(bob.UnwrapReceivedMessage(payload))
	bob.take()
	mustNot(t, bob.Reset())
	if overview := must(bob.Overview()); len(overview.Channels) != 0 {
		t.Errorf("there is still %v", overview.Channels)
	}
	must(bob.UnwrapReceivedMessage(payload))
	if got := bob.take(); !slices.Equal(got, []string{"ready m-1 lobby", "delivered m-1 lobby hello"}) {
		t.Errorf("after the reset the message is announced as %q", got)
	}
}

func TestConfigurationComesFromOptionsElseFromTheEnvironment(t *testing.T) {
	most := func(rm *ReliabilityManager) bool { // whether the content may have 9 bytes
		_, err := rm.WrapOutgoingMessage([]byte("123456789"), "m", lobby)
		return err == nil
	}
	t.Setenv("SDS_CONFIG", `{"maxContentBytes":8}`)
	if most(must(NewReliabilityManager(nil))) {
		t.Error("NewReliabilityManager does not read SDS_CONFIG")
	}
	if !most(must(NewReliabilityManagerWithOptions(nil, nil, WithConfig(core.DefaultConfig())))) {
		t.Error("SDS_CONFIG counts beside WithConfig")
	}
	if !most(must(NewReliabilityManagerWithOptions(nil, WithConfigJSON(`{"maxContentBytes":9}`)))) {
		t.Error("SDS_CONFIG counts beside WithConfigJSON")
	}
	t.Setenv("SDS_CONFIG", `{"color":"red"}`)
	if _, err := NewReliabilityManager(zap.NewNop()); !errors.Is(err, ErrInvalidArgument) || !strings.Contains(err.Error(), "SDS_CONFIG") {
		t.Errorf("a wrong SDS_CONFIG gives %v", err)
	}
	if _, err := NewReliabilityManagerWithOptions(nil, WithConfigJSON("{")); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("a wrong configuration gives %v", err)
	}
	if _, err := NewReliabilityManagerWithOptions(nil, WithConfigJSON("{}"), WithParticipantID("\xff")); !errors.Is(err, ErrInvalidID) {
		t.Errorf("a wrong participant id gives %v", err)
	}
}

func TestAStoreServesTheNextManagerOnceDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.sds")
	first := newPeer(t, WithStorePath(path))
	must(first.WrapOutgoingMessage([]byte("hello"), "m-1", lobby))
	if _, err := NewReliabilityManagerWithOptions(nil, WithStorePath(path)); !errors.Is(err, ErrPersistence) {
		t.Errorf("a store in use is opened: %v", err)
	}
	mustNot(t, first.Cleanup())
	<-first.Done()
	second := newPeer(t, WithStorePath(path))
	mustNot(t, second.EnsureChannel(lobby))
	if held := must(second.Inspect(lobby)); len(held.Log) != 1 || len(held.Outgoing) != 1 {
		t.Errorf("of the message it holds %+v", held)
	}
	if _, err := NewReliabilityManagerWithOptions(nil, WithStorePath(path+"2"), WithBackend(new(persistence.Memory))); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("two keepers give %v", err)
	}
}

func TestABackendOfTheProgramKeepsTheChannels(t *testing.T) {
	backend := new(persistence.Memory)
	first := newPeer(t, WithBackend(backend))
	must(first.WrapOutgoingMessage([]byte("hello"), "m-1", lobby))
	mustNot(t, first.Cleanup())
	second := newPeer(t, WithBackend(backend))
	mustNot(t, second.EnsureChannel(lobby))
	if held := must(second.Inspect(lobby)); len(held.Log) != 1 {
		t.Errorf("its log has %+v", held.Log)
	}
	mustNot(t, second.RemoveChannel(lobby))
	if _, err := second.Inspect(lobby); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("inspecting a removed channel gives %v", err)
	}
}

func TestStatsAnswerAfterCleanupToo(t *testing.T) {
	p := newPeer(t)
	must(p.WrapOutgoingMessage([]byte("hello"), "m-1", lobby))
	mustNot(t, p.Cleanup())
	for _, metric := range p.Stats().Metrics {
		if metric.Name == "sds_messages_wrapped_total" && metric.Samples[0].Value == "1" {
			return
		}
	}
	t.Error("the message was not counted")
}
