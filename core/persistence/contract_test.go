package persistence_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

func record(id string, lamport uint64) snapshot.HistoryRecord {
	return snapshot.HistoryRecord{MessageID: id, Lamport: lamport, Message: []byte(id)}
}

func mustNot(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMemoryReturnsWhatWasSaved(t *testing.T) {
	var memory persistence.Memory
	hint := []byte("hint")
	meta := []byte("meta")
	mustNot(t, memory.SaveChannelMeta("c", meta))
	// In any order, twice, and with ties that the id decides.
	mustNot(t, memory.UpdateHistory("c", snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record("b", 2), record("z", 1), record("a", 2)}}))
	mustNot(t, memory.UpdateHistory("c", snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record("b", 2), record("old", 0)}, Evict: []string{"never there"}}))
	mustNot(t, memory.SetRetrievalHint("c", "a", hint))
	mustNot(t, memory.SetRetrievalHint("c", "old", hint))
	mustNot(t, memory.UpdateHistory("c", snapshot.HistoryUpdate{Evict: []string{"old"}}))
	hint[0] = 'X' // the caller's memory
	meta[0] = 'X'

	got, err := memory.LoadChannel("c")
	mustNot(t, err)
	want := persistence.Kept{
		Meta:    []byte("meta"),
		History: [][]byte{[]byte("z"), []byte("a"), []byte("b")},
		Hints:   []snapshot.RetrievalHint{{MessageID: "a", Hint: []byte("hint")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHintOfAMessageThatIsReplacedGoesWithIt(t *testing.T) {
	var memory persistence.Memory
	mustNot(t, memory.UpdateHistory("c", snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record("m", 1)}}))
	mustNot(t, memory.SetRetrievalHint("c", "m", []byte("where the first is")))
	mustNot(t, memory.UpdateHistory("c", snapshot.HistoryUpdate{
		Append: []snapshot.HistoryRecord{record("m", 2)}, Gone: []snapshot.HistoryKey{{MessageID: "m", Lamport: 1}},
	}))
	got, err := memory.LoadChannel("c")
	mustNot(t, err)
	if diff := cmp.Diff(persistence.Kept{History: [][]byte{[]byte("m")}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDropForgetsOneChannelWithItsHints(t *testing.T) {
	var memory persistence.Memory
	for _, id := range []string{"dropped", "kept"} {
		mustNot(t, memory.SaveChannelMeta(id, []byte("meta")))
		mustNot(t, memory.UpdateHistory(id, snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record("m", 1)}}))
		mustNot(t, memory.SetRetrievalHint(id, "m", []byte("h")))
	}
	mustNot(t, memory.DropChannel("dropped"))
	mustNot(t, memory.DropChannel("never there"))
	dropped, err := memory.LoadChannel("dropped")
	mustNot(t, err)
	if diff := cmp.Diff(persistence.Kept{}, dropped); diff != "" {
		t.Error(diff)
	}
	kept, err := memory.LoadChannel("kept")
	mustNot(t, err)
	if kept.Meta == nil || len(kept.History) != 1 || len(kept.Hints) != 1 {
		t.Errorf("the other channel is %+v", kept)
	}
}

// callAll calls every procedure once and tells which failed.
func callAll(backend persistence.Backend) []bool {
	_, loadErr := backend.LoadChannel("c")
	outcomes := []error{
		backend.SaveChannelMeta("c", []byte("meta")),
		backend.UpdateHistory("c", snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record("m", 1)}, Evict: []string{"e"}}),
		loadErr,
		backend.DropChannel("c"),
		backend.SetRetrievalHint("c", "m", []byte("h")),
	}
	failed := make([]bool, len(outcomes))
	for i, err := range outcomes {
		failed[i] = errors.Is(err, persistence.ErrInjected)
	}
	return failed
}

