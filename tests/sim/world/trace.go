package world

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strconv"
)

// trace is everything that happened, line by line: what two runs are compared
// by, and what a person reads of one.
type trace struct {
	hash  hash.Hash
	out   io.Writer // nil: nobody reads it
	line  []byte
	lines int
	// skip: neither hashed nor read, for runs that are only measured.
	skip bool
}

func newTrace(out io.Writer) trace { return trace{hash: sha256.New(), out: out} }

// note adds a line: time, who, and what in words.
func (t *trace) note(now int64, who string, words ...string) {
	if t.skip {
		return
	}
	line := t.line[:0]
	line = append(line, span(now)...)
	line = append(line, ' ')
	line = append(line, who...)
	for _, word := range words {
		line = append(line, ' ')
		line = append(line, word...)
	}
	line = append(line, '\n')
	t.hash.Write(line) // never fails
	if t.out != nil {
		_, _ = t.out.Write(line) // who reads it may go away
	}
	t.line = line
	t.lines++
}

func (t *trace) sum() string { return hex.EncodeToString(t.hash.Sum(nil)[:16]) }

func decimal(n int) string { return strconv.Itoa(n) }
