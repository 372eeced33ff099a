package conformance

import (
	"encoding/hex"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// snapshotDifferences are the entries of snapshot.json that the replaced
// library did otherwise, each with its reason. An entry that is listed and does
// not differ fails the test as much as one that differs and is not listed. The
// written bytes never differ where there are any.
var snapshotDifferences = map[string]struct{ ours, why string }{
	"channelMeta: pre-1970 send time": {"read as it was written",
		"a time is an int64, on hosts with a wrong clock too; the replaced library wrote it and crashed when it read it again"},
	"historyUpdate: empty": {"an empty blob, read as an empty update",
		"nothing to say is no error; the replaced library's encoder stopped with an assertion"},
}

type snapshotFile struct {
	ChannelMeta []struct {
		Name      string        `json:"name"`
		Meta      snapshotMeta  `json:"meta"`
		Hex       string        `json:"hex"`
		RoundTrip *snapshotMeta `json:"roundTrip"`
		Defect    string        `json:"defect"` // the replaced library crashed
	} `json:"channelMeta"`
	ChannelData []struct {
		Name      string        `json:"name"`
		Meta      snapshotMeta  `json:"meta"`
		History   []wireMessage `json:"history"`
		Hex       string        `json:"hex"`
		DecodesOK bool          `json:"decodesOk"`
	} `json:"channelData"`
	HistoryUpdate []struct {
		Name      string        `json:"name"`
		Append    []wireMessage `json:"append"`
		Evict     []string      `json:"evict"`
		Hex       string        `json:"hex"`
		DecodesOK bool          `json:"decodesOk"`
		Defect    string        `json:"defect"`
	} `json:"historyUpdate"`
	Decode []struct {
		Name string       `json:"name"`
		Hex  string       `json:"hex"`
		Meta snapshotMeta `json:"meta"` // read as a ChannelMeta
		Data snapshotMeta `json:"data"` // read as a ChannelData; they are all refused
	} `json:"decode"`
}

// snapshotMeta is a ChannelMeta of snapshot.json, or the error in its place.
type snapshotMeta struct {
	Error         string `json:"error"`
	SchemaVersion int    `json:"schemaVersion"`
	Lamport       string `json:"lamport"` // decimal, like the times
	Outgoing      []struct {
		Message        wireMessage `json:"message"`
		SendTimeMs     string      `json:"sendTimeMs"`
		ResendAttempts int         `json:"resendAttempts"`
	} `json:"outgoing"`
	Incoming []struct {
		Message wireMessage `json:"message"`
		Missing []string    `json:"missingDepsInWireOrder"`
	} `json:"incoming"`
	OutgoingRepair []snapshotRepair `json:"outgoingRepair"`
	IncomingRepair []snapshotRepair `json:"incomingRepair"`
}

type snapshotRepair struct {
	MessageID        string           `json:"messageId"`
	Entry            wireHistoryEntry `json:"entry"`
	CachedMessageHex string           `json:"cachedMessageHex"`
	MinTimeMs        string           `json:"minTimeMs"`
}

// meta turns what a vector says into what snapshot takes.
func (v *snapshotMeta) meta(t *testing.T) *snapshot.ChannelMeta {
	t.Helper()
	if v.SchemaVersion != snapshot.SchemaVersion {
		t.Fatalf("a vector of schema version %d", v.SchemaVersion)
	}
	m := &snapshot.ChannelMeta{Lamport: uint64(decimal(t, v.Lamport))}
	for i := range v.Outgoing {
		u := &v.Outgoing[i]
		m.Outgoing = append(m.Outgoing, snapshot.Unacknowledged{
			Message: sds03(t, &u.Message), SendTime: decimal(t, u.SendTimeMs), Attempts: u.ResendAttempts,
		})
	}
	for i := range v.Incoming {
		incoming := snapshot.Incoming{Message: sds03(t, &v.Incoming[i].Message)}
		for _, id := range v.Incoming[i].Missing {
			incoming.Missing = append(incoming.Missing, snapshot.HistoryEntry{MessageID: id})
		}
		m.Incoming = append(m.Incoming, incoming)
	}
	for i := range v.OutgoingRepair {
		r := &v.OutgoingRepair[i]
		m.OutgoingRepair = append(m.OutgoingRepair, snapshot.OutgoingRepair{Entry: r.entry(t), TReq: decimal(t, r.MinTimeMs)})
	}
	for i := range v.IncomingRepair {
		r := &v.IncomingRepair[i]
		m.IncomingRepair = append(m.IncomingRepair, snapshot.IncomingRepair{
			Entry: r.entry(t), Message: unhex(t, r.CachedMessageHex), TResp: decimal(t, r.MinTimeMs),
		})
	}
	return m
}

func (v *snapshotRepair) entry(t *testing.T) snapshot.HistoryEntry {
	t.Helper()
	e := wireEntries(t, []wireHistoryEntry{v.Entry})[0]
	if e.ID != v.MessageID {
		t.Fatalf("%q is kept under %q", e.ID, v.MessageID)
	}
	return snapshot.HistoryEntry{MessageID: e.ID, SenderID: e.SenderID, RetrievalHint: e.Hint}
}

func decimal(t *testing.T, text string) int64 {
	t.Helper()
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sds03 encodes a message as the writer of the vectors embeds it.
func sds03(t *testing.T, v *wireMessage) []byte {
	t.Helper()
	return wire.Append(nil, wire.SDS03, v.message(t), nil)
}

func sds03All(t *testing.T, list []wireMessage) [][]byte {
	t.Helper()
	var messages [][]byte
	for i := range list {
		messages = append(messages, sds03(t, &list[i]))
	}
	return messages
}

func TestSnapshotsAreThoseOfTheReplacedLibrary(t *testing.T) {
	var file snapshotFile
	loadVectors(t, "snapshot", &file)
	if len(file.ChannelMeta) == 0 || len(file.ChannelData) == 0 || len(file.HistoryUpdate) == 0 || len(file.Decode) == 0 {
		t.Fatal("no vectors")
	}
	written, read, refused := 0, 0, 0
	met := map[string]bool{}

	// wrote compares bytes, which are always the same where there are any.
	wrote := func(name string, got []byte, want string) {
		t.Helper()
		if hex.EncodeToString(got) != want {
			t.Errorf("%s: written as\n%x\nwant\n%s", name, got, want)
			return
		}
		written++
	}
	// reads counts what became of a blob: err is why we refuse it, and difference
	// how that differs from what the replaced library did.
	reads := func(name string, err error, difference string) {
		t.Helper()
		d, listed := snapshotDifferences[name]
		switch {
		case listed && difference == "":
			t.Errorf("%s: listed as a designed difference, but there is none", name)
		case listed && err != nil:
			t.Errorf("%s: listed as %q, and refused: %v", name, d.ours, err)
		case listed:
			met[name] = true
			t.Logf("by design: %s: %s: %s", name, d.ours, d.why)
		case difference != "":
			t.Errorf("%s: differs (our error: %v):\n%s", name, err, difference)
		case err != nil:
			refused++
		default:
			read++
		}
	}
	diff := func(want, got any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

	for _, v := range file.ChannelMeta {
		name := "channelMeta: " + v.Name
		want := v.Meta.meta(t)
		wrote(name, snapshot.AppendMeta(nil, want), v.Hex)
		got, err := snapshot.DecodeMeta(unhex(t, v.Hex))
		if d := diff(want, got); d != "" {
			t.Errorf("%s: not read as what was written: %v\n%s", name, err, d)
		}
		if v.Defect != "" {
			reads(name, err, "the replaced library crashed: "+v.Defect)
		} else {
			reads(name, err, diff(v.RoundTrip.meta(t), got))
		}
	}
	for _, v := range file.ChannelData {
		name := "channelData: " + v.Name
		want := &snapshot.ChannelData{Meta: v.Meta.meta(t), History: sds03All(t, v.History)}
		wrote(name, snapshot.AppendData(nil, want), v.Hex)
		got, err := snapshot.DecodeData(unhex(t, v.Hex))
		if !v.DecodesOK {
			t.Errorf("%s: the replaced library did not read what it had written", name)
		}
		reads(name, err, diff(want, got))
	}
	for _, v := range file.HistoryUpdate {
		name := "historyUpdate: " + v.Name
		want := &snapshot.HistoryUpdate{Evict: v.Evict}
		for _, message := range sds03All(t, v.Append) {
			want.Append = append(want.Append, snapshot.HistoryRecord{Message: message})
		}
		blob := snapshot.AppendUpdate(nil, want)
		got, err := snapshot.DecodeUpdate(blob)
		if v.Defect != "" {
			if len(blob) != 0 || diff(want, got) != "" {
				t.Errorf("%s: written as %x and read as %+v, %v", name, blob, got, err)
			}
			reads(name, err, "the replaced library crashed: "+v.Defect)
			continue
		}
		wrote(name, blob, v.Hex)
		if !v.DecodesOK {
			t.Errorf("%s: the replaced library did not read what it had written", name)
		}
		reads(name, err, diff(want, got))
	}
	for _, v := range file.Decode {
		blob := unhex(t, v.Hex)
		meta, err := snapshot.DecodeMeta(blob)
		reads("decode: "+v.Name+", as a meta", err, outcome(t, &v.Meta, err, func(want *snapshot.ChannelMeta) string { return diff(want, meta) }))
		data, err := snapshot.DecodeData(blob)
		reads("decode: "+v.Name+", as data", err, outcome(t, &v.Data, err, func(want *snapshot.ChannelMeta) string {
			return diff(&snapshot.ChannelData{Meta: want}, data)
		}))
	}
	for name := range snapshotDifferences {
		if !met[name] {
			t.Errorf("%s: listed as a designed difference, and not met", name)
		}
	}
	t.Logf("%d blobs written, all byte-identical; %d read alike, %d refused alike, %d differ by design",
		written, read, refused, len(snapshotDifferences))
}

// outcome tells how what we made of a blob differs from what they did: an error,
// or a value to compare.
func outcome(t *testing.T, theirs *snapshotMeta, err error, compare func(*snapshot.ChannelMeta) string) string {
	t.Helper()
	switch {
	case (theirs.Error != "") != (err != nil):
		return "one reads, the other refuses: " + theirs.Error
	case err != nil:
		return ""
	}
	return compare(theirs.meta(t))
}
