package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/store"
	"github.com/libsds/libsds/core/wire"
)

// childVariable makes the test binary another process of a test: its value is a
// key of children.
const childVariable = "LIBSDS_STORE_TEST_CHILD"

// children are what such a process does with the path that it is given. What
// they return is the failure of the test that started them.
var children = map[string]func(path string) error{}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		if err := children[name](os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child prepares another process, which does what children say.
func child(name, path string) *exec.Cmd {
	command := exec.Command(os.Args[0], path)
	command.Env = append(os.Environ(), childVariable+"="+name, "GORACE=atexit_sleep_ms=0")
	return command
}

// run waits for a child, and fails as it does.
func run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "store") }

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustNot(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, s *store.Store, channelID string) persistence.Kept {
	t.Helper()
	kept, err := s.LoadChannel(channelID)
	mustNot(t, err)
	return kept
}

// record is a message of the log; its bytes are its id, then filling.
func record(id string, lamport uint64, filling int) snapshot.HistoryRecord {
	return snapshot.HistoryRecord{MessageID: id, Lamport: lamport, Message: append([]byte(id), make([]byte, filling)...)}
}

// change is a commit of one new message.
func change(channelID, messageID string, lamport uint64) []persistence.Change {
	return []persistence.Change{{
		ChannelID: channelID, Meta: []byte("meta"),
		History: snapshot.HistoryUpdate{Append: []snapshot.HistoryRecord{record(messageID, lamport, 100)}},
		Hints:   []snapshot.RetrievalHint{{MessageID: messageID, Hint: []byte("hint of " + messageID)}},
	}}
}

// fill makes a store that has some of everything: channels of several pages and
// tiny ones, messages longer than a page, hints, and free pages in between.
func fill(t testing.TB, path string) {
	t.Helper()
	s, err := store.Open(path)
	mustNot(t, err)
	for c := range 6 {
		change := persistence.Change{ChannelID: fmt.Sprint("channel ", c), Meta: []byte(fmt.Sprintf("meta of %d", c))}
		for i := range 3 + 60*c {
			id := fmt.Sprintf("message %03d", i)
			filling := 30 + i
			if i%50 == 49 {
				filling = 5000
			}
			change.History.Append = append(change.History.Append, record(id, uint64(1000+i), filling))
			if i%3 == 0 {
				change.Hints = append(change.Hints, snapshot.RetrievalHint{MessageID: id, Hint: []byte("hint of " + id)})
			}
		}
		mustNot(t, s.Commit([]persistence.Change{change}))
	}
	var gone snapshot.HistoryUpdate
	for i := range 100 {
		gone.Gone = append(gone.Gone, snapshot.HistoryKey{MessageID: fmt.Sprintf("message %03d", i), Lamport: uint64(1000 + i)})
	}
	mustNot(t, s.UpdateHistory("channel 5", gone))
	mustNot(t, s.DropChannel("channel 3"))
	mustNot(t, s.Close())
}

// history returns what a payload cites.
func history(payload []byte) (ids []string, err error) {
	var message wire.Message
	bounds := limits.Default()
	if err := wire.Decode(payload, &bounds, &message); err != nil {
		return nil, err
	}
	for _, entry := range message.History {
		ids = append(ids, strings.Clone(entry.ID))
	}
	return ids, nil
}

// callAll calls everything once.
func callAll(s *store.Store) []error {
	_, loadErr := s.LoadChannel("channel 5")
	return []error{
		loadErr,
		s.Commit(change("channel 5", "new", 1<<40)),
		s.SaveChannelMeta("channel 1", []byte("meta")),
		s.UpdateHistory("channel 1", snapshot.HistoryUpdate{Gone: []snapshot.HistoryKey{{MessageID: "m", Lamport: 1}}}),
		s.SetRetrievalHint("channel 2", "new", []byte("hint")),
		s.VisitChannels(func(string, []byte) bool { return true }),
		s.DropChannel("channel 4"),
	}
}
