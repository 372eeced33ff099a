package world

import (
	"strings"
	"testing"
)

// conversation runs a script of two or three participants and returns its trace.
func conversation(t *testing.T, text string) (Result, string) {
	t.Helper()
	script, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var trace strings.Builder
	result, err := Run(script, Options{Trace: &trace})
	if err != nil {
		t.Fatal(err)
	}
	if result.Violation != nil {
		t.Error(result.Violation)
	}
	return result, trace.String()
}

// expectInOrder fails unless the trace has these lines, one after the other.
func expectInOrder(t *testing.T, trace string, lines ...string) {
	t.Helper()
	rest := trace
	for _, line := range lines {
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("%q does not come, or not in its turn, in\n%s", line, trace)
		}
		rest = after
	}
}

func TestTheNetworkLosesDelaysAndRepeatsWhatTheScriptSays(t *testing.T) {
	_, trace := conversation(t, `network delay=100ms..100ms
calm 1m0s
participant a
participant b
participant c
at 10s send a m1 1
lose m1 b
delay m1 c 1s 3s
`)
	expectInOrder(t, trace, "10s a broadcasts m1", "11s c hears m1", "11s c message_ready m1", "13s c hears m1", "b hears m1@")
	if strings.Contains(trace, "b hears m1\n") {
		t.Error("b hears what it lost")
	}
}

func TestASplitLetsNothingThroughUntilItHeals(t *testing.T) {
	_, trace := conversation(t, `network delay=10ms..10ms
calm 2m0s
participant a
participant b
participant c
at 5s split a b | c
at 10s send a m1 1
at 20s heal
at 30s send b m2 1
`)
	expectInOrder(t, trace, "a broadcasts m1", "b hears m1", "network heal", "c hears m2", "c missing_dependencies m2", "c message_ready m1", "c message_ready m2")
}

func TestTheStoreNodeGivesWhatIsMissing(t *testing.T) {
	result, trace := conversation(t, `network delay=10ms..10ms
store
calm 30s
participant a
participant b
at 10s send a m1 1
at 20s send a m2 1
lose m1 b
`)
	expectInOrder(t, trace, "b missing_dependencies m2", "b fetches m1", "b message_ready m1", "b message_ready m2")
	if result.Measures.Fetched != 1 || result.Measures.Repairs() != 0 {
		t.Errorf("%d fetched, %d repairs", result.Measures.Fetched, result.Measures.Repairs())
	}
}

// TestACrashLosesWhatWasNotKeptForGood, and nothing where everything is kept at once.
func TestACrashLosesWhatWasNotKeptForGood(t *testing.T) {
	const text = `network delay=10ms..10ms
calm 40s
participant a keeps=commits OPTION
participant b
at 10s send b m1 1
at 20s crash a lose=9
at 30s restart a
`
	for option, again := range map[string]bool{"": false, "syncs=1m": true} {
		_, trace := conversation(t, strings.Replace(text, "OPTION", option, 1))
		if got := strings.Count(trace, "a message_ready m1") == 2; got != again {
			t.Errorf("%q: it is delivered again: %t\n%s", option, got, trace)
		}
	}
}

// TestACrashComesInTheMiddleOfAnOperation, after the call of the backend that is
// named: nothing is broadcast, but what is on the disk is sent again.
func TestACrashComesInTheMiddleOfAnOperation(t *testing.T) {
	_, trace := conversation(t, `network delay=10ms..10ms
calm 40s
participant a keeps=procedures
participant b
at 10s crash a calls=2
at 20s send a m1 1
at 30s restart a
`)
	expectInOrder(t, trace, "20s a crashes in the middle of send m1", "30s a starts", "a resend_ready m1", "b message_ready m1")
	if strings.Contains(trace, "a broadcasts m1 ") {
		t.Error("it broadcasts what it did not come to return")
	}
}

func TestHistogramsTellPercentiles(t *testing.T) {
	var h Histogram
	for ms := int64(1); ms <= 1000; ms++ {
		h.add(ms)
	}
	for share, want := range map[float64]float64{0.5: 500, 0.9: 900, 1: 1000} {
		if got := h.Percentile(share); got < want || got > 1.1*want {
			t.Errorf("%v of them are within %v ms, not %v", share, want, got)
		}
	}
}
