package wire

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
)

// layout is where the parts of a decoded message lie in its payload, if the
// payload is as a writer of its format writes it: every field known, of the
// right type, in ascending order, none but lists repeated. What is kept of
// such a message can be copied instead of being written again.
type layout struct {
	payload []byte
	format  Format // 0: the payload is laid out otherwise
	// The filter is payload[filterAt:filterEnd], the repair requests
	// payload[repairAt:repairEnd], both possibly nothing.
	filterAt, filterEnd, repairAt, repairEnd int
}

// fieldsOf names the fields of a family of formats, those of a message in
// ascending order, the timestamp excepted.
type fieldsOf struct {
	lamport, filter protowire.Number
	known           []protowire.Number
}

var (
	sdsFields = fieldsOf{sdsLamport, sdsFilter,
		[]protowire.Number{sdsID, sdsHistory, sdsChannel, sdsContent, sdsFilter, sdsSender, sdsDetails, repairRequests}}
	lipFields = fieldsOf{lipLamport, lipFilter,
		[]protowire.Number{lipSender, lipID, lipChannel, lipHistory, lipFilter, repairRequests, lipContent}}
)

// layout finds where the parts of a message of format f lie.
func (o *outline) layout(f Format) layout {
	fields := &sdsFields
	if f == LIP109 {
		fields = &lipFields
	}
	if !o.ascending {
		return layout{}
	}
	found := 0
	if o.fields[fields.lamport].present && o.fields[fields.lamport].count == 0 {
		found = 1
	}
	l := layout{payload: o.payload, format: f, filterAt: len(o.payload), repairAt: len(o.payload)}
	for _, num := range fields.known {
		field := &o.fields[num]
		if field.count > 1 && !isListOf(f, num) {
			return layout{}
		}
		found += field.count
		if field.count == 0 {
			continue
		}
		if num >= fields.filter {
			l.filterAt = min(l.filterAt, field.first)
		}
		if num >= repairRequests {
			l.repairAt = min(l.repairAt, field.first)
		}
	}
	if found != o.total { // a field that is not known, or of another type
		return layout{}
	}
	l.filterEnd, l.repairEnd = l.filterAt, l.repairAt
	if o.fields[fields.filter].count > 0 {
		l.filterEnd = o.fields[fields.filter].end
	}
	if o.fields[repairRequests].count > 0 {
		l.repairEnd = o.fields[repairRequests].end
	}
	return l
}

func isListOf(f Format, num protowire.Number) bool {
	if f == LIP109 {
		return num == lipHistory || num == repairRequests
	}
	return num == sdsHistory || num == sdsDetails || num == repairRequests
}

// verbatim returns the stored form of m, copied from its payload. It is the
// same message; entries may hold more than a writer of ours would have written.
func (m *Message) verbatim() Stored {
	l := &m.layout
	head, middle, tail := l.payload[:l.filterAt], l.payload[l.filterEnd:l.repairAt], l.payload[l.repairEnd:]
	var none []byte // the empty filter field, where the format demands one
	if l.format.writesEmptyFields() {
		none = emptyFilterField
	}
	s := Stored{format: l.format, contentLen: uint32(len(m.Content)), filterAt: uint32(len(head))}
	s.filterEnd = s.filterAt + uint32(len(none))
	s.repairAt = s.filterEnd + uint32(len(middle))
	s.bytes = bytes.Join([][]byte{head, none, middle, tail}, nil)
	return s
}

// emptyFilterField is field 6 with nothing in it.
var emptyFilterField = []byte{byte(sdsFilter<<3) | byte(protowire.BytesType), 0}
