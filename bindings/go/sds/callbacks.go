package sds

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/libsds/libsds/core"
)

// EventChanBufferSize is how many events, the newest, wait for callbacks before any are
// registered.
const EventChanBufferSize = 1024

// EventCallbacks are what a manager calls. Each may be nil: then the event is forgotten.
// The package documentation says when and where they run.
type EventCallbacks struct {
	// OnMessageReady tells that a received message was delivered: everything that it
	// cites was delivered before it, declared met or lost.
	OnMessageReady func(messageId MessageID, channelId string)
	// OnMessageSent tells that somebody has received a message of ours.
	OnMessageSent func(messageId MessageID, channelId string)
	// OnMissingDependencies tells what a received message waits for.
	OnMissingDependencies func(messageId MessageID, missingDeps []HistoryEntry, channelId string)
	// OnPeriodicSync reminds of saying something.
	OnPeriodicSync func()
	// OnRepairReady gives a payload to be broadcast, which a peer asked for.
	OnRepairReady func(message []byte, channelId string)
	// RetrievalHintProvider returns what the program knows about where a message can be
	// fetched, or nothing, to be told to peers who may miss it. It must not call the
	// manager. What it returns is copied.
	RetrievalHintProvider func(messageId MessageID) []byte

	// What follows is not in the replaced bindings.

	// OnMessageDelivered is OnMessageReady with the content, for programs that show
	// messages as they are delivered. It comes after that.
	OnMessageDelivered func(message []byte, messageId MessageID, channelId string)
	// OnResendReady gives a payload to be broadcast: a message of ours that nobody has
	// acknowledged, encoded afresh for the attempt-th resend.
	OnResendReady func(message []byte, messageId MessageID, channelId string, attempt int)
	// OnDeliveryFailed tells that a message of ours was given up after so many resends.
	OnDeliveryFailed func(messageId MessageID, channelId string, attempts int)
	// OnDependenciesLost tells that a message was delivered although others, which it
	// cites, never came.
	OnDependenciesLost func(messageId MessageID, lostDeps []HistoryEntry, channelId string)
	// OnSyncDue is OnPeriodicSync with the channels that have something to say, maybe
	// none. It comes after that.
	OnSyncDue func(channelIds []string)
}

// RegisterCallbacks sets all callbacks, in place of those before: from the next event on,
// and from the next message wrapped on for the hint provider. The newest
// EventChanBufferSize events from before the first registration are delivered now.
func (rm *ReliabilityManager) RegisterCallbacks(callbacks EventCallbacks) {
	if rm.begin() != nil {
		return
	}
	defer rm.leave()
	rm.setCallbacks(&callbacks)
	rm.deliver()
}

func (rm *ReliabilityManager) setCallbacks(callbacks *EventCallbacks) {
	rm.register.Lock()
	defer rm.register.Unlock()
	rm.callbacks.Store(callbacks)
	rm.manager.KeepEvents(0) // they are all taken after every operation from now on
	if callbacks.RetrievalHintProvider == nil {
		rm.manager.SetHints(nil)
		return
	}
	rm.manager.SetHints(func(_, messageID string) []byte {
		return own(callbacks.RetrievalHintProvider(MessageID(messageID)))
	})
}

// deliver calls the callbacks for the waiting events. Who finds somebody else at it, or
// is called from inside a callback, leaves them to that.
func (rm *ReliabilityManager) deliver() {
	for rm.callbacks.Load() != nil && rm.waits() && rm.delivering.TryLock() {
		rm.deliverWaiting()
	}
}

// waits tells whether there is something to deliver and somebody who wants it.
func (rm *ReliabilityManager) waits() bool {
	return !rm.closed.Load() && (rm.manager.HasEvents() || rm.told.waiting.Load() > 0)
}

func (rm *ReliabilityManager) deliverWaiting() {
	defer rm.delivering.Unlock()
	for !rm.closed.Load() {
		event, ok := rm.told.take()
		if !ok {
			event, ok = rm.manager.NextEvent()
		}
		if !ok {
			return
		}
		rm.callbacks.Load().call(&event)
	}
}

