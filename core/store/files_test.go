package store_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/libsds/libsds/core/store"
)

func init() {
	children["hold"] = hold
}

// hold opens the store at path, says so, and keeps it until its input ends.
func hold(path string) error {
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	if err := s.Commit(change("c", "by the holder", 1)); err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Close()
}

func TestAFileServesOneStoreOfTheProcessAtATime(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	if _, err := store.Open(path); !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Fatalf("the error is %v", err)
	}
	mustNot(t, s.Commit(change("c", "m", 1))) // it has not been disturbed
	mustNot(t, s.Close())
	if n := len(load(t, open(t, path), "c").History); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestAFileServesOneProcessAtATime(t *testing.T) {
	for _, ending := range []string{"closes it", "is killed"} {
		t.Run(ending, func(t *testing.T) {
			path := newPath(t)
			holder := child("hold", path)
			input, err := holder.StdinPipe()
			mustNot(t, err)
			output, err := holder.StdoutPipe()
			mustNot(t, err)
			mustNot(t, holder.Start())
			if line, err := bufio.NewReader(output).ReadString('\n'); line != "open\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if _, err := store.Open(path); !errors.Is(err, store.ErrInUse) {
				t.Errorf("the error is %v", err)
			}
			if ending == "is killed" {
				mustNot(t, holder.Process.Kill())
			} else {
				mustNot(t, input.Close())
			}
			// It waits for a moment, for a process that is just ending.
			s := open(t, path)
			if n := len(load(t, s, "c").History); n != 1 {
				t.Errorf("%d messages", n)
			}
			if err := holder.Wait(); err != nil && ending == "closes it" {
				t.Error(err)
			}
		})
	}
}

// bboltFile makes a bbolt database of another program.
func bboltFile(t *testing.T, write func(tx *bolt.Tx) error) []byte {
	t.Helper()
	path := newPath(t)
	db, err := bolt.Open(path, 0o600, nil)
	mustNot(t, err)
	mustNot(t, errors.Join(db.Update(write), db.Close()))
	content, err := os.ReadFile(path)
	mustNot(t, err)
	return content
}

func buckets(names ...string) func(tx *bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		for _, name := range names {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	}
}

func schema(version []byte) func(tx *bolt.Tx) error {
	return func(tx *bolt.Tx) error {
		if err := buckets("libsds", "channels")(tx); err != nil {
			return err
		}
		return tx.Bucket([]byte("libsds")).Put([]byte("schema"), version)
	}
}

// ofAnotherFormat makes a bbolt database say that it is of a version that is yet to come.
func ofAnotherFormat(content []byte) []byte {
	for page := range 2 {
		meta := content[page*pageSizeOf(content)+16:][:64]
		binary.NativeEndian.PutUint32(meta[4:], 3)
		h := fnv.New64a()
		h.Write(meta[:56])
		binary.NativeEndian.PutUint64(meta[56:], h.Sum64())
	}
	return content
}

func TestAForeignFileIsRefusedAndLeftAlone(t *testing.T) {
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	for name, content := range map[string][]byte{
		"one byte":                               {0},
		"a text":                                 []byte("Dear diary,\n"),
		"a long text":                            bytes.Repeat([]byte("Dear diary, nothing happened.\n"), 1000),
		"noise":                                  noise,
		"an SQLite database":                     append([]byte("SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20"), make([]byte, 8192)...),
		"a page of zeros":                        make([]byte, 4096),
		"many pages of zeros":                    make([]byte, 1<<16),
		"another program's bbolt database":       bboltFile(t, buckets("widgets")),
		"a bbolt database with our buckets":      bboltFile(t, buckets("libsds", "channels")),
		"a bbolt database with a strange schema": bboltFile(t, schema([]byte("one"))),
		"a bbolt database of another format":     ofAnotherFormat(bboltFile(t, buckets("libsds"))),
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			write(t, path, content)
			if _, err := store.Open(path); !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), path) {
				t.Errorf("the error is %v", err)
			}
			untouched(t, path, content, longAgo)
		})
	}
}

func TestAnotherSchemaVersionIsRefusedAndLeftAlone(t *testing.T) {
	path := newPath(t)
	content := bboltFile(t, schema(binary.BigEndian.AppendUint32(nil, 23)))
	write(t, path, content)
	_, err := store.Open(path)
	if !errors.Is(err, store.ErrSchemaVersion) {
		t.Fatalf("the error is %v", err)
	}
	for _, want := range []string{path, "version 23", fmt.Sprint("version ", store.SchemaVersion)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	untouched(t, path, content, longAgo)
}

func TestAStoreWithoutItsBucketsIsRefusedAndLeftAlone(t *testing.T) {
	path := newPath(t)
	content := bboltFile(t, schema(binary.BigEndian.AppendUint32(nil, store.SchemaVersion)))
	write(t, path, content)
	if _, err := store.Open(path); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("the error is %v", err)
	}
	untouched(t, path, content, longAgo)
}

func TestAFileThatHasNothingYetBecomesAStore(t *testing.T) {
	for name, content := range map[string][]byte{
		"an empty one":                    {},
		"one of an interrupted creation":  bboltFile(t, buckets()),
		"one that was opened and emptied": bboltFile(t, func(tx *bolt.Tx) error { return errors.Join(buckets("x")(tx), tx.DeleteBucket([]byte("x"))) }),
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			write(t, path, content)
			s := open(t, path)
			mustNot(t, s.Commit(change("c", "m", 1)))
			mustNot(t, s.Close())
			if n := len(load(t, open(t, path), "c").History); n != 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
}

func TestANewFileIsItsOwnersAlone(t *testing.T) {
	path := newPath(t)
	open(t, path)
	info, err := os.Stat(path)
	mustNot(t, err)
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		t.Errorf("its mode is %v", mode)
	}
}

func TestPathsThatNameNoFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	mustNot(t, os.WriteFile(file, nil, 0o600))
	for path, want := range map[string]error{
		dir:                                  store.ErrNotRegular,
		dir + "/":                            store.ErrNotRegular,
		os.DevNull:                           store.ErrNotRegular,
		filepath.Join(dir, "none", "store"):  fs.ErrNotExist,
		filepath.Join(file, "store"):         nil, // whatever the system says
		dir + "/" + strings.Repeat("x", 300): nil,
	} {
		_, err := store.Open(path)
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("there are %v now, %v", entries, err)
	}
}

func TestPathsAreAsTheSystemReadsThem(t *testing.T) {
	dir := t.TempDir()
	open(t, dir+"//./sto re\té")
	mustNot(t, os.Symlink("target", filepath.Join(dir, "link")))
	open(t, filepath.Join(dir, "link"))
	if _, err := os.Stat(filepath.Join(dir, "target")); err != nil {
		t.Error(err)
	}
}
