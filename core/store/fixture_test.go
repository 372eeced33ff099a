package store_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/store"
)

// The store of a participant as version 1 wrote it, and what is in it. They
// change only with the version of the schema, and then the old ones stay.
const (
	fixtureFile     = "testdata/v1.store.gz.base64"
	fixtureContents = "testdata/v1.json"
)

var update = flag.Bool("update", false, "make the store of testdata, and what is in it, anew")

const fixtureTime = int64(1_700_000_000_000)

// contents are all of a channel, for reading and comparing.
type contents struct {
	ID      string
	Meta    *snapshot.ChannelMeta
	History [][]byte
	Hints   []snapshot.RetrievalHint
}

func contentsOf(t *testing.T, path string) []byte {
	t.Helper()
	s := open(t, path)
	defer func() { mustNot(t, s.Close()) }()
	all := []contents{}
	mustNot(t, s.VisitChannels(func(id string, meta []byte) bool {
		decoded, err := snapshot.DecodeMeta(meta)
		if err != nil {
			t.Error(err)
		}
		all = append(all, contents{ID: id, Meta: decoded})
		return true
	}))
	for i := range all {
		kept := load(t, s, all[i].ID)
		all[i].History, all[i].Hints = kept.History, kept.Hints
	}
	text, err := json.MarshalIndent(all, "", "\t")
	mustNot(t, err)
	return append(text, '\n')
}

// participant makes a manager whose time stands still.
func participant(t *testing.T, id, path string, now *int64, changes ...func(*core.Config)) *core.Manager {
	t.Helper()
	config := core.DefaultConfig()
	config.StorePath, config.AckConfidence = path, 0 // so that witnesses are kept
	for _, change := range changes {
		change(&config)
	}
	m, err := core.New(core.Options{ParticipantID: id, Config: &config, Now: func() int64 { return *now }})
	mustNot(t, err)
	t.Cleanup(m.Close)
	return m
}

func wrap(t *testing.T, m *core.Manager, channelID, messageID string) []byte {
	t.Helper()
	payload, err := m.Wrap(nil, channelID, messageID, []byte("content of "+messageID))
	mustNot(t, err)
	return payload
}

func unwrap(t *testing.T, m *core.Manager, payload []byte) core.Unwrapped {
	t.Helper()
	received, err := m.Unwrap(payload)
	mustNot(t, err)
	return received
}

// conversation leaves a store with every kind of content at path.
func conversation(t *testing.T, path string) {
	t.Helper()
	now := fixtureTime
	citesOne := func(c *core.Config) { c.MaxCausalHistory = 1 }
	alice := participant(t, "alice", path, &now)
	bob, carol := participant(t, "bob", "", &now), participant(t, "carol", "", &now, citesOne)
	alice.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })

	unwrap(t, carol, wrap(t, alice, "c", "a1"))
	unwrap(t, alice, wrap(t, carol, "c", "c1")) // acknowledges a1
	unwrap(t, carol, wrap(t, alice, "c", "a2"))
	wrap(t, carol, "c", "c2")
	unwrap(t, alice, wrap(t, carol, "c", "c3")) // waits for c2, and its filter has a2
	wrap(t, bob, "c", "b1")                     // is late
	unwrap(t, alice, wrap(t, bob, "c", "b2"))   // waits for b1
	mustNot(t, alice.MarkDependenciesMet("c", []string{"met elsewhere"}))
	unwrap(t, bob, wrap(t, alice, "c", "a3")) // bob lacks what it cites
	now += 400_000
	for range 4 { // and asks for it
		payload, err := bob.WrapSync(nil, "c")
		mustNot(t, err)
		unwrap(t, alice, payload)
	}
	wrap(t, alice, "a channel with ünïcode", "a4")
	_, err := alice.WrapSync(nil, "quiet")
	mustNot(t, err)
	wrap(t, alice, "dropped", "a5")
	mustNot(t, alice.RemoveChannel("dropped"))
	alice.Close()
}

