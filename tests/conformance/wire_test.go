package conformance

import (
	"encoding/hex"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// wireDifferences are the entries of wire.json that libsds reads otherwise than
// the replaced library did, each with its reason. An entry that is listed and
// does not differ fails the test as much as one that differs and is not listed.
// The written bytes never differ.
var wireDifferences = []struct {
	name    string
	history []string // the ids of the history that we read, nil where we refuse
	ours    string
	why     string
}{
	{"lamport -2", nil, "refused",
		"a lamport is an int64; beyond its range the replaced library crashed"},
	{"field 2 10-byte varint 2^64-1", nil, "refused",
		"a lamport is an int64; beyond its range the replaced library crashed"},
	{"history with empty id + sender", nil, "refused",
		"an empty id in a history entry is refused"},
	{"empty id", nil, "refused",
		"an empty message id is refused"},
	{"non-utf8", nil, "refused",
		"ids that are not UTF-8 are refused"},
	{"full truncated to 27", []string{"m1"}, "read as a sync message",
		"field 5 may be absent beside field 2: sds-0.4 omits it when the content is empty"},
	{"legacy causal history: raw strings", []string{"dep1", "dep2"}, "read as bare ids",
		"field 3 of sds-0.2 and sds-0.4 holds bare ids; the replaced library read entries only"},
	{"causal history: only hint", []string{"\x12\x01h"}, "read as a bare id",
		"a value of field 3 that is not an entry with an id is a bare id"},
}

// wireEntry is an entry of wire.json. The vectors also hold what the replaced
// library's extractChannelId returned; libsds has no such helper, whoever wants
// the channel decodes the message.
type wireEntry struct {
	Name    string       `json:"name"`
	Message *wireMessage `json:"message"` // absent where there are only bytes to decode
	WireHex string       `json:"wireHex"`
	Decode  struct {
		OK     *wireMessage `json:"ok"`
		Error  string       `json:"error"`
		Defect string       `json:"defect"` // the replaced library crashed
	} `json:"decode"`
}

// wireMessage is a message of wire.json. Ids are compared as hexadecimal, since
// the vectors leave the readable form out where it is not ASCII.
type wireMessage struct {
	MessageIDHex  string             `json:"messageIdHex"`
	Lamport       string             `json:"lamport"` // decimal, an int64
	CausalHistory []wireHistoryEntry `json:"causalHistory"`
	ChannelIDHex  string             `json:"channelIdHex"`
	ContentHex    string             `json:"contentHex"`
	BloomHex      string             `json:"bloomHex"` // the raw filter field
	SenderIDHex   string             `json:"senderIdHex"`
	RepairRequest []wireHistoryEntry `json:"repairRequest"`
}

type wireHistoryEntry struct {
	MessageIDHex     string `json:"messageIdHex"`
	RetrievalHintHex string `json:"retrievalHintHex"`
	SenderIDHex      string `json:"senderIdHex"`
}

// message turns what a vector says into what wire takes. The timestamp is
// carried as a uint64 of the same bits.
func (v *wireMessage) message(t *testing.T) *wire.Message {
	t.Helper()
	lamport, err := strconv.ParseInt(v.Lamport, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return &wire.Message{
		ID:             string(unhex(t, v.MessageIDHex)),
		ChannelID:      string(unhex(t, v.ChannelIDHex)),
		SenderID:       string(unhex(t, v.SenderIDHex)),
		Lamport:        uint64(lamport),
		HasLamport:     true,
		History:        wireEntries(t, v.CausalHistory),
		RepairRequests: wireEntries(t, v.RepairRequest),
		Content:        unhex(t, v.ContentHex),
		Filter:         unhex(t, v.BloomHex),
	}
}

func wireEntries(t *testing.T, entries []wireHistoryEntry) []wire.Entry {
	t.Helper()
	var list []wire.Entry
	for _, e := range entries {
		list = append(list, wire.Entry{
			ID:       string(unhex(t, e.MessageIDHex)),
			SenderID: string(unhex(t, e.SenderIDHex)),
			Hint:     unhex(t, e.RetrievalHintHex),
		})
	}
	return list
}

// wireVector is the other direction: a decoded message as a vector says it.
func wireVector(m *wire.Message) *wireMessage {
	return &wireMessage{
		MessageIDHex:  hex.EncodeToString([]byte(m.ID)),
		Lamport:       strconv.FormatInt(int64(m.Lamport), 10),
		CausalHistory: wireVectorEntries(m.History),
		ChannelIDHex:  hex.EncodeToString([]byte(m.ChannelID)),
		ContentHex:    hex.EncodeToString(m.Content),
		BloomHex:      hex.EncodeToString(m.Filter),
		SenderIDHex:   hex.EncodeToString([]byte(m.SenderID)),
		RepairRequest: wireVectorEntries(m.RepairRequests),
	}
}

func wireVectorEntries(entries []wire.Entry) []wireHistoryEntry {
	list := []wireHistoryEntry{}
	for _, e := range entries {
		list = append(list, wireHistoryEntry{
			MessageIDHex:     hex.EncodeToString([]byte(e.ID)),
			RetrievalHintHex: hex.EncodeToString(e.Hint),
			SenderIDHex:      hex.EncodeToString([]byte(e.SenderID)),
		})
	}
	return list
}

type wireFile struct {
	Vectors []wireEntry `json:"vectors"` // messages that were written, and read back
	Decode  []wireEntry `json:"decode"`  // bytes made by hand, and read
}

func loadWire(t *testing.T) wireFile {
	t.Helper()
	var file wireFile
	loadVectors(t, "wire", &file)
	if len(file.Vectors) == 0 || len(file.Decode) == 0 {
		t.Fatal("no vectors")
	}
	return file
}

func TestSDS03IsWrittenByteForByte(t *testing.T) {
	file := loadWire(t)
	for _, v := range file.Vectors {
		m := v.Message.message(t)
		var filter wire.Filter
		if len(m.Filter) > 0 {
			filter = wire.RawFilter(m.Filter)
		}
		if got := hex.EncodeToString(wire.Append(nil, wire.SDS03, m, filter)); got != v.WireHex {
			t.Errorf("%s: Append\ngot  %s\nwant %s", v.Name, got, v.WireHex)
		}
		stored := wire.Store(wire.SDS03, m)
		if got := hex.EncodeToString(stored.Append(nil, filter, m.RepairRequests)); got != v.WireHex {
			t.Errorf("%s: Stored.Append\ngot  %s\nwant %s", v.Name, got, v.WireHex)
		}
	}
	t.Logf("%d messages written, all byte-identical", len(file.Vectors))
}

func TestWireIsReadAsTheReplacedLibraryReadIt(t *testing.T) {
	file := loadWire(t)
	designed := map[string][]string{} // the history that we read, by name
	for _, d := range wireDifferences {
		designed[d.name] = d.history
	}
	lim := limits.Default()
	entries := slices.Concat(file.Vectors, file.Decode)
	read, refused := 0, 0
	for _, v := range entries {
		var m wire.Message
		var got *wireMessage // nil when refused
		err := wire.Decode(unhex(t, v.WireHex), &lim, &m)
		if err == nil {
			got = wireVector(&m)
		}

		difference := ""
		switch {
		case v.Decode.Defect != "":
			difference = "the replaced library crashed: " + v.Decode.Defect
		case (v.Decode.OK == nil) != (got == nil):
			difference = "one reads, the other refuses"
		case got != nil:
			difference = cmp.Diff(v.Decode.OK, got)
		}

		history, listed := designed[v.Name]
		delete(designed, v.Name)
		switch {
		case listed && difference == "":
			t.Errorf("%s: listed as a designed difference, but there is none", v.Name)
		case listed && !slices.Equal(history, historyIDs(&m)):
			t.Errorf("%s: read %q, listed as %q (error: %v)", v.Name, historyIDs(&m), history, err)
		case listed && (history == nil) != (err != nil):
			t.Errorf("%s: Decode returned %v", v.Name, err)
		case !listed && difference != "":
			t.Errorf("%s: differs (our error: %v):\n%s", v.Name, err, difference)
		case difference == "" && got == nil:
			refused++
		case difference == "":
			read++
		}
	}
	for name := range designed {
		t.Errorf("%s: listed as a designed difference, but not among the vectors", name)
	}
	t.Logf("%d payloads: %d read alike, %d refused alike, %d differ by design",
		len(entries), read, refused, len(wireDifferences))
	for _, d := range wireDifferences {
		t.Logf("by design: %s: %s: %s", d.name, d.ours, d.why)
	}
}

func historyIDs(m *wire.Message) []string {
	var ids []string
	for _, e := range m.History {
		ids = append(ids, e.ID)
	}
	return ids
}
