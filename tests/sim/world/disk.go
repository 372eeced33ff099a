package world

import (
	"bytes"
	"errors"

	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// crashed is what a participant panics with whose process ends in the middle of
// an operation.
type crashed struct{}

var errDiskFails = errors.New("the disk fails")

// disk is what a participant keeps its channel on: what is kept for good, and
// what was written since and is gone with a crash, from its end.
type disk struct {
	kept persistence.Transactions
	// tail is what was written and not kept for good yet.
	tail []func(*persistence.Transactions)
	// always keeps everything for good at once.
	always bool
	fails  bool
	// crashIn is how many calls there are until the crash; 0 is none.
	crashIn int
	// load is what a faulty participant makes of what it loads.
	load func(persistence.Kept) persistence.Kept
	// calls counts those that wrote.
	calls int
}

// write takes one change in. A crash comes when it is written, and not yet kept
// for good.
func (d *disk) write(change func(*persistence.Transactions)) error {
	d.calls++
	if !d.fails {
		d.tail = append(d.tail, change)
	}
	if d.crashIn > 0 {
		if d.crashIn--; d.crashIn == 0 {
			panic(crashed{})
		}
	}
	if d.fails {
		return errDiskFails
	}
	if d.always {
		d.sync()
	}
	return nil
}

// sync keeps for good what was written.
func (d *disk) sync() {
	for _, change := range d.tail {
		change(&d.kept)
	}
	clear(d.tail)
	d.tail = d.tail[:0]
}

// crash loses the end of the tail, at most so many changes. It returns how many
// were lost.
func (d *disk) crash(lose int) (lost int) {
	lost = min(lose, len(d.tail))
	d.tail = d.tail[:len(d.tail)-lost]
	d.sync()
	d.crashIn = 0
	return lost
}

// must is for a memory, which has no reason to fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// SaveChannelMeta is of persistence.Backend, as are those that follow.
func (d *disk) SaveChannelMeta(channelID string, meta []byte) error {
	meta = bytes.Clone(meta)
	return d.write(func(t *persistence.Transactions) { must(t.SaveChannelMeta(channelID, meta)) })
}

// UpdateHistory keeps a change of the log.
func (d *disk) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	return d.write(func(t *persistence.Transactions) { must(t.UpdateHistory(channelID, update)) })
}

// SetRetrievalHint keeps a hint.
func (d *disk) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	hint = bytes.Clone(hint)
	return d.write(func(t *persistence.Transactions) { must(t.SetRetrievalHint(channelID, messageID, hint)) })
}

// LoadChannel returns what is kept for good: it comes after a crash only, which
// has no tail left.
func (d *disk) LoadChannel(channelID string) (persistence.Kept, error) {
	kept, err := d.kept.LoadChannel(channelID)
	if d.load != nil {
		kept = d.load(kept)
	}
	return kept, err
}

// DropChannel forgets the channel.
func (d *disk) DropChannel(channelID string) error {
	return d.write(func(t *persistence.Transactions) { must(t.DropChannel(channelID)) })
}

// VisitChannels visits what is kept for good.
func (d *disk) VisitChannels(visit func(channelID string, meta []byte) bool) error {
	return d.kept.VisitChannels(visit)
}

// transactional is a disk that is a Committer too.
type transactional struct{ *disk }

// Commit keeps all of the changes, in one.
func (d transactional) Commit(changes []persistence.Change) error {
	copies := make([]persistence.Change, len(changes))
	for i, change := range changes {
		copies[i] = change
		copies[i].Meta = bytes.Clone(change.Meta)
	}
	return d.write(func(t *persistence.Transactions) { must(t.Commit(copies)) })
}

// backend returns the disk as a participant's manager is given it; nil where
// nothing is kept.
func (d *disk) backend(keeps Keeping) persistence.Backend {
	switch keeps {
	case KeepsNothing:
		return nil
	case KeepsProcedures:
		return d
	}
	return transactional{d}
}