func TestFaultyFailsTheNthCallOfTheNamedProcedures(t *testing.T) {
	all := []bool{true, true, true, true, true}
	none := make([]bool, 5)
	for i, procedure := range []persistence.Procedure{
		persistence.SaveChannelMeta, persistence.UpdateHistory, persistence.LoadChannel, persistence.DropChannel, persistence.SetRetrievalHint,
	} {
		t.Run(procedure.String(), func(t *testing.T) {
			only := make([]bool, 5)
			only[i] = true
			once := persistence.NewFaulty(persistence.None{})
			once.FailOnce(2, procedure)
			from := persistence.NewFaulty(persistence.None{})
			from.FailFrom(2, procedure)
			for round, want := range [][2][]bool{{none, none}, {only, only}, {none, only}} {
				got := [2][]bool{callAll(once), callAll(from)}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("round %d: %s", round, diff)
				}
			}
			from.Heal()
			if diff := cmp.Diff(none, callAll(from)); diff != "" {
				t.Errorf("after Heal: %s", diff)
			}
			if once.Failures() != 1 || from.Failures() != 2 {
				t.Errorf("failures: %d and %d", once.Failures(), from.Failures())
			}
		})
	}
	crashed := persistence.NewFaulty(persistence.None{})
	crashed.FailFrom(1)
	if diff := cmp.Diff(all, callAll(crashed)); diff != "" {
		t.Errorf("crashed: %s", diff)
	}
	counted := persistence.NewFaulty(persistence.None{}) // procedures are counted together
	counted.FailOnce(2, persistence.SaveChannelMeta, persistence.DropChannel)
	if diff := cmp.Diff([]bool{false, false, false, true, false}, callAll(counted)); diff != "" {
		t.Errorf("counted: %s", diff)
	}
}

func TestFaultyKeepsFailedCallsFromTheBackendInside(t *testing.T) {
	inside := persistence.NewRecording(persistence.None{})
	faulty := persistence.NewFaulty(inside)
	faulty.FailFrom(1)
	callAll(faulty)
	if calls := inside.Take(); len(calls) != 0 {
		t.Errorf("calls inside: %v", calls)
	}
	faulty.Heal()
	callAll(faulty)
	if calls := inside.Take(); len(calls) != 5 {
		t.Errorf("calls inside after Heal: %v", calls)
	}
}

func TestRecordingNotesCallsInOrder(t *testing.T) {
	faulty := persistence.NewFaulty(persistence.None{})
	faulty.FailOnce(1, persistence.DropChannel)
	recording := persistence.NewRecording(faulty)
	callAll(recording)
	want := []persistence.Call{
		{Procedure: persistence.LoadChannel, ChannelID: "c"},
		{Procedure: persistence.SaveChannelMeta, ChannelID: "c"},
		{Procedure: persistence.UpdateHistory, ChannelID: "c", Appended: []string{"m"}, Evicted: []string{"e"}},
		{Procedure: persistence.DropChannel, ChannelID: "c", Err: persistence.ErrInjected},
		{Procedure: persistence.SetRetrievalHint, ChannelID: "c", MessageID: "m"},
	}
	sameError := cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) && errors.Is(b, a) })
	if diff := cmp.Diff(want, recording.Calls(), sameError); diff != "" {
		t.Error(diff)
	}
	if len(recording.Take()) != len(want) || len(recording.Calls()) != 0 {
		t.Error("Take does not take")
	}
}

func TestWrappersAreSafeForConcurrentUse(t *testing.T) {
	const goroutines, rounds = 16, 20
	faulty := persistence.NewFaulty(new(persistence.Memory))
	recording := persistence.NewRecording(faulty)
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for i := range rounds {
				faulty.FailOnce(1+i, persistence.SaveChannelMeta)
				callAll(recording)
			}
		})
	}
	group.Wait()
	calls := recording.Calls()
	failed := 0
	for _, call := range calls {
		if call.Err != nil {
			failed++
		}
	}
	if len(calls) != goroutines*rounds*5 || failed != faulty.Failures() {
		t.Errorf("%d calls, %d failed of %d", len(calls), failed, faulty.Failures())
	}
}

func TestProcedureNames(t *testing.T) {
	for procedure, want := range map[persistence.Procedure]string{
		persistence.SaveChannelMeta: "SaveChannelMeta", persistence.UpdateHistory: "UpdateHistory", persistence.LoadChannel: "LoadChannel",
		persistence.DropChannel: "DropChannel", persistence.SetRetrievalHint: "SetRetrievalHint", persistence.Commit: "Commit", 0: "unknown", 99: "unknown",
	} {
		if got := fmt.Sprint(procedure); got != want {
			t.Errorf("procedure %d is %q, want %q", uint8(procedure), got, want)
		}
	}
}

