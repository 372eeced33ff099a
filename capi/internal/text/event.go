package text

import (
	"strconv"

	"github.com/libsds/libsds/core"
)

// AppendEvent appends an event as the event callback receives it. Hosts that
// search the text instead of parsing it exist, so each type has its keys in
// the order that it always had.
func AppendEvent(dst []byte, e *core.Event) []byte {
	switch e.Type {
	case core.MessageReady, core.MessageSent:
		dst = append(dst, `{"messageId":`...)
		dst = appendString(dst, e.MessageID)
		dst = appendChannel(dst, e)
		dst = append(dst, `,"eventType":`...)
		dst = appendString(dst, e.Type.String())
	case core.MissingDependencies:
		dst = appendType(dst, e)
		dst = appendMessageID(dst, e)
		dst = appendChannel(dst, e)
		dst = append(dst, `,"missingDeps":`...)
		dst = appendDependencies(dst, e.Deps)
	case core.PeriodicSync:
		dst = appendType(dst, e)
		dst = append(dst, `,"channelIds":[`...)
		for i, id := range e.ChannelIDs {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, id)
		}
		dst = append(dst, ']')
	case core.RepairReady:
		dst = appendType(dst, e)
		dst = appendChannel(dst, e)
		dst = append(dst, `,"message":`...)
		dst = appendBase64(dst, e.Message)
	case core.ResendReady:
		dst = appendType(dst, e)
		dst = appendChannel(dst, e)
		dst = appendMessageID(dst, e)
		dst = append(dst, `,"message":`...)
		dst = appendBase64(dst, e.Message)
		dst = append(dst, `,"attempt":`...)
		dst = strconv.AppendInt(dst, int64(e.Attempts), 10)
	case core.DeliveryFailed:
		dst = appendType(dst, e)
		dst = appendChannel(dst, e)
		dst = appendMessageID(dst, e)
		dst = append(dst, `,"attempts":`...)
		dst = strconv.AppendInt(dst, int64(e.Attempts), 10)
	case core.DependenciesLost:
		dst = appendType(dst, e)
		dst = appendChannel(dst, e)
		dst = appendMessageID(dst, e)
		dst = append(dst, `,"lostDeps":`...)
		dst = appendDependencies(dst, e.Deps)
	}
	return append(dst, '}')
}

func appendType(dst []byte, e *core.Event) []byte {
	return appendString(append(dst, `{"eventType":`...), e.Type.String())
}

func appendMessageID(dst []byte, e *core.Event) []byte {
	return appendString(append(dst, `,"messageId":`...), e.MessageID)
}

func appendChannel(dst []byte, e *core.Event) []byte {
	return appendString(append(dst, `,"channelId":`...), e.ChannelID)
}
