//go:build interop

package interop

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// clock is the time of all participants, in Unix milliseconds. Those of libsds
// read it from a file, those of waku are told.
type clock struct {
	now  int64
	file *os.File
}

// epoch is when every test begins.
const epoch = 1_760_000_000_000

func newClock(t *testing.T) *clock {
	t.Helper()
	file, err := os.Create(filepath.Join(folder(t), "clock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	c := &clock{file: file}
	c.set(epoch)
	return c
}

func (c *clock) set(now int64) {
	c.now = now
	if _, err := c.file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(now)), 0); err != nil {
		panic(err)
	}
}

// folder is a folder of the test, in memory where there is one: what a disk does
// is not the point here.
func folder(t *testing.T) string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		if inMemory, err := os.MkdirTemp(memory, "libsds-interop-"); err == nil {
			t.Cleanup(func() { _ = os.RemoveAll(inMemory) })
			return inMemory
		}
	}
	return t.TempDir()
}
