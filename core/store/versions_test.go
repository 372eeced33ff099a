package store_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/store"
	"github.com/libsds/libsds/core/wire"
)

// Every version that was tagged has a folder in testdata: what its own library kept of a
// conversation, and what that is in words. The folders stay as they are for ever, and
// later versions have to go on from each. `make keep-version` writes the folder of the
// version in VERSION, before it is tagged.
//
//	store.gz.base64  the file of a participant
//	blobs.json       what hosts keep that have a database of their own
//	contents.json    what is in both
const versions = "testdata"

var keep = flag.String("keep", "", "write the folder of this version, which must not be there")

const fixtureTime = int64(1_700_000_000_000)

// contents are all of a channel, for reading and comparing.
type contents struct {
	ID      string
	Meta    *snapshot.ChannelMeta
	History [][]byte
	Hints   []snapshot.RetrievalHint
}

// blobs are a channel as a host keeps it: its meta, all of it together, and an update
// that makes its log from nothing.
type blobs struct {
	ID                 string
	Meta, Data, Update []byte
}

func contentsOf(t *testing.T, path string) (all []contents, encoded []blobs) {
	t.Helper()
	s := open(t, path)
	defer func() { mustNot(t, s.Close()) }()
	mustNot(t, s.VisitChannels(func(id string, meta []byte) bool {
		decoded, err := snapshot.DecodeMeta(meta)
		if err != nil {
			t.Error(err)
		}
		all = append(all, contents{ID: id, Meta: decoded})
		encoded = append(encoded, blobs{ID: id, Meta: bytes.Clone(meta)})
		return true
	}))
	for i := range all {
		c := &all[i]
		kept := load(t, s, c.ID)
		c.History, c.Hints = kept.History, kept.Hints
		encoded[i].Data = snapshot.AppendData(nil, &snapshot.ChannelData{Meta: c.Meta, History: c.History, Hints: c.Hints})
		encoded[i].Update = snapshot.AppendUpdate(nil, &snapshot.HistoryUpdate{Append: records(t, c.History)})
	}
	return all, encoded
}

// records are the messages of a log with what it is ordered by.
func records(t *testing.T, history [][]byte) (all []snapshot.HistoryRecord) {
	t.Helper()
	bounds := limits.Default()
	for _, bytes := range history {
		var m wire.Message
		mustNot(t, wire.Decode(bytes, &bounds, &m))
		all = append(all, snapshot.HistoryRecord{MessageID: m.ID, Lamport: m.Lamport, Message: bytes})
	}
	return all
}

func readJSON[T any](t *testing.T, path string) (value T) {
	t.Helper()
	text, err := os.ReadFile(path)
	mustNot(t, err)
	mustNot(t, json.Unmarshal(text, &value))
	return value
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "\t")
	mustNot(t, err)
	mustNot(t, os.WriteFile(path, append(text, '\n'), 0o644))
}

// forEachVersion runs a test for each folder.
func forEachVersion(t *testing.T, test func(t *testing.T, folder string)) {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(versions, "[0-9]*"))
	mustNot(t, err)
	if len(folders) == 0 {
		t.Error("no version was kept")
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) { test(t, folder) })
	}
}

// unpack writes the store of a version to path.
func unpack(t *testing.T, folder, path string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "store.gz.base64"))
	mustNot(t, err)
	unzipped, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(text)))
	mustNot(t, err)
	content, err := io.ReadAll(unzipped)
	mustNot(t, err)
	write(t, path, content)
}

// participant makes a manager whose time stands still.
func participant(t *testing.T, id, path string, now *int64, changes ...func(*core.Config)) *core.Manager {
	t.Helper()
	return participantOn(t, nil, id, path, now, changes...)
}

