//go:build interop

package interop

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// kind is the library that a participant speaks through.
type kind int

const (
	libsds kind = iota
	waku
)

func (k kind) String() string { return [...]string{"libsds", "waku"}[k] }

func (k kind) other() kind { return 1 - k }

// child is a process with participants of one kind: c/participants.c, or
// js/participants.mjs. What they understand is said at the top of c/participants.c.
type child struct {
	kind  kind
	clock *clock
	in    io.WriteCloser
	out   *bufio.Reader
	told  int64 // what time it was told
	// joined is how many participants it ever had; of any mostParticipants in a row,
	// the first has left before the last joins.
	joined int
}

// mostParticipants is how many a child can have at a time.
const mostParticipants = 64

// event is something that a library announced.
type event struct {
	name, channelID, messageID string
	bytes                      []byte
	deps                       []dependency
}

// dependency is a message that another cites.
type dependency struct {
	ID, SenderID string
	Hint         []byte
}

// start runs a child until the test ends. Its stderr is the test's.
func start(t *testing.T, k kind, c *clock, environment ...string) *child {
	t.Helper()
	build := os.Getenv("SDS_INTEROP")
	if build == "" {
		t.Fatal("SDS_INTEROP does not name the folder that scripts/test-interop prepares")
	}
	command := exec.Command(filepath.Join(build, "participants"))
	if k == waku {
		command = exec.Command("node", filepath.Join(build, "js", "participants.mjs"))
	}
	command.Env = append(append(os.Environ(), "SDS_INTEROP_CLOCK="+c.file.Name(), "SDS_CONFIG="), environment...)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("%v: %v", k, err)
		}
	})
	return &child{kind: k, clock: c, in: in, out: bufio.NewReaderSize(out, 1<<20)}
}

// do gives a command and returns what it announced and what it answered. A
// refusal is an error.
func (c *child) do(words ...string) ([]event, []string, error) {
	lines := strings.Join(words, " ") + "\n"
	telling := c.kind == waku && c.told != c.clock.now
	if telling {
		c.told = c.clock.now
		lines = fmt.Sprintf("time %d\n%s", c.told, lines)
	}
	if _, err := io.WriteString(c.in, lines); err != nil {
		return nil, nil, err
	}
	if telling {
		if _, err := c.out.ReadString('\n'); err != nil {
			return nil, nil, err
		}
	}
	var events []event
	for {
		line, err := c.out.ReadString('\n')
		if err != nil {
			return nil, nil, fmt.Errorf("%v, asked to %s: %w", c.kind, words[0], err)
		}
		words := strings.Fields(line)
		switch words[0] {
		case "event":
			events = append(events, event{
				name: words[1], channelID: string(fromHex(words[2])), messageID: string(fromHex(words[3])),
				bytes: fromHex(words[4]), deps: dependencies(words[5]),
			})
		case "ok":
			return events, words[1:], nil
		default:
			return events, nil, refusal{status: words[1], text: string(fromHex(words[2]))}
		}
	}
}

// refusal is the error of a command that a library did not carry out.
type refusal struct{ status, text string }

func (r refusal) Error() string { return "status " + r.status + ": " + r.text }

func toHex[T string | []byte](value T) string {
	if len(value) == 0 {
		return "-"
	}
	return hex.EncodeToString([]byte(value))
}

// fromHex panics on what no child writes.
func fromHex(word string) []byte {
	if word == "-" {
		return nil
	}
	value, err := hex.DecodeString(word)
	if err != nil {
		panic(err)
	}
	return value
}

func number(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func dependencies(word string) (deps []dependency) {
	if word == "-" {
		return nil
	}
	for _, triple := range strings.Split(word, ",") {
		parts := strings.Split(triple, "/")
		deps = append(deps, dependency{ID: string(fromHex(parts[0])), SenderID: string(fromHex(parts[1])), Hint: fromHex(parts[2])})
	}
	return deps
}
