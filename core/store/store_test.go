package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/store"
)

func TestWhatWasSavedIsThereAfterClosing(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	meta, hint := []byte("meta"), []byte("hint")
	// In any order, twice, with ties that the id decides, and with what was
	// never there going.
	mustNot(t, s.UpdateHistory("c", snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record("b", 2, 0), record("z", 1, 0), record("a", 2, 0)}}))
	mustNot(t, s.UpdateHistory("c", snapshot.HistoryUpdate{
		Append: []snapshot.HistoryRecord{record("b", 2, 0), record("old", 0, 0), record("ff", 1<<56, 0)},
		Gone:   []snapshot.HistoryKey{{MessageID: "never there", Lamport: 3}},
	}))
	mustNot(t, s.SetRetrievalHint("c", "a", []byte("an earlier one")))
	mustNot(t, s.SetRetrievalHint("c", "a", hint))
	mustNot(t, s.SetRetrievalHint("c", "old", hint))
	mustNot(t, s.UpdateHistory("c", snapshot.HistoryUpdate{Evict: []string{"old"}, Gone: []snapshot.HistoryKey{{MessageID: "old"}}}))
	mustNot(t, s.SaveChannelMeta("c", []byte("an earlier one")))
	mustNot(t, s.SaveChannelMeta("c", meta))
	hint[0], meta[0] = 'X', 'X' // the caller's memory

	want := persistence.Kept{
		Meta:    []byte("meta"),
		History: [][]byte{[]byte("z"), []byte("a"), []byte("b"), []byte("ff")},
		Hints:   []snapshot.RetrievalHint{{MessageID: "a", Hint: []byte("hint")}},
	}
	if diff := gocmp.Diff(want, load(t, s, "c")); diff != "" {
		t.Error(diff)
	}
	mustNot(t, s.Close())
	s = open(t, path)
	got := load(t, s, "c")
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("after closing: %s", diff)
	}
	mustNot(t, s.Close())
	if diff := gocmp.Diff(want, got); diff != "" { // it is the caller's
		t.Error(diff)
	}
}

func TestAReplacedMessageLeavesNothingBehind(t *testing.T) {
	s := open(t, newPath(t))
	mustNot(t, s.Commit(change("c", "m", 5)))
	mustNot(t, s.Commit([]persistence.Change{{
		ChannelID: "c", Meta: []byte("meta"),
		History: snapshot.HistoryUpdate{
			Append: []snapshot.HistoryRecord{record("m", 9, 0)},
			Gone:   []snapshot.HistoryKey{{MessageID: "m", Lamport: 5}},
		},
	}}))
	want := persistence.Kept{Meta: []byte("meta"), History: [][]byte{[]byte("m")}}
	if diff := gocmp.Diff(want, load(t, s, "c")); diff != "" {
		t.Error(diff)
	}
}

func TestDropForgetsOneChannelWithItsHints(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	mustNot(t, s.Commit(change("dropped", "m", 1)))
	mustNot(t, s.Commit(change("kept", "m", 1)))
	mustNot(t, s.DropChannel("dropped"))
	mustNot(t, s.DropChannel("never there"))
	mustNot(t, s.Close())
	s = open(t, path)
	if diff := gocmp.Diff(persistence.Kept{}, load(t, s, "dropped")); diff != "" {
		t.Error(diff)
	}
	if kept := load(t, s, "kept"); kept.Meta == nil || len(kept.History) != 1 || len(kept.Hints) != 1 {
		t.Errorf("the other channel is %+v", kept)
	}
	mustNot(t, s.SaveChannelMeta("dropped", []byte("anew")))
	if diff := gocmp.Diff(persistence.Kept{Meta: []byte("anew")}, load(t, s, "dropped")); diff != "" {
		t.Error(diff)
	}
}

func TestChannelsAreVisitedInOrderUntilItIsEnough(t *testing.T) {
	s := open(t, newPath(t))
	for _, id := range []string{"b", "a b", "é", "a"} {
		mustNot(t, s.SaveChannelMeta(id, []byte("meta of "+id)))
	}
	mustNot(t, s.SetRetrievalHint("no meta", "m", []byte("hint")))
	var all, some []string
	mustNot(t, s.VisitChannels(func(id string, meta []byte) bool {
		all = append(all, id+": "+string(meta))
		return true
	}))
	mustNot(t, s.VisitChannels(func(id string, _ []byte) bool {
		some = append(some, id)
		return len(some) < 2
	}))
	if diff := gocmp.Diff([]string{"a: meta of a", "a b: meta of a b", "b: meta of b", "no meta: ", "é: meta of é"}, all); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]string{"a", "a b"}, some); diff != "" {
		t.Error(diff)
	}
}

