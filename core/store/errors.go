package store

import (
	"errors"
	"fmt"
	"runtime/debug"

	bolterrors "go.etcd.io/bbolt/errors"
)

// Why a file cannot be opened.
var (
	// ErrInUse is a file that another process, or another Store of this one,
	// has open.
	ErrInUse = errors.New("the file is in use by another process, or by another context of this one")
	// ErrForeign is a file that no version of this package made.
	ErrForeign = errors.New("the file is not a store of libsds")
	// ErrSchemaVersion is a file of another version of this package.
	ErrSchemaVersion = errors.New("the store is of another version")
	// ErrTruncated is a file that has lost its end.
	ErrTruncated = errors.New("the file is truncated")
	// ErrNotRegular is a path that names something else than a file.
	ErrNotRegular = errors.New("not a regular file")
)

// Why a store stops working.
var (
	// ErrDamaged is a file whose contents make no sense, or that was cut short
	// while it was open. The store does not touch it any more.
	ErrDamaged = errors.New("the store is damaged")
	// ErrClosed is a Store that was closed.
	ErrClosed = errors.New("the store is closed")
)

// fail names the file in an error.
func (s *Store) fail(err error) error { return fmt.Errorf("store %q: %w", s.path, err) }

// guard runs an access to the file, and names the file in its error.
//
// The file is mapped into memory: one that is damaged, or cut short by somebody
// else, shows as a panic or as a memory fault. Either becomes an error, and the
// last one that this store has.
//
// Accesses come one at a time: bbolt panics with its locks held, and whoever
// waited for one of those would wait for ever.
func (s *Store) guard(access func() error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if problem := recover(); problem != nil {
			err = s.fail(fmt.Errorf("%w: %v", ErrDamaged, problem))
			s.broken = err
			s.abandon()
		}
	}()
	err = access()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		err = ErrClosed
	}
	return s.fail(err)
}

// abandon lets go of the file where bbolt cannot close it any more, so that who
// repairs it can open it. What is mapped of it stays mapped.
func (s *Store) abandon() {
	if s.file != nil {
		unlock(s.file)
		_ = s.file.Close() // nothing of ours is unwritten
	}
}
