package conformance

import (
	"cmp"
	"maps"
	"slices"
	"testing"
)

// difference is a deliberate deviation from the replaced library, at one
// aspect of some steps of a transcript: what was recorded, what libsds does
// instead, and why.
type difference struct {
	transcript   string
	steps        []int
	aspect       string
	theirs, ours string
	why          reason
}

// reason is a rule of PROTOCOL.md that makes libsds differ.
type reason string

const (
	clockOnReceipt    reason = "section 4, unwrap 5: a received timestamp makes the clock max(clock, lamport); only sending goes beyond it"
	clockOnSend       reason = "section 4, wrap: the clock becomes max(now, clock + 1), so a first message bears the time itself"
	idsAreNeverEmpty  reason = "introduction and section 1: no id is empty, neither to be sent nor received"
	releasedAfter     reason = "section 4, unwrap 9: what was released is ready after what released it"
	logIsOrdered      reason = "section 3: the log is in (lamport, id) order and is cited and evicted in that order, whatever the order of arrival"
	metStaysMet       reason = "section 4, unwrap 8 and mark: what was declared met stays met for messages that come later"
	receivedIsNotLost reason = "section 4, unwrap 2: what was received is not asked for, even while it is buffered itself"
	requestsRepeat    reason = "section 4, wrap: a requested entry stays and becomes due again, until T_max after it was first due"
	keptWithoutFilter reason = "section 3: messages are kept, and so repeated, without the filter that they travelled with"
	mostUrgentFirst   reason = "section 4, repair sweep: answers are due by T_resp, the earliest request first, and are repeated without filter (section 3)"
	hintsAreSaved     reason = "section 5: a retrieval hint is saved when it is first learnt"
)

// The clock after a message was received.
const (
	oneBeyond = "max(clock, lamport)+1"
	justThat  = "max(clock, lamport)+0"
)

// The clock after a peer's first message was sent. (The payload itself is
// compared after both clocks were made the same.)
const (
	oneBeyondNow = "max(now, clock)+1"
	justNow      = "max(now, clock)+0"
)

