//go:build interop

package interop

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTheLibraryThatIsInstalled talks with waku, too: that of all other tests has
// another clock.
func TestTheLibraryThatIsInstalled(t *testing.T) {
	library := os.Getenv("SDS_INTEROP_LIBRARY")
	if library == "" {
		t.Fatal("SDS_INTEROP_LIBRARY does not name the folder of libsds.so.1")
	}
	c := newClock(t)
	c.set(0) // which that library does not read
	ours := start(t, libsds, c, "LD_LIBRARY_PATH="+library).join(t, "ours", nil)
	theirs := start(t, waku, c).join(t, "theirs", nil)
	var ids []string
	begin := time.Now().UnixMilli()
	for range 10 {
		for _, from := range []*participant{ours, theirs} {
			c.set(time.Now().UnixMilli())
			to := ours
			if from == ours {
				to = theirs
			}
			id, payload := from.send("one of many: " + string(rune('a'+len(ids))))
			got := to.receive(payload)
			if len(got.missing) > 0 || got.lamport < begin || got.lamport > time.Now().UnixMilli()+int64(len(ids))+1 {
				t.Errorf("%+v, begun at %d", got, begin)
			}
			if len(ids) > 0 && to.took("acknowledged", ids[len(ids)-1]) != 1 {
				t.Errorf("%s was not acknowledged", ids[len(ids)-1])
			}
			ids = append(ids, id)
		}
	}
	for _, p := range []*participant{ours, theirs} {
		if diff := cmp.Diff(ids, p.logged()); diff != "" {
			t.Errorf("%s: %s", p.name, diff)
		}
	}
}