func TestAStoreOfVersion1OpensForEverAfter(t *testing.T) {
	path := newPath(t)
	if *update {
		makeFixture(t)
	}
	text, err := os.ReadFile(fixtureFile)
	mustNot(t, err)
	unzipped, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(text)))
	mustNot(t, err)
	content, err := io.ReadAll(unzipped)
	mustNot(t, err)
	write(t, path, content)
	want, err := os.ReadFile(fixtureContents)
	mustNot(t, err)
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(contentsOf(t, path)), "\n")); diff != "" {
		t.Error(diff)
	}

	// A manager goes on from it.
	now := fixtureTime + 450_000
	alice := participant(t, "alice", path, &now)
	alice.Tick(now)
	if diff := gocmp.Diff([]string{"a channel with ünïcode", "c"}, alice.Channels()); diff != "" {
		t.Errorf("channels with something under way: %s", diff)
	}
	cited, err := history(wrap(t, alice, "c", "a6"))
	mustNot(t, err)
	for _, id := range []string{"a1", "c1", "a2", "a3"} {
		if !slices.Contains(cited, id) {
			t.Errorf("%s is not among %v", id, cited)
		}
	}
	// b1 comes at last, from a bob who says the same again.
	then := fixtureTime
	received := unwrap(t, alice, wrap(t, participant(t, "bob", "", &then), "c", "b1"))
	now += 70_000 // time for resends
	alice.Tick(now)
	var announced []string
	for event, ok := alice.NextEvent(); ok; event, ok = alice.NextEvent() {
		announced = append(announced, event.Type.String()+" "+event.MessageID)
	}
	for _, want := range []string{"resend_ready a4", "message_ready b1", "message_ready b2"} {
		if !slices.Contains(announced, want) {
			t.Errorf("%q is not among %q (%+v)", want, announced, received)
		}
	}
}

func makeFixture(t *testing.T) {
	path := newPath(t)
	conversation(t, path)
	content, err := os.ReadFile(path)
	mustNot(t, err)
	var zipped bytes.Buffer
	writer, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	mustNot(t, err)
	_, err = writer.Write(content)
	mustNot(t, err)
	mustNot(t, writer.Close())
	mustNot(t, os.MkdirAll("testdata", 0o755))
	var text strings.Builder
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(zipped.Bytes())), 76) {
		text.Write(append(line[:len(line):len(line)], '\n'))
	}
	mustNot(t, os.WriteFile(fixtureFile, []byte(text.String()), 0o644))
	mustNot(t, os.WriteFile(fixtureContents, contentsOf(t, path), 0o644))
}

// TestTheFixtureHasEveryKindOfContent: what version 1 has no example of is not
// held to anything.
func TestTheFixtureHasEveryKindOfContent(t *testing.T) {
	text, err := os.ReadFile(fixtureContents)
	mustNot(t, err)
	var all []contents
	mustNot(t, json.Unmarshal(text, &all))
	i := slices.IndexFunc(all, func(c contents) bool { return c.ID == "c" })
	c := all[i]
	if m := c.Meta; m.Lamport == 0 || len(m.Outgoing) == 0 || len(m.Incoming) == 0 || len(m.OutgoingRepair) == 0 || len(m.IncomingRepair) == 0 || len(m.Met) == 0 ||
		!slices.ContainsFunc(m.Outgoing, func(u snapshot.Unacknowledged) bool { return len(u.Witnesses) > 0 }) {
		t.Errorf("the meta is %+v", m)
	}
	if len(all) != 3 || len(c.History) == 0 || len(c.Hints) == 0 {
		t.Errorf("%d channels, %d messages, %d hints", len(all), len(c.History), len(c.Hints))
	}
	if store.SchemaVersion != 1 {
		t.Error("the schema has a new version: it needs a fixture too, beside this one")
	}
}