var designedDifferences = []difference{
	{"basic_ack", []int{0}, "clock", oneBeyondNow, justNow, clockOnSend},
	{"basic_ack", []int{1, 3, 6, 7, 12}, "clock", oneBeyond, justThat, clockOnReceipt},

	// The empty channel id, then the empty message id, and its receipt.
	{"errors", []int{5}, "outcome", "ok", "reInvalidArgument", idsAreNeverEmpty},
	{"errors", []int{5}, "wire", "as recorded", "none", idsAreNeverEmpty},
	{"errors", []int{5}, "calls", "loadChannel(), saveChannelMeta(), updateHistory( +m1)", "", idsAreNeverEmpty},
	{"errors", []int{5}, "channels", `""`, ``, idsAreNeverEmpty},
	{"errors", []int{6}, "outcome", "ok", "reInvalidArgument", idsAreNeverEmpty},
	{"errors", []int{6}, "wire", "as recorded", "none", idsAreNeverEmpty},
	{"errors", []int{6}, "calls", "loadChannel(ch), saveChannelMeta(ch), updateHistory(ch +)", "", idsAreNeverEmpty},
	{"errors", []int{6}, "channels", `"", "ch"`, ``, idsAreNeverEmpty},
	{"errors", []int{7}, "outcome", "ok", "reDeserializationError", idsAreNeverEmpty},
	{"errors", []int{7}, "content", "656d7074796964 in ch", "none", idsAreNeverEmpty},
	{"errors", []int{7}, "events", "message_ready  in ch", "", idsAreNeverEmpty},
	{"errors", []int{7}, "calls", "loadChannel(ch), saveChannelMeta(ch), updateHistory(ch +)", "", idsAreNeverEmpty},
	{"errors", []int{7}, "channels", `"ch"`, ``, idsAreNeverEmpty},

	{"hints_and_senders", []int{0}, "clock", oneBeyondNow, justNow, clockOnSend},
	{"hints_and_senders", []int{1, 3, 4, 6, 7, 9, 10, 11}, "clock", oneBeyond, justThat, clockOnReceipt},
	{"hints_and_senders", []int{2}, "calls",
		"saveChannelMeta(ch), updateHistory(ch +b1)",
		"saveChannelMeta(ch), updateHistory(ch +b1), setRetrievalHint(ch a1)", hintsAreSaved},
	{"hints_and_senders", []int{5}, "calls",
		"saveChannelMeta(ch), updateHistory(ch +a2)",
		"saveChannelMeta(ch), updateHistory(ch +a2), setRetrievalHint(ch b1), setRetrievalHint(ch a1)", hintsAreSaved},
	{"hints_and_senders", []int{6}, "outgoing repair",
		"a1 by alice at hint:a1, b1 by bob at hint:b1",
		"a1 by alice at hint:a1", receivedIsNotLost},
	{"hints_and_senders", []int{7, 8}, "outgoing repair", "b1 by bob at hint:b1", "", receivedIsNotLost},
	{"hints_and_senders", []int{7}, "events",
		"message_ready b1 in ch, message_ready a2 in ch, message_ready a1 in ch",
		"message_ready a1 in ch, message_ready b1 in ch, message_ready a2 in ch", releasedAfter},
	{"hints_and_senders", []int{11}, "events",
		"message_ready c1 in ch, message_ready a2 in ch",
		"message_ready a2 in ch, message_ready c1 in ch", releasedAfter},

	{"history_eviction", []int{0}, "clock", oneBeyondNow, justNow, clockOnSend},
	{"history_eviction", []int{8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21}, "clock", oneBeyond, justThat, clockOnReceipt},
	{"history_eviction", []int{16, 17}, "log", "m4 m5 m6 m7 m0", "m0 m4 m5 m6 m7", logIsOrdered},
	{"history_eviction", []int{18}, "wire", "as recorded", "as recorded but for the history: m5, m6, m7", logIsOrdered},
	{"history_eviction", []int{18}, "calls",
		"saveChannelMeta(ch), updateHistory(ch +r -m4)",
		"saveChannelMeta(ch), updateHistory(ch +r -m0)", logIsOrdered},
	{"history_eviction", []int{18}, "log", "m5 m6 m7 m0 r", "m4 m5 m6 m7 r", logIsOrdered},
	{"history_eviction", []int{20}, "events",
		"message_ready r in ch, message_ready m0 in ch",
		"message_ready m0 in ch, message_ready r in ch", releasedAfter},
	{"history_eviction", []int{20}, "calls",
		"saveChannelMeta(ch), updateHistory(ch +m0 +r -m4 -m3)",
		"saveChannelMeta(ch), updateHistory(ch +m0 +r -m3 -m4)", logIsOrdered},
	{"history_eviction", []int{20}, "log", "m5 m6 m7 m0 r", "m0 m5 m6 m7 r", logIsOrdered},
	// m0, which m1 cites, was evicted in step 18, where they evicted m4.
	{"history_eviction", []int{21}, "missing", "", "m0", logIsOrdered},
	{"history_eviction", []int{21}, "events", "message_ready m1 in ch", "missing_dependencies m1 lacks m0 in ch", logIsOrdered},
	{"history_eviction", []int{21}, "calls",
		"saveChannelMeta(ch), updateHistory(ch +m1 -m5)",
		"saveChannelMeta(ch)", logIsOrdered},
	{"history_eviction", []int{21}, "log", "m6 m7 m0 r m1", "m4 m5 m6 m7 r", logIsOrdered},
	{"history_eviction", []int{21}, "incoming", "", "m1 lacks m0", logIsOrdered},

	{"loss_and_mark", []int{0}, "clock", oneBeyondNow, justNow, clockOnSend},
	{"loss_and_mark", []int{4, 9, 11, 12, 14}, "clock", oneBeyond, justThat, clockOnReceipt},
	// m1 comes after m0, which it cites, was declared met; they ask again.
	{"loss_and_mark", []int{9}, "missing", "m0", "", metStaysMet},
	{"loss_and_mark", []int{9}, "events", "missing_dependencies m1 lacks m0 in ch", "message_ready m1 in ch", metStaysMet},
	{"loss_and_mark", []int{9}, "calls", "saveChannelMeta(ch)", "saveChannelMeta(ch), updateHistory(ch +m1)", metStaysMet},
	{"loss_and_mark", []int{9}, "log", "m3", "m1 m3", metStaysMet},
	{"loss_and_mark", []int{9}, "incoming", "m1 lacks m0", "", metStaysMet},
	{"loss_and_mark", []int{10}, "events", "message_ready m1 in ch", "", metStaysMet},
	{"loss_and_mark", []int{10}, "calls", "saveChannelMeta(ch), updateHistory(ch +m1)", "saveChannelMeta(ch)", metStaysMet},
	{"loss_and_mark", []int{10}, "log", "m3 m1", "m1 m3", logIsOrdered},
	{"loss_and_mark", []int{11}, "log", "m3 m1 m0", "m0 m1 m3", logIsOrdered},
	{"loss_and_mark", []int{12}, "log", "m3 m1 m0 m2", "m0 m1 m2 m3", logIsOrdered},
	{"loss_and_mark", []int{13}, "wire", "as recorded", "as recorded but for the history: m0, m1, m2, m3", logIsOrdered},
	{"loss_and_mark", []int{13}, "log", "m3 m1 m0 m2 r", "m0 m1 m2 m3 r", logIsOrdered},

	{"out_of_order", []int{0}, "clock", oneBeyondNow, justNow, clockOnSend},
	{"out_of_order", []int{6, 7, 8, 9, 10, 11, 15}, "clock", oneBeyond, justThat, clockOnReceipt},
	{"out_of_order", []int{11}, "events",
		"message_ready m1 in ch, message_ready m2 in ch, message_ready m3 in ch, message_ready m4 in ch, message_ready m5 in ch, message_ready m0 in ch",
		"message_ready m0 in ch, message_ready m1 in ch, message_ready m2 in ch, message_ready m3 in ch, message_ready m4 in ch, message_ready m5 in ch", releasedAfter},

	{"repair", []int{0}, "clock", oneBeyondNow, justNow, clockOnSend},
	{"repair", []int{3, 4, 5, 6, 9, 10, 14, 16, 24, 25}, "clock", oneBeyond, justThat, clockOnReceipt},
	// T_req is 20 ms for a1 and 5 ms for a2. Asked for after 60 ms, with a T_max
	// of 40 ms, a1 is kept and a2 is not.
	{"repair", []int{8}, "outgoing repair", "", "a1 by alice", requestsRepeat},
	{"repair", []int{9, 10}, "incoming repair",
		"a1 by alice answered with a1 as sent, a2 by alice answered with a2 as sent",
		"a1 by alice answered with a1 without its filter, a2 by alice answered with a2 without its filter", keptWithoutFilter},
	{"repair", []int{12, 13}, "events",
		"repair_ready a1 as sent in ch, repair_ready a2 as sent in ch",
		"repair_ready a2 without its filter in ch, repair_ready a1 without its filter in ch", mostUrgentFirst},
	{"repair", []int{14}, "log", "c1 a1", "a1 c1", logIsOrdered},
	{"repair", []int{16}, "events",
		"message_ready a3 in ch, message_ready a2 in ch",
		"message_ready a2 in ch, message_ready a3 in ch", releasedAfter},
	{"repair", []int{16, 18, 20, 22}, "log", "c1 a1 a2 a3", "a1 a2 a3 c1", logIsOrdered},
	{"repair", []int{23}, "wire", "as recorded", "as recorded but for the history: a1 by alice, a2 by alice, a3 by alice, c1 by carol", logIsOrdered},
	{"repair", []int{23}, "log", "c1 a1 a2 a3 c2", "a1 a2 a3 c1 c2", logIsOrdered},
}

