package callbacks

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/limits"
)

// What the host sees of this package is tested from C, in
// tests/capi/procedures.c. Here is what would take a host too long.

// places is how many addresses there are for calls.
const places = 1 << 20

func TestAnAddressComesAgainOnlyAfterAMillionCalls(t *testing.T) {
	under := begin(loadChannel) // throughout
	defer under.end()
	used := make([]bool, places)
	for i := range places - 1 {
		c := begin(loadChannel)
		place := (c.address + places - under.address) % places
		if place == 0 || used[place] {
			t.Fatalf("call %d has an address that was in use", i)
		}
		used[place] = true
		c.end()
	}
	c := begin(loadChannel)
	defer c.end()
	if place := (c.address + places - under.address) % places; place != 1 {
		t.Errorf("after all others comes place %d", place)
	}
}

func TestWhatIsHandedOverIsBoundedAltogether(t *testing.T) {
	c := begin(loadChannel)
	defer c.end()
	message := []byte{1, 2, 3}
	give := func() { LoadMessage(c.address, unsafe.Pointer(&message[0]), 3) }
	give()
	c.size = limits.MaxLoadedBytes - limits.LoadedOverhead - 3
	give()
	if err := c.outcome(0); err != nil {
		t.Errorf("up to the bound: %v", err)
	}
	// Not even nothing has room, or a host could go on for ever.
	LoadMessage(c.address, nil, 0)
	want := fmt.Sprintf("SdsLoadMessage: more than %d bytes in all", uint64(limits.MaxLoadedBytes))
	if err := c.outcome(0); err == nil || err.Error() != want {
		t.Errorf("past the bound: %v, want %s", err, want)
	}
	taken := len(c.kept.History)
	give()
	if len(c.kept.History) != taken {
		t.Error("what comes after a mistake is taken")
	}
}

func TestACallThatHasEndedTakesNothing(t *testing.T) {
	c := begin(loadChannel)
	c.end()
	LoadMessage(c.address, nil, 5)
	Fail(c.address, []byte("reason"))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.misuse != nil || c.reason != "" {
		t.Errorf("misuse %v, reason %q", c.misuse, c.reason)
	}
}

func TestReasonsAreBoundedUTF8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reason := []byte(rapid.StringN(0, -1, 2*limits.MaxReasonBytes).Draw(t, "reason"))
		got := words(reason)
		if !utf8.ValidString(got) || len(got) > limits.MaxReasonBytes {
			t.Fatalf("%d bytes of %q", len(got), got)
		}
		if !strings.HasPrefix(string(reason), got) || len(got) < min(len(reason), limits.MaxReasonBytes-utf8.UTFMax+1) {
			t.Fatalf("%q became %q", reason, got)
		}
	})
}
