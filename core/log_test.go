package core_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
)

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSuffix(l.text.String(), "\n")
	l.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// logging returns a log of everything, without the time.
func logging() (*slog.Logger, *lines) {
	written := new(lines)
	return slog.New(slog.NewTextHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})), written
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// troubled takes alice, whose log is checked, through every operation, and
// through every way in which one can fail.
func troubled(t *testing.T, keeping keeping, logger *slog.Logger) {
	t.Helper()
	shared := newClock()
	alice := newLoggedPeer(t, keeping, "alice", shared, new(persistence.Transactions), logger, mixedConfig, func(c *core.Config) {
		c.Limits.MaxChannels, c.Limits.MaxOutgoingMessages = 2, 8
	})
	bob := newPeer(t, "bob", shared, mixedConfig)
	converse(t, alice, bob)

	content := []byte("content of what fails")
	payload := bob.wrap("unknown", "m")
	if err := alice.EnsureChannel("d"); err != nil {
		t.Fatal(err)
	}
	fails := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s does not fail", what)
		}
	}
	fails("unwrap without a channel", errorOf(alice.Unwrap(payload)))
	for n := range len(payload) {
		fails("unwrap of a part", errorOf(alice.Unwrap(payload[:n])))
		fails("unwrap of a part", errorOf(alice.Unwrap(payload[n+1:])))
	}
	fails("wrap without an id", errorOf(alice.Wrap(nil, "c", "", content)))
	fails("wrap without an id", errorOf(alice.WrapEphemeral(nil, "", "m", content)))
	fails("wrap of too much", errorOf(alice.Wrap(nil, "c", "m", bytes.Repeat(content, 100_000))))
	for i := range 9 {
		_, _ = alice.Wrap(nil, "c", fmt.Sprint("many", i), content)
	}
	fails("wrap of too many", errorOf(alice.Wrap(nil, "c", "too many", content)))
	fails("mark met without a channel", alice.MarkDependenciesMet("nowhere", []string{"m"}))
	fails("inspection without a channel", errorOf(alice.Inspect("nowhere")))
	fails("set backend", alice.SetBackend(nil))
	alice.SetHints(func(string, string) []byte { return bytes.Repeat(content, 1000) })
	alice.wrap("d", "with a hint that is too long")
	alice.wrap("d", "another")
	alice.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })
	alice.faulty.FailFrom(1)
	for i := range 6 {
		alice.unwrap(bob.wrap("d", fmt.Sprint("b", i)))
		alice.wrap("d", fmt.Sprint("a", i))
	}
	fails("remove", alice.RemoveChannel("c"))
	fails("reset", alice.Reset())
	alice.faulty.Heal()
	if err := alice.RemoveChannel("c"); err != nil {
		t.Error(err)
	}
	alice.faulty.FailOnce(1, persistence.LoadChannel)
	fails("load", errorOf(alice.Unwrap(payload)))
	if err := alice.Reset(); err != nil {
		t.Error(err)
	}
	alice.Close()
	fails("wrap after Close", errorOf(alice.Wrap(nil, "c", "m", content)))
	fails("start after Close", alice.Start())
}

// spellings are what a log could make of bytes.
func spellings(content string) map[string]string {
	spelled := map[string]string{
		"as it is": content,
		"quoted":   strings.Trim(fmt.Sprintf("%+q", content), `"`),
		"hex":      hex.EncodeToString([]byte(content)),
		"HEX":      strings.ToUpper(hex.EncodeToString([]byte(content))),
		"numbers":  strings.Trim(fmt.Sprintf("%d", []byte(content)), "[]"),
		"list":     strings.ReplaceAll(strings.Trim(fmt.Sprintf("%d", []byte(content)), "[]"), " ", ","),
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64 for URLs": base64.URLEncoding} {
		for shift := range 3 { // what comes before it shifts it
			encoded := encoding.EncodeToString(append(make([]byte, shift), content...))
			spelled[fmt.Sprint(name, " shifted by ", shift)] = encoded[4 : len(encoded)-4]
		}
	}
	return spelled
}

// TestNoLineHasContentInIt, whatever is done, whatever fails, and whoever keeps
// it. Payloads and what is kept have contents in them.
func TestNoLineHasContentInIt(t *testing.T) {
	for _, keeping := range keepings {
		for name, handler := range map[string]func(io.Writer) slog.Handler{
			"text": func(w io.Writer) slog.Handler {
				return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})
			},
			"JSON": func(w io.Writer) slog.Handler {
				return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})
			},
		} {
			t.Run(string(keeping)+", "+name, func(t *testing.T) {
				written := new(lines)
				troubled(t, keeping, slog.New(handler(written)))
				all := written.take()
				if len(all) < 100 {
					t.Errorf("only %d lines", len(all))
				}
				for _, line := range all {
					for name, spelled := range spellings("content of ") {
						if strings.Contains(line, spelled) {
							t.Errorf("content %s: %s", name, line)
						}
					}
					if len(line) > 1000 {
						t.Errorf("a line of %d bytes: %.1000s", len(line), line)
					}
				}
			})
		}
	}
}

