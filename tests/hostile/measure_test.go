package hostile

import (
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
)

// kept returns how many bytes f leaves on the heap once all garbage is gone.
func kept(f func()) int64 {
	before := inUse()
	f()
	return inUse() - before
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools held goes with the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// allocated returns how many bytes f allocates, whatever becomes of them: what it
// needs at its worst is less. It is run several times, and the least counts: the runtime
// itself allocates now and then.
func allocated(f func()) int64 {
	var least int64 = math.MaxInt64
	for range repetitions {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc))
	}
	return least
}

// expectAtMost reports a measured figure, and fails if it is over its bound.
func expectAtMost(t *testing.T, what string, got, most int64) {
	t.Helper()
	t.Logf("%s: %d, at most %d", what, got, most)
	if got > most {
		t.Errorf("%s: %d, more than %d", what, got, most)
	}
}

// repetitions of what is timed. The shortest counts: what disturbs a run only ever
// makes it longer.
const repetitions = 3

// fastest returns the shortest processor time of several runs. Each prepares what
// it needs and returns what is timed.
func fastest(prepare func() func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var times [repetitions]time.Duration
	for i := range times {
		run := prepare()
		runtime.GC() // or one run pays for the garbage of another
		begun := processorTime()
		run()
		times[i] = processorTime() - begun
	}
	return slices.Min(times[:])
}

// expectProportional expects four times the input to cost at most eight times as
// much: what is linear costs four times as much, what is quadratic sixteen.
func expectProportional(t *testing.T, what string, n int, prepare func(n int) func()) {
	t.Helper()
	const growth, most = 4, 8.0
	small := fastest(func() func() { return prepare(n) })
	large := fastest(func() func() { return prepare(growth * n) })
	ratio := float64(large) / float64(small)
	t.Logf("%s: %d cost %.1f times as much as %d (%v), at most %v", what, growth*n, ratio, n, small, most)
	if ratio > most {
		t.Errorf("%s: %d cost %.1f times as much as %d, more than %v times: it is not linear", what, growth*n, ratio, n, most)
	}
}

// expectRatio expects a hostile thing to cost at most so many times what an honest
// one costs.
func expectRatio(t *testing.T, what string, most float64, honest, hostile func() func()) {
	t.Helper()
	ratio := float64(fastest(hostile)) / float64(fastest(honest))
	t.Logf("%s: %.2f times the cost of honest ones, at most %v", what, ratio, most)
	if ratio > most {
		t.Errorf("%s: %.2f times the cost of honest ones, more than %v", what, ratio, most)
	}
}
