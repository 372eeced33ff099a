package channel

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A script is a scenario in a file: blocks of lines, one command each, and
// below a line of four dashes what they print, up to the next empty line.
// Empty lines and lines that begin with # mean nothing above the dashes.
type script struct {
	blocks []block
	rest   []string // what follows the last block: comments
}

type block struct {
	head   []string // commands and comments as they are written
	line   int      // of head[0], from 1
	output string
}

const divider = "----"

func parseScript(text string) script {
	var s script
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for at := 0; at < len(lines); {
		b := block{line: at + 1}
		for at < len(lines) && lines[at] != divider {
			b.head = append(b.head, lines[at])
			at++
		}
		if at == len(lines) {
			s.rest = b.head
			break
		}
		var output strings.Builder
		for at++; at < len(lines) && lines[at] != ""; at++ {
			output.WriteString(lines[at] + "\n")
		}
		at++ // the empty line
		b.output = output.String()
		s.blocks = append(s.blocks, b)
	}
	return s
}

func (s script) String() string {
	var text strings.Builder
	for i, b := range s.blocks {
		if i > 0 {
			text.WriteString("\n")
		}
		text.WriteString(strings.Join(b.head, "\n") + "\n" + divider + "\n" + b.output)
	}
	if len(s.rest) > 0 {
		text.WriteString("\n" + strings.Join(s.rest, "\n") + "\n")
	}
	return text.String()
}

// A command is one line: a verb, its arguments and, where there is one, a
// quoted content at the end.
type command struct {
	verb    string
	args    []string
	content string
}

func parseCommand(line string) (command, bool) {
	line, content, _ := strings.Cut(line, ` "`)
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return command{}, false
	}
	return command{words[0], words[1:], strings.TrimSuffix(content, `"`)}, true
}

// runScript runs every block of a file, and fails the test where it prints
// something else than the file says; or, to update, has the file say it.
func runScript(t *testing.T, path string, update bool, execute func(command) (string, error)) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := parseScript(string(text))
	for i := range s.blocks {
		b := &s.blocks[i]
		var output strings.Builder
		for offset, line := range b.head {
			c, ok := parseCommand(line)
			if !ok {
				continue
			}
			printed, err := execute(c)
			if err != nil {
				t.Fatalf("%s:%d: %s: %v", path, b.line+offset, line, err)
			}
			output.WriteString(printed)
		}
		if !update && output.String() != b.output {
			t.Errorf("%s:%d:\n%s\nprints\n%sand should print\n%s", path, b.line, strings.Join(b.head, "\n"), output.String(), b.output)
		}
		b.output = output.String()
	}
	if !update {
		return
	}
	if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestScriptIsWrittenAsItWasRead(t *testing.T) {
	for _, text := range []string{
		"send a\n----\noutput\n",
		"# comment\n\nsend a\nsend b\n----\n\nsend c\n----\none\ntwo\n",
		"send a\n----\noutput\n\n# the end\n",
	} {
		if got := parseScript(text).String(); got != text {
			t.Errorf("%q is written as %q", text, got)
		}
	}
	c, ok := parseCommand(`send alice m1 "a quoted content"`)
	if want := `{send [alice m1] a quoted content} true`; fmt.Sprint(c, ok) != want {
		t.Errorf("parsed %v %v, want %s", c, ok, want)
	}
}
