// Package bloom holds the bloom filters that SDS messages carry: the rolling
// filter of ids that a channel has received, which it attaches to what it
// sends (Rolling, over Filter), and the filters of others, which are read in
// place (View).
//
// An id is hashed once (Scheme.Sum), and its Hashes are kept beside it: with
// them a test against any filter costs a few nanoseconds, whatever the
// filter's size.
//
// The package is a pure function of its inputs: no goroutine, lock, clock or
// randomness. A Filter and a Rolling must not be used by two goroutines at
// once; a View never changes, so any number may read it.
//
// The formats are those of PROTOCOL, section 2. The bit set is that of
// bits-and-blooms; the positions of an id in it are ours, because that
// module's are others.
package bloom