func (c *EventCallbacks) call(event *core.Event) {
	id := MessageID(event.MessageID)
	switch event.Type {
	case core.MessageReady:
		if c.OnMessageReady != nil {
			c.OnMessageReady(id, event.ChannelID)
		}
		if c.OnMessageDelivered != nil {
			c.OnMessageDelivered(own(event.Content), id, event.ChannelID)
		}
	case core.MessageSent:
		if c.OnMessageSent != nil {
			c.OnMessageSent(id, event.ChannelID)
		}
	case core.MissingDependencies:
		if c.OnMissingDependencies != nil {
			c.OnMissingDependencies(id, entries(event.Deps), event.ChannelID)
		}
	case core.PeriodicSync:
		if c.OnPeriodicSync != nil {
			c.OnPeriodicSync()
		}
		if c.OnSyncDue != nil {
			c.OnSyncDue(event.ChannelIDs)
		}
	case core.RepairReady:
		if c.OnRepairReady != nil {
			c.OnRepairReady(own(event.Message), event.ChannelID)
		}
	case core.ResendReady:
		if c.OnResendReady != nil {
			c.OnResendReady(own(event.Message), id, event.ChannelID, event.Attempts)
		}
	case core.DeliveryFailed:
		if c.OnDeliveryFailed != nil {
			c.OnDeliveryFailed(id, event.ChannelID, event.Attempts)
		}
	case core.DependenciesLost:
		if c.OnDependenciesLost != nil {
			c.OnDependenciesLost(id, entries(event.Deps), event.ChannelID)
		}
	}
}

// told are the events that the program itself told of, with OnEvent.
type told struct {
	mu      sync.Mutex
	events  []core.Event
	waiting atomic.Int64
}

func (t *told) put(event core.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, event)
	t.waiting.Add(1)
}

func (t *told) take() (core.Event, bool) {
	if t.waiting.Load() == 0 {
		return core.Event{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.events) == 0 {
		return core.Event{}, false
	}
	event := t.events[0]
	t.events = t.events[1:]
	t.waiting.Add(-1)
	return event, true
}

// eventTypes are the types of events by the names that their JSON has.
var eventTypes = func() map[string]core.EventType {
	types := make(map[string]core.EventType)
	for t := core.MessageReady; t <= core.DependenciesLost; t++ {
		types[t.String()] = t
	}
	return types
}()

// OnEvent calls the callbacks for an event in the JSON of the C API. The replaced
// bindings export it for their own use; here it serves tests of callbacks. Other text
// is logged, and events of unknown types are ignored, as is everything before there are
// callbacks.
func (rm *ReliabilityManager) OnEvent(eventStr string) {
	if rm.begin() != nil {
		return
	}
	defer rm.leave()
	var text struct {
		EventType   string         `json:"eventType"`
		MessageID   string         `json:"messageId"`
		ChannelID   string         `json:"channelId"`
		MissingDeps []HistoryEntry `json:"missingDeps"`
		LostDeps    []HistoryEntry `json:"lostDeps"`
		Message     []byte         `json:"message"`
		Attempt     int            `json:"attempt"`
		Attempts    int            `json:"attempts"`
		ChannelIDs  []string       `json:"channelIds"`
	}
	if err := json.Unmarshal([]byte(eventStr), &text); err != nil {
		rm.logger.Error("an event is not in the JSON of events", zap.Error(err))
		return
	}
	kind, known := eventTypes[text.EventType]
	if !known || rm.callbacks.Load() == nil {
		return
	}
	event := core.Event{
		Type: kind, ChannelID: text.ChannelID, MessageID: text.MessageID, Message: text.Message, Content: text.Message,
		Attempts: max(text.Attempt, text.Attempts), ChannelIDs: text.ChannelIDs,
	}
	for _, dep := range append(text.MissingDeps, text.LostDeps...) {
		event.Deps = append(event.Deps, core.Dependency{ID: string(dep.MessageID), Hint: dep.RetrievalHint})
	}
	rm.told.put(event)
	rm.deliver()
}

// OnCallbackError logs an error of the replaced bindings' native side, which this
// package does not have: it calls it never.
func (rm *ReliabilityManager) OnCallbackError(callerRet int, err string) {
	if rm == nil || rm.logger == nil {
		return
	}
	rm.logger.Error("a callback was told of an error", zap.Int("retCode", callerRet), zap.String("errMsg", err))
}
