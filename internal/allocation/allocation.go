// Package allocation checks what tests promise about memory.
package allocation

import (
	"runtime"
	"runtime/metrics"
)

// Beyond runs f and returns how many bytes it allocated, freed or not, if that was
// more than most; and else 0. It is cheap enough for a fuzz target: first it
// asks the runtime for a figure that is had without stopping the world, but that
// counts small objects by the span. Only if that is over the bound, f runs again and
// is measured exactly; several times, since the runtime itself allocates now and then,
// and the least counts.
func Beyond(most uint64, f func()) uint64 {
	if about(f) <= most {
		return 0
	}
	least := exactly(f)
	for again := 0; again < 4 && least > most; again++ {
		least = min(least, exactly(f))
	}
	if least <= most {
		return 0
	}
	return least
}

func exactly(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func about(f func()) uint64 {
	before := total()
	f()
	return total() - before
}

func total() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}
