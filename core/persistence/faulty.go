package persistence

import (
	"errors"
	"slices"
	"sync"

	"github.com/libsds/libsds/core/snapshot"
)

// ErrInjected is how a call fails that a Faulty was told to fail.
var ErrInjected = errors.New("injected fault")

// Faulty is a Backend for tests that fails on demand. A call that fails does
// not reach the backend inside: with FailFrom and no procedure named, that
// backend is what a crash at the nth call would leave behind. It is safe for
// concurrent use.
type Faulty struct {
	inner Backend

	mu       sync.Mutex
	faults   []*fault
	failures int
}

// fault counts down the calls that it concerns.
type fault struct {
	procedures []Procedure // all when empty
	left       int         // calls until it strikes
	lasting    bool
}

// NewFaulty returns a Backend that passes everything on to inner until it is
// told otherwise.
func NewFaulty(inner Backend) *Faulty { return &Faulty{inner: inner} }

// FailOnce fails the nth call (1 is the next) of the named procedures, counted
// together; of all when none is named.
func (f *Faulty) FailOnce(n int, procedures ...Procedure) {
	f.inject(&fault{procedures: procedures, left: n})
}

// FailFrom fails the nth call (1 is the next) of the named procedures, counted
// together, and all that follow; of all procedures when none is named.
func (f *Faulty) FailFrom(n int, procedures ...Procedure) {
	f.inject(&fault{procedures: procedures, left: n, lasting: true})
}

func (f *Faulty) inject(added *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, added)
}

// Heal forgets every fault.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Failures returns how many calls failed so far.
func (f *Faulty) Failures() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failures
}

// strike counts a call and tells whether it fails.
func (f *Faulty) strike(procedure Procedure) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	failed := false
	for _, fault := range f.faults {
		if len(fault.procedures) > 0 && !slices.Contains(fault.procedures, procedure) {
			continue
		}
		fault.left--
		if fault.left == 0 || fault.left < 0 && fault.lasting {
			failed = true
		}
	}
	if !failed {
		return nil
	}
	f.failures++
	return ErrInjected
}

// SaveChannelMeta fails or passes the call on.
func (f *Faulty) SaveChannelMeta(channelID string, meta []byte) error {
	if err := f.strike(SaveChannelMeta); err != nil {
		return err
	}
	return f.inner.SaveChannelMeta(channelID, meta)
}

// UpdateHistory fails or passes the call on.
func (f *Faulty) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	if err := f.strike(UpdateHistory); err != nil {
		return err
	}
	return f.inner.UpdateHistory(channelID, update)
}

// LoadChannel fails or passes the call on.
func (f *Faulty) LoadChannel(channelID string) (Kept, error) {
	if err := f.strike(LoadChannel); err != nil {
		return Kept{}, err
	}
	return f.inner.LoadChannel(channelID)
}

// DropChannel fails or passes the call on.
func (f *Faulty) DropChannel(channelID string) error {
	if err := f.strike(DropChannel); err != nil {
		return err
	}
	return f.inner.DropChannel(channelID)
}

// SetRetrievalHint fails or passes the call on.
func (f *Faulty) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	if err := f.strike(SetRetrievalHint); err != nil {
		return err
	}
	return f.inner.SetRetrievalHint(channelID, messageID, hint)
}

// FaultyCommitter is a Faulty around a Committer.
type FaultyCommitter struct {
	*Faulty
	inner Committer
}

// NewFaultyCommitter returns a Committer that passes everything on to inner
// until it is told otherwise.
func NewFaultyCommitter(inner Committer) *FaultyCommitter {
	return &FaultyCommitter{NewFaulty(inner), inner}
}

// Commit fails or passes the call on.
func (f *FaultyCommitter) Commit(changes []Change) error {
	if err := f.strike(Commit); err != nil {
		return err
	}
	return f.inner.Commit(changes)
}
