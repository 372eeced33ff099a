package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// lipVectors is what @waku/sds wrote: see tests/interop/js/vectors.mjs.
type lipVectors struct {
	Writer  string `json:"writer"`
	Written []struct {
		Name    string     `json:"name"`
		Message lipMessage `json:"message"`
		WireHex string     `json:"wireHex"`
	} `json:"written"`
	Conversation []struct {
		lipMessage
		Lost       bool   `json:"lost"`
		WireLength int    `json:"wireLength"`
		WireSHA256 string `json:"wireSha256"`
	} `json:"conversation"`
	Filters []struct {
		Count          int    `json:"count"`
		Length         int    `json:"length"`
		SHA256         string `json:"sha256"`
		FalsePositives []int  `json:"falsePositives"`
	} `json:"filters"`
	Positions []struct {
		ID        string   `json:"id"`
		Positions []uint64 `json:"positions"`
	} `json:"positions"`
	Groups []struct {
		Participant string          `json:"participant"`
		Sender      string          `json:"sender"`
		MessageID   string          `json:"messageId"`
		InGroup     map[string]bool `json:"inGroup"`
	} `json:"groups"`
}

type lipMessage struct {
	Kind          string     `json:"kind"`
	MessageID     string     `json:"messageId"`
	ChannelID     string     `json:"channelId"`
	SenderID      string     `json:"senderId"`
	Lamport       string     `json:"lamport"`
	CausalHistory []lipEntry `json:"causalHistory"`
	RepairRequest []lipEntry `json:"repairRequest"`
	FilterHex     string     `json:"bloomFilterHex"`
	FilterSHA256  string     `json:"bloomFilterSha256"`
	ContentHex    string     `json:"contentHex"`
}

type lipEntry struct {
	MessageID        string `json:"messageId"`
	SenderID         string `json:"senderId"`
	RetrievalHintHex string `json:"retrievalHintHex"`
}

func loadLIP109(t *testing.T) lipVectors {
	t.Helper()
	var v lipVectors
	loadVectors(t, "lip109", &v)
	if v.Writer != "@waku/sds 0.0.8" {
		t.Fatalf("the vectors are of %s", v.Writer)
	}
	return v
}

