package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// BenchmarkCommit commits changes of a channel with a full log: so many messages
// join it and as many leave it.
func BenchmarkCommit(b *testing.B) {
	for _, messages := range []int{1, 64} {
		b.Run(fmt.Sprint(messages), func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "store"))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			meta, message := make([]byte, 300), make([]byte, 1500)
			key := func(i int) snapshot.HistoryKey {
				return snapshot.HistoryKey{MessageID: fmt.Sprintf("%064d", i), Lamport: uint64(i / 10)}
			}
			next := 0
			commit := func(n int) {
				change := persistence.Change{ChannelID: "channel", Meta: meta}
				for range n {
					joins := key(next)
					change.History.Append = append(change.History.Append, snapshot.HistoryRecord{MessageID: joins.MessageID, Lamport: joins.Lamport, Message: message})
					if next >= 1000 {
						leaves := key(next - 1000)
						change.History.Gone = append(change.History.Gone, leaves)
						change.History.Evict = append(change.History.Evict, leaves.MessageID)
					}
					next++
				}
				if err := s.Commit([]persistence.Change{change}); err != nil {
					b.Fatal(err)
				}
			}
			for range 20 {
				commit(55)
			}
			b.ReportAllocs()
			for b.Loop() {
				commit(messages)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*messages), "ns/message")
		})
	}
}
