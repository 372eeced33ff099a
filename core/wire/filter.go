package wire

// A Filter writes itself as the content of the bloom filter field, in the form
// that the message's format wants. It does not change between the two calls.
type Filter interface {
	// EncodedLen returns how many bytes AppendTo appends. A filter of 0 bytes
	// is the same as none.
	EncodedLen() int
	// AppendTo appends the filter to dst.
	AppendTo(dst []byte) []byte
}

// A RawFilter is a [Filter] that is encoded already, like [Message].Filter.
type RawFilter []byte

// EncodedLen returns the length of f.
func (f RawFilter) EncodedLen() int { return len(f) }

// AppendTo appends f to dst.
func (f RawFilter) AppendTo(dst []byte) []byte { return append(dst, f...) }

// filter writes the field that holds the bloom filter.
func (w *writer) filter(f Format, filter Filter) {
	n := 0
	if filter != nil {
		n = filter.EncodedLen()
	}
	if n == 0 && !f.writesEmptyFields() {
		return
	}
	w.header(f.filterField(), n)
	switch {
	case n == 0:
	case w.measuring:
		w.size += n
	default:
		w.out = filter.AppendTo(w.out)
	}
}
