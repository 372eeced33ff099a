package allocation

import (
	"runtime"
	"testing"
)

func TestBeyondTellsWhatIsOverTheBound(t *testing.T) {
	const slack = 64 << 10 // the test's own goroutines
	for _, size := range []uint64{1 << 20, 8 << 20} {
		allocate := func() { runtime.KeepAlive(make([]byte, size)) }
		if took := Beyond(size+slack, allocate); took != 0 {
			t.Errorf("%d bytes are over %d", took, size+slack)
		}
		if took := Beyond(size-1, allocate); took < size || took > size+slack {
			t.Errorf("%d bytes were measured as %d", size, took)
		}
	}
}

func TestBeyondCountsSmallObjectsOverTheBoundExactly(t *testing.T) {
	const count, size = 1 << 16, 64
	allocate := func() {
		for range count {
			kept = new([size]byte)
		}
	}
	if took := Beyond(count*size/2, allocate); took < count*size || took > count*size+1<<16 {
		t.Errorf("%d bytes of small objects were measured as %d", count*size, took)
	}
}

// What allocates beside f does so now and then.
func TestBeyondIsTheLeastOfSeveralRuns(t *testing.T) {
	runs := 0
	took := Beyond(1<<16, func() {
		if runs++; runs < 4 {
			runtime.KeepAlive(make([]byte, 1<<20))
		}
	})
	if took != 0 {
		t.Errorf("%d bytes, although it takes none from the fourth time on", took)
	}
}

func TestBeyondOfNothing(t *testing.T) {
	if took := Beyond(1<<16, func() {}); took != 0 {
		t.Errorf("nothing took %d bytes", took)
	}
}

var kept *[64]byte // escapes