func aChange(channelID string) persistence.Change {
	return persistence.Change{
		ChannelID: channelID,
		Meta:      []byte("meta of " + channelID),
		History:   snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record("m", 1)}, Evict: []string{"e"}},
		Hints:     []snapshot.RetrievalHint{{MessageID: "m", Hint: []byte("h")}},
	}
}

func TestTransactionsKeepEveryChangeOfACommit(t *testing.T) {
	transactions := new(persistence.Transactions)
	recording := persistence.NewRecordingCommitter(transactions)
	mustNot(t, recording.Commit([]persistence.Change{aChange("c"), aChange("d")}))
	for _, id := range []string{"c", "d"} {
		got, err := transactions.LoadChannel(id)
		mustNot(t, err)
		want := persistence.Kept{
			Meta: []byte("meta of " + id), History: [][]byte{[]byte("m")},
			Hints: []snapshot.RetrievalHint{{MessageID: "m", Hint: []byte("h")}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	want := []persistence.Call{
		{Procedure: persistence.Commit, ChannelID: "c", Appended: []string{"m"}, Evicted: []string{"e"}, Hinted: []string{"m"}},
		{Procedure: persistence.Commit, ChannelID: "d", Appended: []string{"m"}, Evicted: []string{"e"}, Hinted: []string{"m"}},
	}
	if diff := cmp.Diff(want, recording.Take()); diff != "" {
		t.Error(diff)
	}
}

func TestFaultyCommitKeepsNothing(t *testing.T) {
	transactions := new(persistence.Transactions)
	faulty := persistence.NewFaultyCommitter(transactions)
	faulty.FailOnce(1, persistence.Commit)
	if err := faulty.Commit([]persistence.Change{aChange("c")}); !errors.Is(err, persistence.ErrInjected) {
		t.Errorf("it returns %v", err)
	}
	got, err := transactions.LoadChannel("c")
	mustNot(t, err)
	if diff := cmp.Diff(persistence.Kept{}, got); diff != "" {
		t.Error(diff)
	}
	mustNot(t, faulty.Commit([]persistence.Change{aChange("c")}))
}

func TestCloneIsWhatWasKeptAtItsTime(t *testing.T) {
	var transactions persistence.Transactions
	mustNot(t, transactions.Commit([]persistence.Change{aChange("c")}))
	before, err := transactions.LoadChannel("c")
	mustNot(t, err)
	clone := transactions.Clone()
	mustNot(t, transactions.SaveChannelMeta("c", []byte("later")))
	mustNot(t, transactions.UpdateHistory("c", snapshot.HistoryUpdate{Evict: []string{"m"}}))
	got, err := clone.LoadChannel("c")
	mustNot(t, err)
	if diff := cmp.Diff(before, got); diff != "" {
		t.Error(diff)
	}
}

func TestVisitChannelsGoesInOrderUntilItIsTold(t *testing.T) {
	var memory persistence.Memory
	for _, id := range []string{"b", "c", "a"} {
		mustNot(t, memory.SaveChannelMeta(id, []byte("meta of "+id)))
	}
	var seen []string
	mustNot(t, memory.VisitChannels(func(id string, meta []byte) bool {
		seen = append(seen, id+" "+string(meta))
		return id != "b"
	}))
	if diff := cmp.Diff([]string{"a meta of a", "b meta of b"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestHintsErrorSaysWhatTheBackendSays(t *testing.T) {
	full := errors.New("the disk is full")
	err := error(&persistence.HintsError{Err: full, Unkept: []persistence.HintOf{{ChannelID: "c", MessageID: "m"}}})
	if err.Error() != full.Error() || !errors.Is(err, full) {
		t.Errorf("it says %q, and is it what the backend says: %v", err, errors.Is(err, full))
	}
}

func TestCloneOfAMemoryIsWhatWasKeptAtItsTime(t *testing.T) {
	memory := new(persistence.Memory)
	mustNot(t, memory.SaveChannelMeta("c", []byte("before")))
	clone := memory.Clone()
	mustNot(t, memory.SaveChannelMeta("c", []byte("after")))
	mustNot(t, memory.SaveChannelMeta("d", []byte("after")))
	for id, want := range map[string]string{"c": "before", "d": ""} {
		kept, err := clone.LoadChannel(id)
		mustNot(t, err)
		if string(kept.Meta) != want {
			t.Errorf("channel %s of the clone has %q, not %q", id, kept.Meta, want)
		}
	}
}
