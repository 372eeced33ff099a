package text

import (
	"strconv"

	"github.com/libsds/libsds/core"
)

// UnwrappedBound is the room that AppendUnwrapped needs.
func UnwrappedBound(u *core.Unwrapped) int {
	const skeleton = `{"message":[],"channelId":,"missingDeps":,"messageId":,"senderId":,"lamportTimestamp":18446744073709551615,"kind":"ephemeral","duplicate":false,"buffered":false}`
	return len(skeleton) + DecimalBound(len(u.Content)) + dependenciesBound(u.Missing) +
		stringBound(u.ChannelID) + stringBound(u.MessageID) + stringBound(u.SenderID)
}

// AppendUnwrapped appends the result of SdsUnwrapReceivedMessage: the keys of
// the replaced library, then ours. The capacity of dst must have room for
// UnwrappedBound(u) more.
func AppendUnwrapped(dst []byte, u *core.Unwrapped) []byte {
	dst = append(dst, `{"message":[`...)
	dst = AppendDecimal(dst, u.Content)
	dst = append(dst, `],"channelId":`...)
	dst = appendString(dst, u.ChannelID)
	dst = append(dst, `,"missingDeps":`...)
	dst = appendDependencies(dst, u.Missing)
	dst = append(dst, `,"messageId":`...)
	dst = appendString(dst, u.MessageID)
	dst = append(dst, `,"senderId":`...)
	dst = appendString(dst, u.SenderID)
	dst = append(dst, `,"lamportTimestamp":`...)
	dst = strconv.AppendUint(dst, u.Lamport, 10)
	dst = append(dst, `,"kind":`...)
	dst = appendString(dst, u.Kind.String())
	dst = append(dst, `,"duplicate":`...)
	dst = strconv.AppendBool(dst, u.Duplicate)
	dst = append(dst, `,"buffered":`...)
	dst = strconv.AppendBool(dst, u.Buffered)
	return append(dst, '}')
}
