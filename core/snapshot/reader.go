package snapshot

import (
	"errors"
	"io"
	"iter"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// token is one field: its number, its type, and the value of that type.
type token struct {
	num    protowire.Number
	typ    protowire.Type
	varint uint64
	bytes  []byte // of a length-delimited field, a view of what was read
}

// fields is a message that was found to be well-formed and to follow its
// schema.
type fields struct {
	schema *schema
	buf    []byte
	last   [lastField + 1]token // of each field, as it last occurred
	count  [lastField + 1]int   // how often it occurred
}

// read reads all of buf as a message of the schema s. It is stricter than
// protowire: no overlong varints, no groups.
func (f *fields) read(buf []byte, s *schema) error {
	*f = fields{schema: s, buf: buf}
	for rest := buf; len(rest) > 0; {
		var t token
		var err error
		if t, rest, err = next(rest); err != nil {
			return err
		}
		if t.num > lastField || s.fields[t.num].name == "" {
			continue
		}
		known := &s.fields[t.num]
		if t.typ != known.typ {
			return f.bad(t.num, "is of a wrong wire type")
		}
		if f.count[t.num] > 0 && known.presence != repeated {
			return f.bad(t.num, "comes twice")
		}
		f.last[t.num] = t
		f.count[t.num]++
	}
	for num := range s.fields {
		if s.fields[num].presence == required && f.count[num] == 0 {
			return f.bad(protowire.Number(num), "is missing")
		}
	}
	return nil
}

// next reads one field from the front of b, which is not empty.
func next(b []byte) (t token, rest []byte, err error) {
	tag, b, err := nextVarint(b)
	if err != nil {
		return t, nil, err
	}
	if tag>>3 < uint64(protowire.MinValidNumber) || tag>>3 > uint64(protowire.MaxValidNumber) {
		return t, nil, malformed("a field number is out of range")
	}
	t.num, t.typ = protowire.Number(tag>>3), protowire.Type(tag&7)
	var size uint64
	switch t.typ {
	case protowire.VarintType:
		t.varint, b, err = nextVarint(b)
	case protowire.BytesType:
		size, b, err = nextVarint(b)
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	default:
		err = malformed("a wire type is a group's or not defined")
	}
	if err != nil {
		return t, nil, err
	}
	if size > uint64(len(b)) {
		return t, nil, malformed("it ends within a field")
	}
	t.bytes = b[:size]
	return t, b[size:], nil
}

func nextVarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := protowire.ConsumeVarint(b)
	switch {
	case n < 0 && errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF):
		return 0, nil, malformed("it ends within a field")
	case n < 0:
		return 0, nil, malformed("a varint overflows 64 bits")
	case n > 1 && b[n-1] == 0: // its top seven bits say nothing
		return 0, nil, malformed("a varint has needless bytes")
	}
	return v, b[n:], nil
}

// bad says that a value is not one that its field can have.
func (f *fields) bad(num protowire.Number, problem string) error {
	return malformed(f.schema.name + "." + f.schema.fields[num].name + " " + problem)
}

// time is 0 where the field is absent, like all that follow.
func (f *fields) time(num protowire.Number) int64 { return int64(f.last[num].varint) }

// atMost returns a varint that must not be above limit.
func (f *fields) atMost(num protowire.Number, limit uint64) (uint64, error) {
	v := f.last[num].varint
	if v > limit {
		return 0, f.bad(num, "is out of range")
	}
	return v, nil
}

// view returns the value, which is not a copy.
func (f *fields) view(num protowire.Number) []byte { return f.last[num].bytes }

// bytes returns a copy of the value, nil where it is empty.
func (f *fields) bytes(num protowire.Number) []byte { return owned(f.view(num)) }

// optionalID returns an id that may be empty, which is the same as absent.
func (f *fields) optionalID(num protowire.Number) (string, error) {
	if !utf8.Valid(f.view(num)) {
		return "", f.bad(num, "is not UTF-8")
	}
	return string(f.view(num)), nil
}

// id returns an id that must not be empty.
func (f *fields) id(num protowire.Number) (string, error) { return f.checkedID(num, f.view(num)) }

func (f *fields) checkedID(num protowire.Number, b []byte) (string, error) {
	switch {
	case len(b) == 0:
		return "", f.bad(num, "is empty")
	case !utf8.Valid(b):
		return "", f.bad(num, "is not UTF-8")
	}
	return string(b), nil
}

// all walks the values of a repeated field, as views.
func (f *fields) all(num protowire.Number) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		rest := f.buf
		for i := 0; i < f.count[num]; {
			// It has been read before, so it is well-formed.
			t, after, _ := next(rest)
			rest = after
			if t.num != num {
				continue
			}
			if !yield(i, t.bytes) {
				return
			}
			i++
		}
	}
}

// ids returns the values of a repeated id, nil where there is none.
func (f *fields) ids(num protowire.Number) ([]string, error) {
	if f.count[num] == 0 {
		return nil, nil
	}
	list := make([]string, f.count[num])
	for i, b := range f.all(num) {
		var err error
		if list[i], err = f.checkedID(num, b); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func owned(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return slices.Clone(b)
}
