package sds

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// exchange has bob receive the second of alice's messages, the first, and answer.
func exchange(alice, bob *peer) {
	first := must(alice.WrapOutgoingMessage([]byte("one"), "m-1", lobby))
	second := must(alice.WrapOutgoingMessage([]byte("two"), "m-2", lobby))
	must(bob.UnwrapReceivedMessage(second))
	must(bob.UnwrapReceivedMessage(first))
	must(alice.UnwrapReceivedMessage(must(bob.WrapOutgoingMessage([]byte("yes"), "m-3", lobby))))
}

func TestCallbacksComeInCausalOrderBeforeTheirOperationReturns(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	exchange(alice, bob)
	if got, want := bob.take(), []string{
		"missing m-2 lobby [m-1]",
		"ready m-1 lobby", "delivered m-1 lobby one", "ready m-2 lobby", "delivered m-2 lobby two",
	}; !slices.Equal(got, want) {
		t.Errorf("bob is told %q, not %q", got, want)
	}
	if got, want := alice.take(), []string{
		"sent m-1 lobby", "sent m-2 lobby", "ready m-3 lobby", "delivered m-3 lobby yes",
	}; !slices.Equal(got, want) {
		t.Errorf("alice is told %q, not %q", got, want)
	}
}

func TestNilCallbacksForgetTheirEvents(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	alice.RegisterCallbacks(EventCallbacks{})
	bob.RegisterCallbacks(EventCallbacks{})
	exchange(alice, bob)
	bob.RegisterCallbacks(bob.noting())
	if got := slices.Concat(alice.take(), bob.take()); len(got) > 0 {
		t.Errorf("somebody is told %q", got)
	}
}

func TestEventsBeforeTheFirstCallbacksAreKeptTheNewestOfThem(t *testing.T) {
	sender := newPeer(t)
	receiver := must(NewReliabilityManager(nil))
	defer receiver.Cleanup()
	last := EventChanBufferSize + 9
	for i := range last + 1 {
		must(sender.WrapOutgoingMessage([]byte("x"), MessageID(fmt.Sprint(i)), fmt.Sprint("channel ", i)))
		must(receiver.UnwrapReceivedMessage(must(sender.WrapOutgoingMessage([]byte("x"), MessageID(fmt.Sprint("alone ", i)), fmt.Sprint("other ", i)))))
	}
	var ids []MessageID
	receiver.RegisterCallbacks(EventCallbacks{OnMessageReady: func(id MessageID, _ string) { ids = append(ids, id) }})
	if len(ids) != EventChanBufferSize || ids[0] != "alone 10" || ids[len(ids)-1] != MessageID(fmt.Sprint("alone ", last)) {
		t.Errorf("%d events are delivered", len(ids))
	}
}

func TestACallbackMayCallBackInAndItsEventsComeAfterIt(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	var order []string
	var reply []byte
	bob.RegisterCallbacks(EventCallbacks{OnMessageReady: func(id MessageID, channel string) {
		order = append(order, "begin "+string(id))
		if id == "m-1" {
			must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("two"), "m-2", channel))))
			reply = must(bob.WrapOutgoingMessage([]byte("yes"), "m-3", channel))
		}
		order = append(order, "end "+string(id))
	}})
	must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("one"), "m-1", lobby))))
	if want := []string{"begin m-1", "end m-1", "begin m-2", "end m-2"}; !slices.Equal(order, want) {
		t.Errorf("the callbacks run as %q", order)
	}
	must(alice.UnwrapReceivedMessage(reply))
}

func TestACallbackMayReplaceTheCallbacks(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	bob.RegisterCallbacks(EventCallbacks{OnMissingDependencies: func(MessageID, []HistoryEntry, string) {
		bob.RegisterCallbacks(bob.noting())
	}})
	exchange(alice, bob)
	if got := bob.take(); len(got) != 4 || got[0] != "ready m-1 lobby" {
		t.Errorf("the new callbacks are told %q", got)
	}
}

func TestCleanupInsideACallbackEndsEverythingAfterIt(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	var calls int
	bob.RegisterCallbacks(EventCallbacks{
		OnMessageReady: func(MessageID, string) {
			calls++
			mustNot(t, bob.Cleanup())
			select {
			case <-bob.Done():
				t.Error("it is done in the midst of a call")
			default:
			}
		},
	})
	first := must(alice.WrapOutgoingMessage([]byte("one"), "m-1", lobby))
	must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("two"), "m-2", lobby))))
	must(bob.UnwrapReceivedMessage(first)) // both are ready
	<-bob.Done()
	if calls != 1 {
		t.Errorf("%d callbacks ran", calls)
	}
}

