package world

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWhatTheProtocolDoesNotPromise shows each reason why logs can differ in the end,
// which the package comment lists, in a conversation of its own.
func TestWhatTheProtocolDoesNotPromise(t *testing.T) {
	for _, limit := range []struct {
		name   string
		counts func(*Measures) uint64
		least  uint64
	}{
		{"unseen", func(m *Measures) uint64 { return m.Unseen }, 1},
		{"given_up", func(m *Measures) uint64 { return m.Missing }, 1},
		{"asked_too_late", func(m *Measures) uint64 { return m.Missing }, 1},
		{"evicted", func(m *Measures) uint64 { return m.Again }, 20},
	} {
		t.Run(limit.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "limits", limit.name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			script, err := Parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			result := run(t, script)
			if result.Violation != nil {
				t.Error(result.Violation)
			}
			if got := limit.counts(&result.Measures); got < limit.least {
				t.Errorf("it happens %d times, and should %d times: is it promised now?", got, limit.least)
			}
		})
	}
}