// TestEveryLineNamesItsOperation as errors do, and every text is one of ours,
// with nothing in it that a peer said.
func TestEveryLineNamesItsOperation(t *testing.T) {
	operations := []string{
		"open", "close", "tick", "wrap", "wrap sync", "wrap ephemeral", "unwrap", "mark dependencies met", "ensure channel",
		"remove channel", "reset", "start", "set backend", "inspect",
	}
	levels := map[string]map[string]bool{}
	for _, keeping := range keepings {
		written := new(lines)
		troubled(t, keeping, slog.New(slog.NewJSONHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug})))
		for _, text := range written.take() {
			var line struct {
				Level, Msg, Operation string
				Channel               *string
			}
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if !slices.Contains(operations, line.Operation) {
				t.Errorf("operation %q: %s", line.Operation, text)
			}
			if line.Channel != nil && *line.Channel == "" {
				t.Errorf("a channel without a name: %s", text)
			}
			if levels[line.Level] == nil {
				levels[line.Level] = map[string]bool{}
			}
			levels[line.Level][line.Msg] = true
		}
	}
	want := map[string][]string{
		"DEBUG": {
			"a message is acknowledged", "a message is delivered", "a message is sent again", "a message lacks dependencies",
			"a message was unwrapped", "a message was wrapped", "a request for a message is answered", "an operation failed",
			"dependencies were declared met", "it is time for sync messages",
		},
		"INFO": {"a channel was made", "a channel was removed", "a manager is closed", "a manager is open", "all channels were removed", "the timers begin"},
		"WARN": {
			"a message is given up, since nobody has acknowledged it", "a message no longer waits for its dependencies, which did not come",
			"a retrieval hint is too long and is not used", "an operation failed",
		},
		"ERROR": {
			"a channel was not saved; the next operation tries again", "a history update was not saved; the next operation tries again",
			"a retrieval hint was not saved; the next operation tries again", "the backend is stuck: more changes wait than the log has messages",
			"the changes of a channel were not saved; the next operation tries again",
		},
	}
	got := map[string][]string{}
	for level, texts := range levels {
		got[level] = slices.Sorted(maps.Keys(texts))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLogTellsOperationsAndEventsInTheirOrder, and the level of each.
func TestLogTellsOperationsAndEventsInTheirOrder(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			logger, written := logging()
			shared := newClock()
			alice := newLoggedPeer(t, keeping, "alice", shared, new(persistence.Transactions), logger)
			bob := newPeer(t, "bob", shared)
			expectLines := func(want ...string) {
				t.Helper()
				if diff := cmp.Diff(want, written.take()); diff != "" {
					t.Error(diff)
				}
			}
			expectLines(`level=INFO msg="a manager is open" operation=open participant=alice wireFormat=sds-0.4 persistence=backend storePath=""`)
			alice.Tick(start)
			expectLines(`level=INFO msg="the timers begin" operation=tick`)
			payload := alice.wrap("c", "a1")
			expectLines(`level=INFO msg="a channel was made" operation=wrap channel=c messages=0`,
				fmt.Sprintf(`level=DEBUG msg="a message was wrapped" operation=wrap channel=c message=a1 kind=content bytes=%d requests=0`, len(payload)))
			b1 := bob.wrap("c", "b1")
			b2 := bob.wrap("c", "b2")
			unwrap := func(payload []byte, outcome string) {
				t.Helper()
				alice.unwrap(payload)
				want := []string{fmt.Sprintf(`level=DEBUG msg="a message was unwrapped" operation=unwrap channel=c message=%s bytes=%d`, outcome, len(payload))}
				got := written.take()
				if diff := cmp.Diff(want, got[:1]); diff != "" {
					t.Error(diff)
				}
				written.mu.Lock()
				defer written.mu.Unlock()
				fmt.Fprint(&written.text, strings.Join(got[1:], "\n"))
			}
			unwrap(b2, `b2 sender=bob kind=content outcome=buffered missing=1`)
			expectLines(`level=DEBUG msg="a message lacks dependencies" operation=unwrap event=missing_dependencies channel=c message=b2 dependencies=1`)
			unwrap(b1, `b1 sender=bob kind=content outcome=delivered missing=0`)
			expectLines(`level=DEBUG msg="a message is delivered" operation=unwrap event=message_ready channel=c message=b1`,
				`level=DEBUG msg="a message is delivered" operation=unwrap event=message_ready channel=c message=b2`)
			unwrap(b1, `b1 sender=bob kind=content outcome=duplicate missing=0`)
			expectLines()
			if _, err := alice.Unwrap([]byte("hello")); err == nil {
				t.Error("text is a message")
			}
			if got := written.take(); len(got) != 1 || !strings.HasPrefix(got[0], `level=DEBUG msg="an operation failed" operation=unwrap error="not an SDS message: `) {
				t.Errorf("%q", got)
			}
			bob.wrap("c", "lost")
			alice.unwrap(bob.wrap("c", "b3"))
			shared.advance(700_000)
			written.take()
			alice.Tick(shared.read())
			expectLines(`level=DEBUG msg="a message is sent again" operation=tick event=resend_ready channel=c message=a1 attempts=1`,
				`level=WARN msg="a message no longer waits for its dependencies, which did not come" operation=tick event=dependencies_lost channel=c message=b3 dependencies=1`,
				`level=DEBUG msg="a message is delivered" operation=tick event=message_ready channel=c message=b3`,
				`level=DEBUG msg="it is time for sync messages" operation=tick event=periodic_sync channels=1`)
			alice.Close()
			alice.Close()
			expectLines(`level=INFO msg="a manager is closed" operation=close channels=1`)
		})
	}
}

