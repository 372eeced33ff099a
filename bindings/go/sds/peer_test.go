// Tests are in the package itself: `go mod tidy` of a program reads the tests of what it
// imports, and where this module replaces another one, the package has that one's name.
package sds

import (
	"fmt"
	"sync"
	"testing"

	"go.uber.org/zap"
)

const lobby = "lobby"

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func mustNot(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// peer is a manager whose callbacks are noted.
type peer struct {
	*ReliabilityManager
	mu    sync.Mutex
	notes []string
}

func newPeer(t *testing.T, options ...Option) *peer {
	t.Helper()
	p := &peer{}
	rm, err := NewReliabilityManagerWithOptions(zap.NewNop(), append(options, WithCallbacks(p.noting()))...)
	mustNot(t, err)
	p.ReliabilityManager = rm
	t.Cleanup(func() {
		_ = rm.Cleanup() // which the test may have done
		<-rm.Done()
	})
	return p
}

func (p *peer) note(format string, arguments ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, fmt.Sprintf(format, arguments...))
}

// take returns the notes since the last time.
func (p *peer) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	notes := p.notes
	p.notes = nil
	return notes
}

func (p *peer) noting() EventCallbacks {
	return EventCallbacks{
		OnMessageReady: func(id MessageID, channel string) { p.note("ready %s %s", id, channel) },
		OnMessageSent:  func(id MessageID, channel string) { p.note("sent %s %s", id, channel) },
		OnMissingDependencies: func(id MessageID, deps []HistoryEntry, channel string) {
			p.note("missing %s %s %v", id, channel, names(deps))
		},
		OnPeriodicSync: func() { p.note("sync") },
		OnRepairReady:  func(message []byte, channel string) { p.note("repair %d %s", len(message), channel) },
		OnMessageDelivered: func(message []byte, id MessageID, channel string) {
			p.note("delivered %s %s %s", id, channel, message)
		},
		OnResendReady: func(message []byte, id MessageID, channel string, attempt int) {
			p.note("resend %s %s %d %t", id, channel, attempt, len(message) > 0)
		},
		OnDeliveryFailed: func(id MessageID, channel string, attempts int) { p.note("failed %s %s %d", id, channel, attempts) },
		OnDependenciesLost: func(id MessageID, deps []HistoryEntry, channel string) {
			p.note("lost %s %s %v", id, channel, names(deps))
		},
		OnSyncDue: func(channels []string) { p.note("due %v", channels) },
	}
}

func names(deps []HistoryEntry) (ids []string) {
	for _, dep := range deps {
		ids = append(ids, string(dep.MessageID))
	}
	return ids
}