func TestACallbackThatPanicsDoesSoThroughItsOperationAndHarmsNothing(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	bob.RegisterCallbacks(EventCallbacks{OnMessageReady: func(id MessageID, _ string) {
		if id == "m-1" {
			panic("oh")
		}
		bob.note("ready %s", id)
	}})
	func() {
		defer func() {
			if problem := recover(); problem != "oh" {
				t.Errorf("the operation panics with %v", problem)
			}
		}()
		must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("one"), "m-1", lobby))))
	}()
	must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("two"), "m-2", lobby))))
	if got := bob.take(); !slices.Equal(got, []string{"ready m-2"}) {
		t.Errorf("after it come %q", got)
	}
	mustNot(t, bob.Cleanup())
	<-bob.Done()
}

func TestWhatCallbacksAreGivenIsTheirs(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	var content []byte
	bob.RegisterCallbacks(EventCallbacks{
		OnMessageDelivered: func(message []byte, _ MessageID, _ string) { content = message },
	})
	must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("one"), "m-1", lobby))))
	if string(content) != "one" {
		t.Fatalf("delivered %q", content)
	}
	before := must(bob.Inspect(lobby))
	clear(content)
	if after := must(bob.Inspect(lobby)); after.Log[0].MessageID != before.Log[0].MessageID {
		t.Error("the log changed")
	}
	var again []byte
	bob.RegisterCallbacks(EventCallbacks{OnMessageDelivered: func(message []byte, _ MessageID, _ string) { again = message }})
	must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("two"), "m-2", lobby))))
	if string(again) != "two" {
		t.Errorf("delivered %q", again)
	}
}

func TestHintsReachThePeersWhoMissTheMessage(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	hint := []byte("archive")
	alice.RegisterCallbacks(EventCallbacks{RetrievalHintProvider: func(id MessageID) []byte { return hint }})
	must(alice.WrapOutgoingMessage([]byte("one"), "m-1", lobby))
	payload := must(alice.WrapOutgoingMessage([]byte("two"), "m-2", lobby))
	copy(hint, "ruined!")
	if deps := *must(bob.UnwrapReceivedMessage(payload)).MissingDeps; len(deps) != 1 || string(deps[0].RetrievalHint) != "archive" {
		t.Errorf("bob misses %q", deps)
	}
	alice.RegisterCallbacks(EventCallbacks{})
	must(alice.WrapOutgoingMessage([]byte("three"), "m-3", lobby)) // nobody is asked any more
	payload = must(alice.WrapOutgoingMessage([]byte("four"), "m-4", lobby))
	if deps := *must(bob.UnwrapReceivedMessage(payload)).MissingDeps; len(deps[len(deps)-1].RetrievalHint) != 0 {
		t.Errorf("bob misses %q", deps)
	}
}

func TestOnEventCallsTheCallbacksInTheJSONOfTheCAPI(t *testing.T) {
	p := newPeer(t)
	for _, event := range []string{
		`{"eventType":"message_ready","messageId":"m","channelId":"c"}`,
		`{"eventType":"message_sent","messageId":"m","channelId":"c"}`,
		`{"eventType":"missing_dependencies","messageId":"m","channelId":"c","missingDeps":[{"messageId":"d","retrievalHint":""}]}`,
		`{"eventType":"periodic_sync","channelIds":["c"]}`,
		`{"eventType":"repair_ready","channelId":"c","message":"AAA="}`,
		`{"eventType":"resend_ready","messageId":"m","channelId":"c","message":"AAA=","attempt":2}`,
		`{"eventType":"message_delivery_failed","messageId":"m","channelId":"c","attempts":5}`,
		`{"eventType":"dependencies_lost","messageId":"m","channelId":"c","lostDeps":[{"messageId":"d"}]}`,
		`{"eventType":"of tomorrow"}`, `[]`, `{`, ``, "\xff",
	} {
		p.OnEvent(event)
	}
	if got, want := p.take(), []string{
		"ready m c", "delivered m c ", "sent m c", "missing m c [d]", "sync", "due [c]", "repair 2 c",
		"resend m c 2 true", "failed m c 5", "lost m c [d]",
	}; !slices.Equal(got, want) {
		t.Errorf("the callbacks are told %q, not %q", got, want)
	}
}

func TestTheLoggerHearsOfOperationsAndOfNoContent(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	rm := must(NewReliabilityManager(zap.New(core).Named("chat").With(zap.String("account", "alice"))))
	must(rm.WrapOutgoingMessage([]byte("secret"), "m-1", lobby))
	rm.OnCallbackError(7, "gone wrong")
	mustNot(t, rm.Cleanup())
	var wrapped, told bool
	for _, line := range logs.All() {
		fields := line.ContextMap()
		if strings.Contains(fmt.Sprint(line.Message, fields), "secret") {
			t.Errorf("the content is in %q %v", line.Message, fields)
		}
		if line.LoggerName == "chat" && fields["account"] == "alice" && fields["operation"] == "wrap" && fields["message"] == "m-1" && line.Level == zapcore.DebugLevel {
			wrapped = true
		}
		told = told || line.Level == zapcore.ErrorLevel && fields["retCode"] == int64(7) && fields["errMsg"] == "gone wrong"
	}
	if !wrapped || !told {
		t.Errorf("the log is %v", logs.All())
	}
}