// TestUntrustedIDsCannotForgeLines: a peer chooses them.
func TestUntrustedIDsCannotForgeLines(t *testing.T) {
	logger, written := logging()
	alice := newLoggedPeer(t, byProcedures, "alice", newClock(), new(persistence.Transactions), logger)
	mallory := newPeer(t, "mallory\nlevel=ERROR", newClock())
	forged := "c\nlevel=ERROR msg=\"the disk is full\"\x1b[2J"
	alice.unwrap(mallory.wrap(forged, forged))
	if err := alice.RemoveChannel(forged); err != nil {
		t.Fatal(err)
	}
	for _, line := range written.take() {
		if strings.HasPrefix(line, "level=ERROR") || strings.Contains(line, "\x1b") || !strings.Contains(line, " operation=") {
			t.Errorf("%q", line)
		}
	}
}

// deaf is a log that wants nothing, and counts how often it is asked.
type deaf struct{ asked int }

func (d *deaf) Enabled(context.Context, slog.Level) bool { d.asked++; return false }
func (d *deaf) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *deaf) WithGroup(string) slog.Handler            { return d }

func (d *deaf) Handle(context.Context, slog.Record) error {
	panic("it is told although it wants nothing")
}

// TestLogIsAskedOnceAnOperation whether it wants to hear of it, and that is all
// that an operation pays for a log that does not.
func TestLogIsAskedOnceAnOperation(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			log := new(deaf)
			shared := newClock()
			alice := newLoggedPeer(t, keeping, "alice", shared, new(persistence.Transactions), slog.New(log))
			bob := newPeer(t, "bob", shared)
			alice.wrap("c", "a1")
			bob.unwrap(alice.wrap("c", "a2"))
			b1, b2 := bob.wrap("c", "b1"), bob.wrap("c", "b2")
			alice.Tick(shared.read())
			shared.advance(60_000)
			for _, operation := range []struct {
				name string
				do   func() error
			}{
				{"wrap", func() error { return wrapOnly(alice, "a3") }},
				{"wrap sync", func() error { return errorOf(alice.WrapSync(nil, "c")) }},
				{"wrap ephemeral", func() error { return errorOf(alice.WrapEphemeral(nil, "c", "e", []byte("x"))) }},
				{"unwrap, buffered", func() error { return errorOf(alice.Unwrap(b2)) }},
				{"unwrap, delivering two and acknowledging", func() error { return errorOf(alice.Unwrap(b1)) }},
				{"unwrap, duplicate", func() error { return errorOf(alice.Unwrap(b1)) }},
				{"mark met", func() error { return alice.MarkDependenciesMet("c", []string{"x"}) }},
				{"ensure", func() error { return alice.EnsureChannel("c") }},
				{"tick with everything due", func() error { alice.Tick(shared.read()); return nil }},
				{"unwrap of no message", func() error {
					if _, err := alice.Unwrap([]byte("hello")); err == nil {
						t.Error("text is a message")
					}
					return nil
				}},
			} {
				log.asked = 0
				if err := operation.do(); err != nil {
					t.Errorf("%s: %v", operation.name, err)
				}
				if log.asked != 1 {
					t.Errorf("%s asks %d times", operation.name, log.asked)
				}
			}
		})
	}
}
