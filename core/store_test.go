package core_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/store"
)

// stored makes a peer whose channels are kept in a file.
func stored(t *testing.T, path string, sync core.StoreSync, changes ...func(*core.Config)) *core.Manager {
	t.Helper()
	config := core.DefaultConfig()
	config.StorePath, config.StoreSync = path, sync
	for _, change := range changes {
		change(&config)
	}
	m, err := core.New(core.Options{ParticipantID: "alice", Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func forEachSync(t *testing.T, test func(t *testing.T, sync core.StoreSync)) {
	for name, sync := range map[string]core.StoreSync{"full": core.StoreSyncFull, "batch": core.StoreSyncBatch} {
		t.Run(name, func(t *testing.T) { test(t, sync) })
	}
}

func TestStorePathAloneMakesAParticipantDurable(t *testing.T) {
	forEachSync(t, func(t *testing.T, sync core.StoreSync) {
		path := filepath.Join(t.TempDir(), "store")
		alice := stored(t, path, sync)
		var want []string
		for i := range 20 {
			id := fmt.Sprint("m", i)
			if _, err := alice.Wrap(nil, "c", id, []byte("content")); err != nil {
				t.Fatal(err)
			}
			want = append(want, id)
		}
		alice.Close()
		payload, err := stored(t, path, sync).Wrap(nil, "c", "after", []byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[10:], cited(t, payload)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestConcurrentOperationsOnAStoreAreAllKept(t *testing.T) {
	forEachSync(t, func(t *testing.T, mode core.StoreSync) {
		path := filepath.Join(t.TempDir(), "store")
		quiet := func(c *core.Config) { c.BloomFilterCapacity = 100 }
		alice := stored(t, path, mode, quiet)
		const callers, each = 16, 20
		var group sync.WaitGroup
		for caller := range callers {
			group.Go(func() {
				for i := range each {
					channel := fmt.Sprint("c", caller%4)
					if _, err := alice.Wrap(nil, channel, fmt.Sprint("m", caller, "-", i), []byte("content")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		alice.Close()
		alice = stored(t, path, mode, quiet, func(c *core.Config) { c.MaxCausalHistory = 1000 })
		for channel := range 4 {
			payload, err := alice.WrapSync(nil, fmt.Sprint("c", channel))
			if err != nil {
				t.Fatal(err)
			}
			if n := len(cited(t, payload)); n != callers/4*each {
				t.Errorf("channel %d has %d messages", channel, n)
			}
		}
	})
}

func TestStoreThatCannotBeOpenedIsAFailureOfPersistence(t *testing.T) {
	config := core.DefaultConfig()
	config.StorePath = filepath.Join(t.TempDir(), "no folder", "store")
	_, err := core.New(core.Options{Config: &config})
	if core.StatusOf(err) != core.StatusPersistence || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func TestOneKeeperIsEnough(t *testing.T) {
	config := core.DefaultConfig()
	config.StorePath = filepath.Join(t.TempDir(), "store")
	_, err := core.New(core.Options{Config: &config, Backend: new(persistence.Memory)})
	if core.StatusOf(err) != core.StatusInvalidArgument {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(config.StorePath); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

func TestStoreHasNoRoomForIDsOfAnyLength(t *testing.T) {
	for more, want := range []core.Status{core.StatusOK, core.StatusInvalidArgument} {
		config := core.DefaultConfig()
		config.StorePath = filepath.Join(t.TempDir(), "store")
		config.Limits.MaxIDBytes = store.MaxIDBytes + more
		m, err := core.New(core.Options{Config: &config})
		if core.StatusOf(err) != want {
			t.Errorf("with ids of %d bytes: %v", config.Limits.MaxIDBytes, err)
		}
		if err == nil {
			m.Close()
		}
	}
}

// The log of the host is the only place that a failure to close can be told in.
func TestStoreThatDoesNotCloseIsLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	config := core.DefaultConfig()
	config.StorePath = path
	var log bytes.Buffer
	m, err := core.New(core.Options{Config: &config, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.EnsureChannel("c"); core.StatusOf(err) != core.StatusPersistence {
		t.Errorf("the store works without its file: %v", err)
	}
	m.Close()
	if !strings.Contains(log.String(), "the store was not closed") {
		t.Errorf("the log is %s", &log)
	}
}
