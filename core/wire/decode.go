package wire

import (
	"slices"
	"unicode/utf8"

	"github.com/libsds/libsds/core/limits"
	"google.golang.org/protobuf/encoding/protowire"
)

// Decode reads one message of any format from b into m, whose previous value
// it replaces; only the capacity of m's slices is reused. With a message used
// again and again it does not allocate. Everything in m is a view of b, see
// [Message]. lim must not be nil; its MaxWireBytes, MaxContentBytes,
// MaxHistoryEntries and MaxIDBytes hold. Ids of entries and senders are bound
// by MaxIDBytes too, the filter only by MaxWireBytes. A hint over
// limits.MaxHintBytes is dropped from its entry.
//
// The error wraps [ErrMalformed] or [ErrTooLarge], and m is then empty.
func Decode(b []byte, lim *limits.Limits, m *Message) error {
	m.clear()
	d := decoder{limits: lim, message: m}
	if err := d.decode(b); err != nil {
		m.clear()
		return err
	}
	return nil
}

// clear empties m and keeps the capacity of its lists, but no view in them.
func (m *Message) clear() {
	clear(m.History)
	clear(m.RepairRequests)
	*m = Message{History: m.History[:0], RepairRequests: m.RepairRequests[:0]}
}

// A decoder reads one payload: first its outline, then, in the file of its
// format, its values.
type decoder struct {
	outline
	limits  *limits.Limits
	message *Message
	// checked is the last sender found to be well-formed: most messages cite
	// few senders, and comparing costs less than checking.
	checked string
	// lossy says that something was left out of m that the payload holds.
	lossy bool
}

func (d *decoder) decode(payload []byte) error {
	if len(payload) == 0 {
		return errEmptyPayload
	}
	if len(payload) > d.limits.MaxWireBytes {
		return tooLarge("the payload is too long", d.limits.MaxWireBytes)
	}
	if err := d.outline.read(payload, d.limits.MaxHistoryEntries); err != nil {
		return err
	}
	decode := d.decodeSDS
	if d.isLIP109() {
		decode = d.decodeLIP109
	}
	if err := decode(); err != nil {
		return err
	}
	if !d.lossy {
		d.message.layout = d.outline.layout(d.message.Format)
	}
	return nil
}

// requiredID reads a singular field that must hold an id.
func (d *decoder) requiredID(num protowire.Number, what string) (string, error) {
	f := &d.fields[num]
	switch {
	case !f.present:
		return "", malformedField(what, "is missing")
	case f.typ != protowire.BytesType:
		return "", malformedField(what, "is not a string")
	}
	return d.id(d.bytes(num), what)
}

// id checks an id that must not be empty.
func (d *decoder) id(b []byte, what string) (string, error) {
	if len(b) == 0 {
		return "", malformedField(what, "is empty")
	}
	return d.optionalID(b, what)
}

// optionalID checks an id that may be empty, which is the same as absent.
func (d *decoder) optionalID(b []byte, what string) (string, error) {
	if len(b) > d.limits.MaxIDBytes {
		return "", tooLarge("the "+what+" is too long", d.limits.MaxIDBytes)
	}
	if !utf8.Valid(b) {
		return "", malformedField(what, "is not UTF-8")
	}
	return view(b), nil
}

// sender checks the sender of an entry.
func (d *decoder) sender(b []byte) (string, error) {
	if string(b) == d.checked {
		return view(b), nil
	}
	id, err := d.optionalID(b, "sender of an entry")
	if err == nil {
		d.checked = id
	}
	return id, err
}

// lamport reads the timestamp, if the field is there.
func (d *decoder) lamport(num protowire.Number) error {
	f := &d.fields[num]
	switch {
	case !f.present:
		return nil
	case f.typ != protowire.VarintType:
		return malformedField("lamport timestamp", "is not a varint")
	case f.varint > limits.MaxLamport:
		return errLamportRange
	}
	d.message.Lamport, d.message.HasLamport = f.varint, true
	return nil
}

// content reads the content, if the field is there.
func (d *decoder) content(num protowire.Number) error {
	f := &d.fields[num]
	switch {
	case !f.present:
		return nil
	case f.typ != protowire.BytesType:
		return malformedField("content", "is not bytes")
	case f.end-f.start > d.limits.MaxContentBytes:
		return tooLarge("the content is too long", d.limits.MaxContentBytes)
	}
	d.message.Content = d.bytes(num)
	return nil
}

// entries appends to dst the values of a repeated field that holds nothing but
// entries.
func (d *decoder) entries(dst []Entry, num protowire.Number) ([]Entry, error) {
	dst = slices.Grow(dst, d.fields[num].count)
	l := d.list(num)
	for l.next() {
		raw, err := parseEntry(l.value())
		if err != nil {
			return dst, err
		}
		dst = append(dst, Entry{})
		if err := d.entry(&raw, &dst[len(dst)-1]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}
