package wire

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// repairRequests is the field of the repair requests in all formats that have
// them.
const repairRequests protowire.Number = 13

// Append appends m in format f to dst and returns the result, which is grown
// at most once. m.Filter and m.Format are ignored: filter is the bloom filter
// to attach, nil for none. What f cannot carry is left out: senders, hints and
// repair requests in sds-0.2.
//
// Append writes what it is given and judges nothing; a message with an empty
// id, say, is written and will be refused by its readers. It panics when f is
// none of the four formats.
func Append(dst []byte, f Format, m *Message, filter Filter) []byte {
	w := writer{measuring: true}
	w.message(f, m, filter)
	w = writer{out: slices.Grow(dst, w.size)}
	w.message(f, m, filter)
	return w.out
}

// message writes the five parts that every format has, in this order. Filter
// and repair requests are parts of their own because they change whenever a
// message is sent again; see [Stored].
func (w *writer) message(f Format, m *Message, filter Filter) {
	w.head(f, m)
	w.filter(f, filter)
	w.middle(f, m)
	w.repairs(f, m.RepairRequests)
	w.tail(f, m)
}

// head writes all fields before the bloom filter.
func (w *writer) head(f Format, m *Message) {
	switch f {
	case SDS02:
		w.headSDS02(m)
	case SDS03:
		w.headSDS03(m)
	case SDS04:
		w.headSDS04(m)
	case LIP109:
		w.headLIP109(m)
	default:
		panic(fmt.Sprintf("wire: format %d is not one to write", uint8(f)))
	}
}

// middle writes the fields between the bloom filter and the repair requests.
func (w *writer) middle(f Format, m *Message) {
	switch f {
	case SDS03:
		w.middleSDS03(m)
	case SDS04:
		w.middleSDS04(m)
	}
}

func (w *writer) repairs(f Format, requests []Entry) {
	if f != SDS02 {
		w.entries(repairRequests, requests)
	}
}

// tail writes all fields after the repair requests.
func (w *writer) tail(f Format, m *Message) {
	if f == LIP109 {
		w.tailLIP109(m)
	}
}
