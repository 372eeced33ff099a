package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockPatience is how long Open waits for a file that somebody else has open: a
// process that was just ended may not have let go of it yet.
const lockPatience = time.Second

// leastBytes is what none of our files has less of, and initialBytes what bbolt
// begins one with.
const (
	leastBytes   = metaPages * pageBytes
	initialBytes = 4 * pageBytes
)

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
	db, err := s.openDB(false)
	if err != nil {
		if made && !errors.Is(err, ErrInUse) {
			err = errors.Join(err, s.discardStub())
		}
		return err
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
	db, err := s.openDB(true)
	if err != nil {
		return false, err
	}
	err = checkPages(s.file, db.Info().PageSize)
	if err == nil {
		err = db.View(checkHeader)
	}
	return false, errors.Join(err, db.Close())
}

// openDB opens the file, which then is s.file.
func (s *Store) openDB(readOnly bool) (*bolt.DB, error) {
	db, err := bolt.Open(s.path, fileMode, &bolt.Options{
		ReadOnly:     readOnly,
		Timeout:      lockPatience,
		PageSize:     pageBytes,
		FreelistType: bolt.FreelistArrayType, // the pages of a commit lie together, and are written faster
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (file *os.File, err error) {
			s.file, err = os.OpenFile(name, flag, mode)
			return s.file, err
		},
	})
	if err != nil {
		return nil, s.refusal(err, readOnly)
	}
	return db, nil
}

// discardStub empties a file whose making has failed, for want of room say: what
// is left would be refused as foreign when there is room again.
func (s *Store) discardStub() error {
	if info, err := os.Stat(s.path); err == nil && info.Size() > 0 && info.Size() < initialBytes {
		return os.Truncate(s.path, 0)
	}
	return nil // there is nothing, or another process was faster and has made a whole one
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
	_, err := tablesOf(tx)
	return err
}

// refusal says in our words why bbolt does not open the file, which was there
// before or was to be made.
func (s *Store) refusal(err error, wasThere bool) error {
	info, statErr := os.Stat(s.path)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum):
		return ErrForeign
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: it is a bbolt database of another format", ErrForeign)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the store must be readable and writable", err)
	case wasThere && statErr == nil && info.Size() > 0 && info.Size() < leastBytes:
		return fmt.Errorf("%w: it has only %d bytes", ErrForeign, info.Size())
	}
	if system := syscall.Errno(0); wasThere && !errors.As(err, &system) {
		return fmt.Errorf("%w: %w", ErrDamaged, err) // bbolt could read it, and made no sense of it
	}
	return err
}

// syncFolder puts the name of a new file on disk. Windows has no such call.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil // it may be entered and written to, and not read
	}
	if err != nil {
		return err
	}
	return errors.Join(whereSupported(folder.Sync()), folder.Close())
}

// whereSupported leaves out that a file system cannot sync a folder.
func whereSupported(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
