//go:build linux

package crash

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestNothingIsAnnouncedBeforeItIsOnDisk looks at the system calls of a
// participant with strace: before each thing that it was told, the last write to
// the file was followed by an fdatasync that succeeded; and the page that makes
// a commit valid is written after an fdatasync of the pages that it refers to.
func TestNothingIsAnnouncedBeforeItIsOnDisk(t *testing.T) {
	for _, mode := range []string{"full", "batch"} {
		t.Run(mode, func(t *testing.T) {
			trace, ok := traced(t, mode)
			if !ok {
				return
			}
			var o order
			for line := range strings.Lines(trace) {
				o.see(t, strings.TrimSuffix(line, "\n"))
			}
			t.Logf("%d writes, %d syncs, %d commits, %d lines told", o.writes, o.syncs, o.metas, o.told)
			if o.metas < operations/2 || o.told < operations || o.syncs < 2*o.metas {
				t.Error("that is too little: the trace was not understood")
			}
		})
	}
}

// traced returns the calls of a participant that does one thing after the other.
// Where there is no strace, or it may not trace, that is logged.
func traced(t *testing.T, mode string) (trace string, ok bool) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Logf("not tried: %v (scripts/need installs it)", err)
		return "", false
	}
	if output, err := exec.Command(path, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Logf("not tried: strace may not trace: %v %s", err, output)
		return "", false
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	dir := t.TempDir()
	file := filepath.Join(dir, "trace")
	command := exec.Command(path, "-f", "-y", "-o", file, "-e", "trace=write,pwrite64,ftruncate,fdatasync,fsync",
		os.Args[0], filepath.Join(dir, "store"), mode, "1", "0")
	command.Env = append(os.Environ(), childVariable+"="+single)
	command.ExtraFiles = []*os.File{writer}
	output, err := command.CombinedOutput()
	_ = writer.Close()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	calls, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(calls, []byte(dir+"/"), nil)), true
}

// order follows the calls that concern the file and the pipe.
type order struct {
	dirty                      bool // something was written that may not be on disk
	syncing                    bool // an fdatasync has begun, and not ended yet
	metaBytes                  int  // the pages, at the beginning of a file, that make commits valid
	writes, metas, syncs, told int
}

var (
	writeCall = regexp.MustCompile(`^\d+ +pwrite64\(\d+<store>, .*, (\d+), (\d+)( <unfinished|\))`)
	growCall  = regexp.MustCompile(`^\d+ +ftruncate\(\d+<store>`)
	syncCall  = regexp.MustCompile(`^\d+ +(fdatasync|fsync)\(\d+<store>(\) += 0$| <unfinished)`)
	syncEnd   = regexp.MustCompile(`^\d+ +<\.\.\. (fdatasync|fsync) resumed>\) += 0$`)
	tellCall  = regexp.MustCompile(`^\d+ +write\(3<pipe:[^>]*>, "(\w+)`)
)

func (o *order) see(t *testing.T, line string) {
	t.Helper()
	switch {
	case growCall.MatchString(line):
		o.dirty = true
	case syncEnd.MatchString(line):
		if o.syncing {
			o.dirty, o.syncing = false, false
			o.syncs++
		}
	case syncCall.MatchString(line):
		if strings.HasSuffix(line, "<unfinished ...>") {
			o.syncing = true
			return
		}
		o.dirty = false
		o.syncs++
	default:
		if call := writeCall.FindStringSubmatch(line); call != nil {
			o.write(t, call[1], call[2], line)
		}
		if call := tellCall.FindStringSubmatch(line); call != nil && call[1] != "payload" && call[1] != "removing" {
			o.told++
			if o.dirty {
				t.Errorf("told before it was on disk: %s", line)
			}
		}
	}
}

func (o *order) write(t *testing.T, length, offset, line string) {
	t.Helper()
	n, lengthErr := strconv.Atoi(length)
	at, offsetErr := strconv.Atoi(offset)
	if err := errors.Join(lengthErr, offsetErr); err != nil {
		t.Error(err)
	}
	o.writes++
	if o.writes == 1 { // a new file: two such pages, and two others
		o.metaBytes = n / 2
	} else if at < o.metaBytes {
		o.metas++
		if o.dirty {
			t.Errorf("made valid before it was on disk: %s", line)
		}
	}
	o.dirty, o.syncing = true, false
}
