package bloom

// Rolling is a filter of the newest ids. It grows until it holds a fifth more
// ids than its capacity; then it is rebuilt from the newest four fifths of the
// capacity, so that it never fills up.
//
// It is small until the first Add, so that an idle channel costs little. Full,
// it takes 16 bytes for each id beside the filter. Adding takes constant time,
// averaged over a rebuild, and from the first rebuild on no new memory.
//
// It must not be used by two goroutines at once.
type Rolling struct {
	scheme Scheme
	most   int // ids held at most
	kept   int // ids that a rebuild keeps

	first   parameters // of the filter until it is rebuilt
	rebuilt parameters // of the filter from then on

	filter *Filter  // nil until the first Add
	ids    []Hashes // oldest first
}

// NewRolling returns an empty rolling filter for messages of the given scheme.
//
// A capacity below 0 counts as 0, one over MaxCapacity(errorRate) is cut to
// that. With capacity 0 the filter stays empty.
//
// With Murmur3, readers assume capacity 10,000 and error rate 0.001: the
// filter's size and positions are always those, errorRate has no effect, and
// capacity, cut to 10,000, only says how many ids it is to hold.
func NewRolling(s Scheme, capacity int, errorRate float64) *Rolling {
	if s == Murmur3 {
		capacity = min(max(capacity, 0), lipParameters.capacity)
		return newRolling(s, capacity, lipParameters, lipParameters)
	}
	capacity = min(max(capacity, 0), MaxCapacity(errorRate))
	return newRolling(s, capacity,
		newParameters(capacity, errorRate),
		newParameters(mostIDs(capacity), errorRate))
}

func newRolling(s Scheme, capacity int, first, rebuilt parameters) *Rolling {
	return &Rolling{
		scheme:  s,
		most:    mostIDs(capacity),
		kept:    keptIDs(capacity),
		first:   first,
		rebuilt: rebuilt,
	}
}

// MaxCapacity returns the largest capacity that a rolling filter of this error
// rate can have: at its largest, it then is as large as filters are read. It
// is 0 for error rates outside of (0, 1) or below 4e-20.
func MaxCapacity(errorRate float64) int {
	bits, _ := perElement(errorRate)
	if bits == 0 {
		return 0
	}
	elements := maxBits / bits
	return (5*elements + 4) / 6 // the largest of which mostIDs is elements
}

// mostIDs is how many ids a rolling filter holds before it is rebuilt.
func mostIDs(capacity int) int { return capacity * 6 / 5 }

// keptIDs is from how many ids it is rebuilt.
func keptIDs(capacity int) int { return capacity * 4 / 5 }

// Scheme returns the scheme whose hashes Add takes and whose layout AppendTo
// writes.
func (r *Rolling) Scheme() Scheme { return r.scheme }

// Len returns the number of ids that the filter was built from.
func (r *Rolling) Len() int { return len(r.ids) }

// Add adds an id, given by its hashes of the filter's scheme. An id that is
// added twice counts twice.
func (r *Rolling) Add(h Hashes) {
	if r.most == 0 {
		return
	}
	if r.filter == nil {
		r.filter = newFilter(r.first)
	}
	r.ids = append(r.ids, h)
	if len(r.ids) > r.most {
		r.rebuild()
		return
	}
	r.filter.Add(h)
}

// rebuild forgets all ids but the newest.
func (r *Rolling) rebuild() {
	newest := r.ids[len(r.ids)-r.kept:]
	r.ids = r.ids[:copy(r.ids, newest)]
	if r.filter.parameters == r.rebuilt {
		r.filter.Clear()
	} else {
		r.filter = newFilter(r.rebuilt)
	}
	for _, h := range r.ids {
		r.filter.Add(h)
	}
}

// Fill returns the share of the filter's bits that are set, from 0 to 1. It
// counts them.
func (r *Rolling) Fill() float64 {
	if r.filter == nil {
		return 0
	}
	return r.filter.Fill()
}

// EncodedLen returns how many bytes AppendTo appends.
func (r *Rolling) EncodedLen() int {
	parameters, _ := r.current()
	if r.scheme == Murmur3 {
		return parameters.dataLen()
	}
	return parameters.sdsLen()
}

// AppendTo appends the filter as messages of its scheme carry it, and returns
// the longer slice. It allocates only where dst lacks the room.
func (r *Rolling) AppendTo(dst []byte) []byte {
	parameters, words := r.current()
	if r.scheme == Murmur3 {
		return parameters.appendLIP(dst, words)
	}
	return parameters.appendSDS(dst, words)
}

// current returns what there is to encode; nil words where nothing was added.
func (r *Rolling) current() (parameters, []uint64) {
	if r.filter == nil {
		return r.first, nil
	}
	return r.filter.parameters, r.filter.words
}
