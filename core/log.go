package core

import (
	"context"
	"errors"
	"log/slog"
)

// Every line that a manager logs names the operation, as Error.Op does, and the
// channel and the message where there are any. Ids are what peers say, so they
// are attributes, which slog quotes, and never part of the text. Contents,
// payloads and what is kept are in no line.

// log writes a line about an operation. Attributes are built even if nobody
// wants the line: on the path of a message ask debugging first.
func (m *Manager) log(level slog.Level, op, text string, attrs ...slog.Attr) {
	m.logger.LogAttrs(context.Background(), level, text, append([]slog.Attr{slog.String("operation", op)}, attrs...)...)
}

// debugging tells whether anybody wants the lines about single operations and
// events. Each operation asks once.
func (m *Manager) debugging() bool { return m.logger.Enabled(context.Background(), slog.LevelDebug) }

// What the log calls the operations that fail with no Error of their own, or not
// only.
const (
	opOpen  = "open"
	opClose = "close"
	opTick  = "tick" // the periodic tasks, whoever runs them
)

// The attributes that more than one line has.
func channelAttr(id string) slog.Attr { return slog.String("channel", id) }
func messageAttr(id string) slog.Attr { return slog.String("message", id) }
func errorAttr(err error) slog.Attr   { return slog.Any("error", err) }

// fail wraps why an operation failed, and logs it: as a warning, unless it is
// the caller's mistake, or a payload that is no SDS message, as hosts unwrap all
// day. It must not be called while the manager is locked.
func (m *Manager) fail(op, channelID string, err error) error {
	level := slog.LevelWarn
	if errors.Is(err, ErrDeserialization) || errors.Is(err, ErrInvalidArgument) {
		level = slog.LevelDebug
	}
	failure := fail(op, channelID, err)
	if m.logger.Enabled(context.Background(), level) {
		var attrs []slog.Attr
		if failure.ChannelID != "" {
			attrs = append(attrs, channelAttr(failure.ChannelID))
		}
		m.log(level, op, "an operation failed", append(attrs, errorAttr(err))...)
	}
	return failure
}

// eventTexts is what each event says in the log.
var eventTexts = map[EventType]string{
	MessageReady:        "a message is delivered",
	MessageSent:         "a message is acknowledged",
	MissingDependencies: "a message lacks dependencies",
	PeriodicSync:        "it is time for sync messages",
	RepairReady:         "a request for a message is answered",
	ResendReady:         "a message is sent again",
	DeliveryFailed:      "a message is given up, since nobody has acknowledged it",
	DependenciesLost:    "a message no longer waits for its dependencies, which did not come",
}

// logEvent tells of an event that is about to be announced. What was lost is
// told also to those who do not want the others.
func (m *Manager) logEvent(op string, debugging bool, event *Event) {
	level := slog.LevelDebug
	if event.Type == DeliveryFailed || event.Type == DependenciesLost {
		level = slog.LevelWarn
	} else if !debugging {
		return
	}
	attrs := []slog.Attr{slog.String("event", event.Type.String())}
	if event.ChannelID != "" {
		attrs = append(attrs, channelAttr(event.ChannelID), messageAttr(event.MessageID))
	}
	switch event.Type {
	case MissingDependencies, DependenciesLost:
		attrs = append(attrs, slog.Int("dependencies", len(event.Deps)))
	case ResendReady, DeliveryFailed:
		attrs = append(attrs, slog.Int("attempts", event.Attempts))
	case PeriodicSync:
		attrs = append(attrs, slog.Int("channels", len(event.ChannelIDs)))
	}
	m.log(level, op, eventTexts[event.Type], attrs...)
}

// logWrapped and logUnwrapped tell of a step of a locked slot.
func (m *Manager) logWrapped(s *slot, messageID string, kind Kind, bytes int) {
	if !s.debugging {
		return
	}
	attrs := []slog.Attr{channelAttr(s.id)}
	if messageID != "" { // sync messages have one that only the payload knows
		attrs = append(attrs, messageAttr(messageID))
	}
	m.log(slog.LevelDebug, s.operation, "a message was wrapped",
		append(attrs, slog.String("kind", kind.String()), slog.Int("bytes", bytes), slog.Int("requests", s.effects.Requested))...)
}

func (m *Manager) logUnwrapped(s *slot, received *Unwrapped, bytes int) {
	if !s.debugging {
		return
	}
	outcome := "delivered"
	switch {
	case received.Duplicate:
		outcome = "duplicate"
	case received.Buffered:
		outcome = "buffered"
	case received.Kind == KindSync:
		outcome = "taken in"
	}
	m.log(slog.LevelDebug, s.operation, "a message was unwrapped",
		channelAttr(s.id), messageAttr(received.MessageID), slog.String("sender", received.SenderID),
		slog.String("kind", received.Kind.String()), slog.String("outcome", outcome),
		slog.Int("missing", len(received.Missing)), slog.Int("bytes", bytes))
}
