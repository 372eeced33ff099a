package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockPatience is how long Open waits for a file that somebody else has open: a
// process that was just ended may not have let go of it yet.
const lockPatience = time.Second

// fileMode lets nobody but its owner read a file: it holds messages.
const fileMode = 0o600

// Open opens the file at path, made when there is none. Its folder must exist.
//
// A file that is not a whole store of this version is refused, and left as it
// is: ErrInUse, ErrForeign, ErrSchemaVersion, ErrTruncated, ErrNotRegular,
// ErrDamaged, or what the system says.
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	if err := s.guard(s.open); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) open() error {
	made, err := s.inspect()
	if err != nil {
		return err
	}
	db, err := bolt.Open(s.path, fileMode, &bolt.Options{Timeout: lockPatience, PageSize: pageBytes, FreelistType: bolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return refusal(err)
	}
	if err := s.prepare(db, made); err != nil {
		return errors.Join(err, db.Close())
	}
	s.db = db
	return nil
}

// prepare makes an empty database a store. One that is a store already is looked
// at again: it could have changed before it was locked.
func (s *Store) prepare(db *bolt.DB, made bool) error {
	empty := false
	err := db.View(func(tx *bolt.Tx) error {
		_, _, empty = header(tx)
		return checkHeader(tx)
	})
	if err == nil && empty {
		err = db.Update(writeHeader)
	}
	if err == nil && made {
		err = syncFolder(filepath.Dir(s.path))
	}
	return err
}

// inspect looks at what is there without changing anything, and tells whether
// there is nothing yet. To open a file for writing changes it, and one that has
// lost its end must not be mapped.
func (s *Store) inspect() (isNew bool, err error) {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%w: it is %v", ErrNotRegular, info.Mode().Type())
	case info.Size() == 0:
		return true, nil
	}
	db, err := bolt.Open(s.path, fileMode, &bolt.Options{Timeout: lockPatience, ReadOnly: true, NoStatistics: true})
	if err != nil {
		return false, refusal(err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		// Its size by its own account; pages past the end of the file would be
		// mapped, and fault.
		if size := tx.Size(); size > info.Size() {
			return fmt.Errorf("%w: it should have at least %d bytes and has %d", ErrTruncated, size, info.Size())
		}
		return checkHeader(tx)
	})
	return false, errors.Join(err, db.Close())
}

// checkHeader refuses what is neither empty nor a store of this version.
func checkHeader(tx *bolt.Tx) error {
	version, ok, isNew := header(tx)
	switch {
	case isNew:
		return nil
	case !ok:
		return fmt.Errorf("%w: it is a bbolt database of another program", ErrForeign)
	case version != SchemaVersion:
		return fmt.Errorf("%w: it is of version %d, and this library reads version %d", ErrSchemaVersion, version, SchemaVersion)
	}
	return nil
}

// refusal says in our words why bbolt does not open a file.
func refusal(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum):
		return ErrForeign
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: it is a bbolt database of another format", ErrForeign)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the store must be readable and writable", err)
	}
	return err
}

// syncFolder puts the name of a new file on disk. Windows has no such call.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