func participantOn(t *testing.T, backend persistence.Backend, id, path string, now *int64, changes ...func(*core.Config)) *core.Manager {
	t.Helper()
	config := core.DefaultConfig()
	config.StorePath, config.AckConfidence = path, 0 // so that witnesses are kept
	for _, change := range changes {
		change(&config)
	}
	m, err := core.New(core.Options{ParticipantID: id, Config: &config, Backend: backend, Now: func() int64 { return *now }})
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

// conversation leaves a store with every kind of content at path. Versions to come may
// add to it; what goOn expects of it stays.
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

func TestAStoreOfEveryVersionOpensForEverAfter(t *testing.T) {
	if *keep != "" {
		keepVersion(t, *keep)
	}
	forEachVersion(t, func(t *testing.T, folder string) {
		path := newPath(t)
		unpack(t, folder, path)
		got, _ := contentsOf(t, path)
		if diff := gocmp.Diff(readJSON[[]contents](t, filepath.Join(folder, "contents.json")), got); diff != "" {
			t.Error(diff)
		}
		goOn(t, func(now *int64) *core.Manager { return participant(t, "alice", path, now) })
	})
}

func TestSnapshotsOfEveryVersionLoadForEverAfter(t *testing.T) {
	forEachVersion(t, func(t *testing.T, folder string) {
		want := readJSON[[]contents](t, filepath.Join(folder, "contents.json"))
		kept := readJSON[[]blobs](t, filepath.Join(folder, "blobs.json"))
		if len(kept) != len(want) {
			t.Fatalf("%d channels, not %d", len(kept), len(want))
		}
		host := new(persistence.Memory)
		for i, channel := range kept {
			meta, err := snapshot.DecodeMeta(channel.Meta)
			mustNot(t, err)
			data, err := snapshot.DecodeData(channel.Data)
			mustNot(t, err)
			update, err := snapshot.DecodeUpdate(channel.Update)
			mustNot(t, err)
			if diff := gocmp.Diff(want[i].Meta, meta, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := gocmp.Diff(&snapshot.ChannelData{Meta: want[i].Meta, History: want[i].History, Hints: want[i].Hints}, data, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if diff := gocmp.Diff(&snapshot.HistoryUpdate{Append: records(t, want[i].History)}, update, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			mustNot(t, host.SaveChannelMeta(channel.ID, channel.Meta))
			mustNot(t, host.UpdateHistory(channel.ID, *update))
			for _, hint := range data.Hints {
				mustNot(t, host.SetRetrievalHint(channel.ID, hint.MessageID, hint.Hint))
			}
		}
		goOn(t, func(now *int64) *core.Manager { return participantOn(t, host, "alice", "", now) })
	})
}

// goOn fails unless a manager goes on from where the conversation ended.
func goOn(t *testing.T, start func(now *int64) *core.Manager) {
	t.Helper()
	now := fixtureTime + 450_000
	alice := start(&now)
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

// keepVersion writes the folder of a version.
func keepVersion(t *testing.T, version string) {
	t.Helper()
	folder := filepath.Join(versions, version)
	if _, err := os.Stat(filepath.Join(folder, "store.gz.base64")); err == nil {
		t.Fatalf("%s is there: what a version kept stays as it is", folder)
	}
	path := newPath(t)
	conversation(t, path)
	all, encoded := contentsOf(t, path)
	mustNot(t, os.MkdirAll(folder, 0o755))
	content, err := os.ReadFile(path)
	mustNot(t, err)
	var zipped bytes.Buffer
	writer, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	mustNot(t, err)
	_, err = writer.Write(content)
	mustNot(t, err)
	mustNot(t, writer.Close())
	var text strings.Builder
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(zipped.Bytes())), 76) {
		text.Write(append(line[:len(line):len(line)], '\n'))
	}
	mustNot(t, os.WriteFile(filepath.Join(folder, "store.gz.base64"), []byte(text.String()), 0o644))
	writeJSON(t, filepath.Join(folder, "contents.json"), all)
	writeJSON(t, filepath.Join(folder, "blobs.json"), encoded)
}

// TestWhatIsKeptHasEveryKindOfContent: what a version has no example of is not held to
// anything.
func TestWhatIsKeptHasEveryKindOfContent(t *testing.T) {
	forEachVersion(t, func(t *testing.T, folder string) {
		all := readJSON[[]contents](t, filepath.Join(folder, "contents.json"))
		i := slices.IndexFunc(all, func(c contents) bool { return c.ID == "c" })
		c := all[i]
		if m := c.Meta; m.Lamport == 0 || len(m.Outgoing) == 0 || len(m.Incoming) == 0 || len(m.OutgoingRepair) == 0 || len(m.IncomingRepair) == 0 || len(m.Met) == 0 ||
			!slices.ContainsFunc(m.Outgoing, func(u snapshot.Unacknowledged) bool { return len(u.Witnesses) > 0 }) {
			t.Errorf("the meta is %+v", m)
		}
		if len(all) != 3 || len(c.History) == 0 || len(c.Hints) == 0 {
			t.Errorf("%d channels, %d messages, %d hints", len(all), len(c.History), len(c.Hints))
		}
	})
}

func TestANewSchemaComesWithAFolder(t *testing.T) {
	if store.SchemaVersion != 1 { // that of 0.1.0
		t.Error("the schema has a new version: it needs a folder of the version of the library that writes it")
	}
}
