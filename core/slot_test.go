package core

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/persistence"
)

// Who finds a slot and is kept waiting until it was removed, and the channel
// made anew, must not touch the new one.
func TestRemovedSlotIsNotActedOn(t *testing.T) {
	recorded := persistence.NewRecording(new(persistence.Memory))
	m, err := New(Options{Backend: recorded})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	old := m.inMemory("c")
	if err := m.RemoveChannel("c"); err != nil {
		t.Fatal(err)
	}
	if err := m.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	recorded.Take()

	if err := m.remove(old); !errors.Is(err, errRemoved) {
		t.Errorf("removing it again: %v", err)
	}
	if err := m.operateOn(nil, "test", old, func(*slot) error { return nil }); !errors.Is(err, errRemoved) {
		t.Errorf("operating on it: %v", err)
	}
	visitSlot(old, func(*slot) { t.Error("it is visited") })
	m.forget(old)
	if diff := cmp.Diff([]string{"c"}, m.Channels()); diff != "" {
		t.Error(diff)
	}
	if calls := recorded.Take(); len(calls) > 0 {
		t.Errorf("backend calls: %v", calls)
	}
}