// message turns what a vector says into what wire takes.
func (v *lipMessage) message(t *testing.T) *wire.Message {
	t.Helper()
	m := &wire.Message{
		ID: v.MessageID, ChannelID: v.ChannelID, SenderID: v.SenderID, HasLamport: v.Lamport != "",
		History: lipEntries(t, v.CausalHistory), RepairRequests: lipEntries(t, v.RepairRequest),
		Content: unhex(t, v.ContentHex), Filter: unhex(t, v.FilterHex),
	}
	if m.HasLamport {
		var err error
		if m.Lamport, err = strconv.ParseUint(v.Lamport, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func lipEntries(t *testing.T, vectors []lipEntry) (entries []wire.Entry) {
	t.Helper()
	for _, e := range vectors {
		entries = append(entries, wire.Entry{ID: e.MessageID, SenderID: e.SenderID, Hint: unhex(t, e.RetrievalHintHex)})
	}
	return entries
}

func kindOf(m *wire.Message) string {
	switch {
	case m.IsEphemeral():
		return "ephemeral"
	case m.IsSync():
		return "sync"
	}
	return "content"
}

// lipWrittenOtherwise are the messages that libsds reads and would not write so.
var lipWrittenOtherwise = map[string]string{
	"an empty sender in an entry": "libsds leaves out what is empty",
	"an empty hint in an entry":   "libsds leaves out what is empty",
}

// TestLIP109IsReadAndWrittenAsByWaku: what it wrote is read as what it meant, and
// the same message has the same bytes from us.
func TestLIP109IsReadAndWrittenAsByWaku(t *testing.T) {
	lim := limits.Default()
	exact := 0
	for _, v := range loadLIP109(t).Written {
		payload, want := unhex(t, v.WireHex), v.Message.message(t)
		var got wire.Message
		if err := wire.Decode(payload, &lim, &got); err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if got.Format != wire.LIP109 || kindOf(&got) != v.Message.Kind {
			t.Errorf("%s is read as %v in %v", v.Name, kindOf(&got), got.Format)
		}
		got.Format = 0
		if diff := cmp.Diff(want, &got, cmpopts.IgnoreUnexported(wire.Message{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", v.Name, diff)
		}
		same := string(wire.Append(nil, wire.LIP109, want, wire.RawFilter(want.Filter))) == string(payload)
		if why, otherwise := lipWrittenOtherwise[v.Name]; same == otherwise {
			t.Errorf("%s: the same bytes: %v; %s", v.Name, same, why)
		}
		if same {
			exact++
		}
	}
	t.Logf("%d byte-identical", exact)
}

// TestAConversationOfWakuHasTheBytesThatWeWouldWrite, its filters included, which
// are those of what each of the two had sent and received by then.
func TestAConversationOfWakuHasTheBytesThatWeWouldWrite(t *testing.T) {
	v := loadLIP109(t)
	filters := map[string]*bloom.Rolling{}
	for _, name := range []string{"alice", "bob"} {
		filters[name] = bloom.NewRolling(bloom.Murmur3, 10_000, 0.001)
	}
	for i, said := range v.Conversation {
		m := said.message(t)
		payload := wire.Append(nil, wire.LIP109, m, filters[m.SenderID])
		if len(payload) != said.WireLength || sha256Hex(payload) != said.WireSHA256 {
			t.Errorf("message %d, a %s of %s: other bytes", i, said.Kind, m.SenderID)
		}
		if m.IsSync() {
			continue
		}
		for name, filter := range filters {
			if name == m.SenderID || !said.Lost {
				filter.Add(bloom.Murmur3.Sum(m.ID))
			}
		}
	}
	t.Logf("%d byte-identical", len(v.Conversation))
}

// TestFiltersOfWakuAreOurs, bit by bit, and so is what they claim falsely.
func TestFiltersOfWakuAreOurs(t *testing.T) {
	for _, v := range loadLIP109(t).Filters {
		filter := bloom.NewRolling(bloom.Murmur3, 10_000, 0.001)
		for i := range v.Count {
			filter.Add(bloom.Murmur3.Sum(sha256Hex(fmt.Appendf(nil, "message %d", i))))
		}
		data := filter.AppendTo(nil)
		if len(data) != v.Length || sha256Hex(data) != v.SHA256 {
			t.Errorf("%d ids: the filters differ", v.Count)
		}
		view, ok := bloom.ParseLIP(data)
		if !ok {
			t.Fatalf("%d ids: the filter is not read", v.Count)
		}
		var positives []int
		for i := range 5_000 {
			if view.Contains(bloom.Murmur3.Sum(sha256Hex(fmt.Appendf(nil, "foreign %d", i)))) {
				positives = append(positives, i)
			}
		}
		if !slices.Equal(positives, v.FalsePositives) {
			t.Errorf("%d ids: %d false positives, not the same %d", v.Count, len(positives), len(v.FalsePositives))
		}
	}
}

// TestPositionsOfWakuAreOursInASCII, and not outside of it: @waku/sds hashes one
// UTF-16 unit of each character.
func TestPositionsOfWakuAreOursInASCII(t *testing.T) {
	const bits = 150_000
	for _, v := range loadLIP109(t).Positions {
		h := bloom.Murmur3.Sum(v.ID)
		var positions []uint64
		for n := range uint64(10) {
			positions = append(positions, (h.A%bits+n*(h.B%bits))%bits)
		}
		ascii := !slices.ContainsFunc([]byte(v.ID), func(b byte) bool { return b >= 0x80 })
		if slices.Equal(positions, v.Positions) != ascii {
			t.Errorf("%q: %v, theirs are %v", v.ID, positions, v.Positions)
		}
	}
}

func TestResponseGroupsOfWakuAreOurs(t *testing.T) {
	compared := 0
	for _, v := range loadLIP109(t).Groups {
		for number, want := range v.InGroup {
			groups, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			if got := channel.InResponseGroup(wire.LIP109, v.Participant, v.Sender, v.MessageID, groups); got != want {
				t.Errorf("%s for %s of %s, %d groups: %v, not %v", v.Participant, v.MessageID, v.Sender, groups, got, want)
			}
			compared++
		}
	}
	t.Logf("%d answers equal", compared)
}
