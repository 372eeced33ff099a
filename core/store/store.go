// Package store keeps the channels of one participant in one file: a
// persistence.Backend for hosts that have no database of their own.
//
// The file is a bbolt database. Every commit is a transaction that is on disk,
// fsync included, before it returns; a process or a machine that stops at any
// moment leaves the last one that returned, or the one after it, never a part of
// one. The file is locked for as long as a Store is open, so it serves one
// process at a time.
package store

import (
	"bytes"
	"errors"
	"os"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// Store is an open file. It is safe for concurrent use; calls come one after the
// other.
type Store struct {
	path string

	mu   sync.Mutex // guards what follows, the database's own state included
	db   *bolt.DB
	file *os.File // that of db, which closes it
	// broken is why the file can no longer be used; nil while it can.
	broken error
}

var (
	_ persistence.Committer = (*Store)(nil)
	_ persistence.Lister    = (*Store)(nil)
)

// Path returns the name of the file, as it was given to Open.
func (s *Store) Path() string { return s.path }

// Close waits for calls under way and releases the file. Calls that come later
// fail with ErrClosed. A second Close does nothing. A store that is damaged has
// released the file already, and returns that error.
func (s *Store) Close() error {
	return s.guard(func() error { return s.db.Close() })
}

// Commit keeps all of the changes in one transaction.
func (s *Store) Commit(changes []persistence.Change) error {
	return s.write(func(t tables) error {
		for i := range changes {
			change := &changes[i]
			c, err := t.make(change.ChannelID)
			if err != nil {
				return err
			}
			if err := errors.Join(c.putMeta(change.Meta), c.update(&change.History), c.putHints(change.Hints)); err != nil {
				return err
			}
		}
		return nil
	})
}

// SaveChannelMeta replaces the meta of a channel.
func (s *Store) SaveChannelMeta(channelID string, meta []byte) error {
	return s.change(channelID, func(c *channel) error { return c.putMeta(meta) })
}

// UpdateHistory changes the log of a channel.
func (s *Store) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	return s.change(channelID, func(c *channel) error { return c.update(&update) })
}

// SetRetrievalHint keeps a hint for a message of a channel.
func (s *Store) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	return s.change(channelID, func(c *channel) error {
		return c.putHints([]snapshot.RetrievalHint{{MessageID: messageID, Hint: hint}})
	})
}

// DropChannel forgets a channel.
func (s *Store) DropChannel(channelID string) error {
	return s.write(func(t tables) error {
		c, known, err := t.channel(channelID)
		if err != nil || !known {
			return err
		}
		return c.drop()
	})
}

// LoadChannel returns what is kept of a channel.
func (s *Store) LoadChannel(channelID string) (persistence.Kept, error) {
	var kept persistence.Kept
	err := s.read(func(t tables) error {
		c, known, err := t.channel(channelID)
		if err != nil || !known {
			return err
		}
		if len(c.meta) > 0 {
			kept.Meta = bytes.Clone(c.meta)
		}
		c.eachMessage(func(message []byte) { kept.History = append(kept.History, bytes.Clone(message)) })
		c.eachHint(func(messageID string, hint []byte) {
			kept.Hints = append(kept.Hints, snapshot.RetrievalHint{MessageID: messageID, Hint: bytes.Clone(hint)})
		})
		return nil
	})
	if err != nil {
		return persistence.Kept{}, err
	}
	return kept, nil
}

// VisitChannels visits the channels in the order of their ids.
func (s *Store) VisitChannels(visit func(channelID string, meta []byte) bool) error {
	return s.read(func(t tables) error { return t.each(visit) })
}

// change writes to one channel.
func (s *Store) change(channelID string, write func(*channel) error) error {
	return s.write(func(t tables) error {
		c, err := t.make(channelID)
		if err != nil {
			return err
		}
		return write(&c)
	})
}

func (s *Store) write(transaction func(tables) error) error {
	return s.guard(func() error { return s.db.Update(within(transaction)) })
}

func (s *Store) read(transaction func(tables) error) error {
	return s.guard(func() error { return s.db.View(within(transaction)) })
}

// within hands the tables of a transaction to what works on them.
func within(transaction func(tables) error) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		t, err := tablesOf(tx)
		if err != nil {
			return err
		}
		return transaction(t)
	}
}