func TestIDsMayBeAsLongAsTheStoreSays(t *testing.T) {
	s := open(t, newPath(t))
	longest := strings.Repeat("x", store.MaxIDBytes)
	mustNot(t, s.Commit(change(longest, longest, 1)))
	if kept := load(t, s, longest); len(kept.History) != 1 || len(kept.Hints) != 1 {
		t.Errorf("%d messages, %d hints", len(kept.History), len(kept.Hints))
	}
}

// impossible is a commit that fails: its id has no room.
func impossible() persistence.Change {
	return change("impossible", strings.Repeat("x", store.MaxIDBytes+1), 1)[0]
}

func TestACommitKeepsAllOfItsChangesOrNothing(t *testing.T) {
	path := newPath(t)
	s := open(t, path)
	mustNot(t, s.Commit(change("b", "before", 1)))
	before := load(t, s, "b")
	err := s.Commit([]persistence.Change{change("a", "m", 2)[0], change("b", "m", 2)[0], impossible(), change("c", "m", 2)[0]})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("the error is %v", err)
	}
	for range 2 {
		for _, id := range []string{"a", "c", "impossible"} {
			if diff := gocmp.Diff(persistence.Kept{}, load(t, s, id)); diff != "" {
				t.Errorf("%s: %s", id, diff)
			}
		}
		if diff := gocmp.Diff(before, load(t, s, "b")); diff != "" {
			t.Error(diff)
		}
		mustNot(t, s.Close())
		s = open(t, path)
	}
	mustNot(t, s.Commit([]persistence.Change{change("a", "m", 2)[0], change("b", "m", 2)[0]}))
	if len(load(t, s, "a").History) != 1 || len(load(t, s, "b").History) != 2 {
		t.Error("the next commit is not kept")
	}
}

// model is what a store must be like.
type model map[string]*modelChannel

type modelChannel struct {
	meta  []byte
	log   map[string]snapshot.HistoryRecord
	hints map[string][]byte
}

func (m model) channel(id string) *modelChannel {
	if m[id] == nil {
		m[id] = &modelChannel{log: map[string]snapshot.HistoryRecord{}, hints: map[string][]byte{}}
	}
	return m[id]
}

func (m model) kept(id string) (kept persistence.Kept) {
	c := m[id]
	if c == nil {
		return kept
	}
	kept.Meta = c.meta
	for _, r := range slices.SortedFunc(maps.Values(c.log), func(a, b snapshot.HistoryRecord) int {
		return cmp.Or(cmp.Compare(a.Lamport, b.Lamport), cmp.Compare(a.MessageID, b.MessageID))
	}) {
		kept.History = append(kept.History, r.Message)
	}
	for _, id := range slices.Sorted(maps.Keys(c.hints)) {
		kept.Hints = append(kept.Hints, snapshot.RetrievalHint{MessageID: id, Hint: c.hints[id]})
	}
	return kept
}

// update draws a change of a log as a channel makes it, and makes it here: what
// is replaced under another timestamp is gone, and now and then something is
// offered again.
func (c *modelChannel) update(t *rapid.T) (u snapshot.HistoryUpdate) {
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(messageIDs), 0, 4, rapid.ID[string]).Draw(t, "messages") {
		was, known := c.log[id]
		lamport := rapid.Uint64Range(1, 400).Draw(t, "lamport")
		if rapid.IntRange(0, 3).Draw(t, "evicted") == 0 {
			if known {
				lamport = was.Lamport
			}
			u.Evict = append(u.Evict, id)
			u.Gone = append(u.Gone, snapshot.HistoryKey{MessageID: id, Lamport: lamport})
			delete(c.log, id)
			delete(c.hints, id)
			continue
		}
		r := record(id, lamport, rapid.SampledFrom([]int{0, 100, 5000}).Draw(t, "filling"))
		if known && was.Lamport != lamport {
			u.Gone = append(u.Gone, snapshot.HistoryKey{MessageID: id, Lamport: was.Lamport})
			delete(c.hints, id)
		}
		u.Append = append(u.Append, r)
		c.log[id] = r
	}
	return u
}

// hint draws hints for messages of the log.
func (c *modelChannel) hint(t *rapid.T) (hints []snapshot.RetrievalHint) {
	known := slices.Sorted(maps.Keys(c.log))
	if len(known) == 0 {
		return nil
	}
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(known), 0, min(2, len(known)), rapid.ID[string]).Draw(t, "hinted") {
		c.hints[id] = []byte(rapid.StringN(1, 10, 10).Draw(t, "hint"))
		hints = append(hints, snapshot.RetrievalHint{MessageID: id, Hint: c.hints[id]})
	}
	return hints
}

var (
	channelIDs = []string{"a", "b", "c"}
	messageIDs = func() (ids []string) {
		for i := range 40 {
			ids = append(ids, fmt.Sprint("m", i))
		}
		return ids
	}()
)

