package core

import (
	"math"
	"testing"
)

func TestNumbersAreExactAndHaveNoExponent(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 1_000_000: "1000000", 1<<53 + 1: "9007199254740993", math.MaxUint64: "18446744073709551615",
	} {
		if got := whole(n).String(); got != want {
			t.Errorf("%d is written as %s", n, got)
		}
	}
	for x, want := range map[float64]string{0: "0", 0.5: "0.5", 1e-9: "0.000000001", 1e21: "1000000000000000000000"} {
		if got := fractional(x).String(); got != want {
			t.Errorf("%g is written as %s", x, got)
		}
	}
}

// What an operation counts that Close has overtaken is there once it has ended.
func TestCloseWaitsForNobodyAndStatsForTheRest(t *testing.T) {
	m, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	s := m.inMemory("c")
	s.mu.Lock()
	m.Close()
	s.counts[delivered]++
	s.mu.Unlock()
	for range 2 {
		if got := m.read().counts[delivered]; got != 1 {
			t.Errorf("%d messages are delivered", got)
		}
	}
	if len(m.left) > 0 {
		t.Error("the channel is kept")
	}
}