// place is where a difference is.
type place struct {
	transcript string
	step       int
	aspect     string
}

// tally counts what the replays compare and meet.
type tally struct {
	steps     int
	replayed  map[string]bool // every transcript; true once replayed
	listed    map[place]*difference
	seen      map[place]bool
	equal     map[string]int // by aspect
	different map[string]int // by aspect
	perReason map[reason]int
}

func newTally(t *testing.T) *tally {
	t.Helper()
	y := &tally{
		replayed:  make(map[string]bool),
		listed:    make(map[place]*difference),
		seen:      make(map[place]bool),
		equal:     make(map[string]int),
		different: make(map[string]int),
		perReason: make(map[reason]int),
	}
	for i := range designedDifferences {
		d := &designedDifferences[i]
		for _, step := range d.steps {
			at := place{d.transcript, step, d.aspect}
			if y.listed[at] != nil {
				t.Fatalf("%v is listed twice", at)
			}
			y.listed[at] = d
		}
	}
	return y
}

func (y *tally) met(at place, d *difference) {
	if !y.seen[at] {
		y.seen[at] = true
		y.different[at.aspect]++
		y.perReason[d.why]++
	}
}

// report says what was compared, and fails where a listed difference was not
// met.
func (y *tally) report(t *testing.T) {
	t.Helper()
	for at, d := range y.listed {
		replayed, known := y.replayed[at.transcript]
		if (replayed || !known) && !y.seen[at] {
			t.Errorf("%s, step %d, %s: listed as a difference and not met (%s)", at.transcript, at.step, at.aspect, d.why)
		}
	}
	equal := 0
	for _, aspect := range slices.Sorted(maps.Keys(y.equal)) {
		t.Logf("%-17s %4d equal, %3d different by design", aspect, y.equal[aspect], y.different[aspect])
		equal += y.equal[aspect]
	}
	t.Logf("%d transcripts, %d steps: %d comparisons equal, %d different by design:", len(y.replayed), y.steps, equal, len(y.seen))
	for _, why := range slices.SortedFunc(maps.Keys(y.perReason), func(a, b reason) int {
		return cmp.Or(cmp.Compare(y.perReason[b], y.perReason[a]), cmp.Compare(a, b))
	}) {
		t.Logf("%4d  %s", y.perReason[why], why)
	}
}