// TestAStoreIsLikeItsModel: whatever changes come, and however often it is
// opened anew.
func TestAStoreIsLikeItsModel(t *testing.T) {
	dir, checks := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, fmt.Sprint(checks))
		checks++
		s, err := store.Open(path)
		mustNot(t, err)
		defer func() {
			_ = s.Close()
			_ = os.Remove(path)
		}()
		kept := model{}
		aChannel := rapid.SampledFrom(channelIDs)
		meta := func(rt *rapid.T) []byte { return []byte(rapid.StringN(1, 100, 1000).Draw(rt, "meta")) }
		commit := func(rt *rapid.T) {
			var changes []persistence.Change
			for _, id := range rapid.SliceOfNDistinct(aChannel, 1, 3, rapid.ID[string]).Draw(rt, "channels") {
				c := kept.channel(id)
				c.meta = meta(rt)
				changes = append(changes, persistence.Change{ChannelID: id, Meta: c.meta, History: c.update(rt), Hints: c.hint(rt)})
			}
			mustNot(t, s.Commit(changes))
		}
		rt.Repeat(map[string]func(*rapid.T){
			"commit":       commit,
			"commit again": commit, // mostly
			"save": func(rt *rapid.T) {
				id := aChannel.Draw(rt, "channel")
				c := kept.channel(id)
				c.meta = meta(rt)
				mustNot(t, s.SaveChannelMeta(id, c.meta))
				mustNot(t, s.UpdateHistory(id, c.update(rt)))
				for _, hint := range c.hint(rt) {
					mustNot(t, s.SetRetrievalHint(id, hint.MessageID, hint.Hint))
				}
			},
			"fail": func(rt *rapid.T) {
				if s.Commit(append(change(aChannel.Draw(rt, "channel"), "x", 1), impossible())) == nil {
					rt.Error("it did not fail")
				}
			},
			"drop": func(rt *rapid.T) {
				id := aChannel.Draw(rt, "channel")
				delete(kept, id)
				mustNot(t, s.DropChannel(id))
			},
			"reopen": func(*rapid.T) {
				mustNot(t, s.Close())
				s, err = store.Open(path)
				mustNot(t, err)
			},
			"": func(rt *rapid.T) {
				for _, id := range channelIDs {
					// Diff alone would take its time over long messages.
					if want, got := kept.kept(id), load(t, s, id); !reflect.DeepEqual(want, got) {
						rt.Errorf("%s: %s", id, gocmp.Diff(want, got))
					}
				}
				var visited []string
				mustNot(t, s.VisitChannels(func(id string, _ []byte) bool {
					visited = append(visited, id)
					return true
				}))
				if diff := gocmp.Diff(slices.Sorted(maps.Keys(kept)), visited); diff != "" {
					rt.Error(diff)
				}
			},
		})
	})
}

func TestCallsAfterCloseSayThatItIsClosed(t *testing.T) {
	s := open(t, newPath(t))
	mustNot(t, s.Close())
	for i, err := range callAll(s) {
		if !errors.Is(err, store.ErrClosed) || !strings.Contains(err.Error(), s.Path()) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestClosingAmidstCallsLosesNothingThatWasCommitted(t *testing.T) {
	for range 10 {
		path := newPath(t)
		s := open(t, path)
		const callers = 12
		var group sync.WaitGroup
		committed := make([]int, callers)
		for caller := range callers {
			group.Go(func() {
				id := fmt.Sprint("c", caller)
				for i := 1; ; i++ {
					err := s.Commit(change(id, fmt.Sprint("m", i), uint64(i)))
					if err == nil {
						committed[caller] = i
						var kept persistence.Kept
						if kept, err = s.LoadChannel(id); err == nil && len(kept.History) != i {
							t.Errorf("%d messages of %d", len(kept.History), i)
						}
					}
					if err == nil {
						err = s.VisitChannels(func(string, []byte) bool { return true })
					}
					if err == nil {
						err = s.DropChannel(fmt.Sprint("other ", caller))
					}
					if err != nil {
						if !errors.Is(err, store.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		mustNot(t, s.Commit(change("one more", "m", 1)))
		mustNot(t, s.Close())
		group.Wait()
		s = open(t, path)
		for caller, want := range committed {
			if got := len(load(t, s, fmt.Sprint("c", caller)).History); got != want {
				t.Errorf("channel %d: %d messages of %d", caller, got, want)
			}
		}
		mustNot(t, s.Close())
	}
}

func TestAHintForAnIDThatNoKeyHasRoomForIsRefused(t *testing.T) {
	s := open(t, newPath(t))
	fits := strings.Repeat("i", store.MaxIDBytes)
	mustNot(t, s.SetRetrievalHint("c", fits, []byte("hint")))
	if err := s.SetRetrievalHint("c", fits+strings.Repeat("i", 9), []byte("hint")); err == nil {
		t.Error("it is kept")
	}
	if kept := load(t, s, "c"); len(kept.Hints) != 1 || kept.Hints[0].MessageID != fits {
		t.Errorf("%d hints are kept", len(kept.Hints))
	}
}
