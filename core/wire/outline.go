package wire

import "google.golang.org/protobuf/encoding/protowire"

// lastField is the highest field number that any format uses.
const lastField = 20

// An outline is what a first walk over a payload finds: the last value of
// every known field, and where the repeated ones begin. It proves the payload
// to be well-formed and tells its format.
type outline struct {
	payload []byte
	fields  [lastField + 1]occurrences
	// total counts all fields; ascending is whether none came after a higher
	// number.
	total     int
	ascending bool
}

// occurrences is what a payload holds under one field number.
type occurrences struct {
	present bool
	typ     protowire.Type // of the last occurrence
	varint  uint64         // the last value of wire type varint
	count   int            // of length-delimited values
	first   int            // where the field of the first of them begins
	start   int            // payload[start:end] is the last of them
	end     int
}

// read fills o, which must be zero. The fields that hold lists in some format
// may occur at most maxEntries times. That is checked here, before the format
// is known, so that no later step meets a longer list; it also refuses a
// lip-109 message that repeats its channel id thousands of times.
func (o *outline) read(payload []byte, maxEntries int) error {
	o.payload = payload
	o.ascending = true
	r := reader{buf: payload}
	var last protowire.Number
	for {
		at := r.pos
		if !r.next() {
			return r.err
		}
		o.total++
		o.ascending = o.ascending && r.num >= last
		last = r.num
		if r.num > lastField {
			continue
		}
		f := &o.fields[r.num]
		f.present, f.typ = true, r.typ
		switch r.typ {
		case protowire.VarintType:
			f.varint = r.varint
		case protowire.BytesType:
			if f.count == 0 {
				f.first = at
			}
			f.start, f.end = r.start, r.pos
			f.count++
			if f.count > maxEntries && isList(r.num) {
				return tooLarge("the entries in its lists are too many", maxEntries)
			}
		}
	}
}

func isList(num protowire.Number) bool {
	switch num {
	case sdsHistory, sdsDetails, lipHistory, repairRequests:
		return true
	}
	return false
}

// isLIP109 tells the specification's format from the sds-* ones: its field 2
// is a string, theirs a number. Without field 2, the field numbers that only
// it uses decide.
func (o *outline) isLIP109() bool {
	if f := &o.fields[lipID]; f.present {
		return f.typ == protowire.BytesType
	}
	return o.fields[lipLamport].present || o.fields[lipHistory].present ||
		o.fields[lipFilter].present || o.fields[lipContent].present
}

// bytes returns the last length-delimited value of a field, a view of the
// payload, or nil if there is none.
func (o *outline) bytes(num protowire.Number) []byte {
	f := &o.fields[num]
	if f.count == 0 {
		return nil
	}
	return o.payload[f.start:f.end:f.end]
}

// list returns the length-delimited values of one field, in order.
func (o *outline) list(num protowire.Number) list {
	f := &o.fields[num]
	return list{reader: reader{buf: o.payload, pos: f.first}, num: num, left: f.count}
}

// A list walks the values of one repeated field of a payload that an outline
// has found well-formed.
type list struct {
	reader reader
	num    protowire.Number
	left   int
}

// next goes to the next value; false means that there is none.
func (l *list) next() bool {
	for l.left > 0 && l.reader.next() {
		if l.reader.num == l.num && l.reader.typ == protowire.BytesType {
			l.left--
			return true
		}
	}
	return false
}

// value returns what next has found, a view of the payload.
func (l *list) value() []byte { return l.reader.bytes() }
