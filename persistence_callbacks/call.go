package callbacks

/*
#include "procedures.h"
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/internal/cblock"
)

// procedure is what a procedure is called.
type procedure string

const (
	saveChannelMeta  procedure = "saveChannelMeta"
	updateHistory    procedure = "updateHistory"
	loadChannel      procedure = "loadChannel"
	dropChannel      procedure = "dropChannel"
	setRetrievalHint procedure = "setRetrievalHint"
	commit           procedure = "commit"
)

// call is one call of a procedure: what the host hands over from inside it.
type call struct {
	procedure procedure
	address   uintptr // what the host knows it by

	mu      sync.Mutex // the host may have another thread do its work
	over    bool       // the procedure has returned
	kept    persistence.Kept
	hasMeta bool
	size    uint64 // of all that was handed over
	misuse  error  // the first that the host handed over and that cannot be
	reason  string // why the procedure is about to fail; the last that was given
}

// underWay holds the calls by their addresses. An address that the host passes
// is looked up here and is nothing else than a number. It comes again only after
// a million other calls, so that one that is kept too long is noticed.
var underWay = struct {
	sync.Mutex
	calls map[uintptr]*call
	last  uintptr
}{calls: map[uintptr]*call{}}

// begin records a call. The caller must end it.
func begin(p procedure) *call {
	c := &call{procedure: p}
	underWay.Lock()
	defer underWay.Unlock()
	for c.address == 0 || underWay.calls[c.address] != nil {
		underWay.last = (underWay.last + 1) % C.SDS_CALLS
		c.address = uintptr(unsafe.Pointer(&C.sdsCalls)) + underWay.last
	}
	underWay.calls[c.address] = c
	return c
}

// end takes the call off the record. When it returns, nothing changes it any
// more.
func (c *call) end() {
	underWay.Lock()
	delete(underWay.calls, c.address)
	underWay.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// outcome is what became of a call that has ended, by what its procedure
// returned.
func (c *call) outcome(returned int) error {
	switch {
	case returned != 0 && c.reason != "":
		return errors.New(c.reason)
	case c.misuse != nil:
		return c.misuse
	case returned != 0:
		return fmt.Errorf("%s returned %d", c.procedure, returned)
	}
	return nil
}

// during runs step on the call at an address, or does nothing when there is
// none.
func during(address uintptr, step func(*call)) {
	underWay.Lock()
	c := underWay.calls[address]
	underWay.Unlock()
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		step(c)
	}
}

// load runs step on a call of loadChannel. What it complains of, for which the
// load is going to fail, is said of the function that the host called. Nothing
// more is taken then.
func load(address uintptr, function string, step func(*call) error) {
	during(address, func(c *call) {
		if c.misuse != nil {
			return
		}
		err := fmt.Errorf("called from inside %s", c.procedure)
		if c.procedure == loadChannel {
			err = step(c)
		}
		if err != nil {
			c.misuse = fmt.Errorf("%s: %w", function, err)
		}
	})
}

// LoadMeta is SdsLoadMeta.
func LoadMeta(address uintptr, data unsafe.Pointer, size uintptr) {
	load(address, "SdsLoadMeta", func(c *call) (err error) {
		if c.hasMeta {
			return errors.New("called a second time")
		}
		c.hasMeta = true
		c.kept.Meta, err = c.take(data, size, limits.MaxLoadedPart)
		return err
	})
}

// LoadMessage is SdsLoadMessage.
func LoadMessage(address uintptr, data unsafe.Pointer, size uintptr) {
	load(address, "SdsLoadMessage", func(c *call) error {
		message, err := c.take(data, size, limits.MaxLoadedPart)
		c.kept.History = append(c.kept.History, message)
		return err
	})
}

// LoadHint is SdsLoadHint; the name is nil where the host passed NULL.
func LoadHint(address uintptr, name []byte, data unsafe.Pointer, size uintptr) {
	load(address, "SdsLoadHint", func(c *call) error {
		if err := checkName(name); err != nil {
			return err
		}
		id := cblock.ID(string(name))
		if !utf8.ValidString(id) {
			return errors.New("message ID is not valid UTF-8")
		}
		hint, err := c.take(data, size, limits.MaxHintBytes)
		c.size += uint64(len(id))
		c.kept.Hints = append(c.kept.Hints, snapshot.RetrievalHint{MessageID: id, Hint: hint})
		return err
	})
}

func checkName(name []byte) error {
	switch {
	case name == nil:
		return errors.New("message ID pointer is NULL")
	case len(name) == 0:
		return errors.New("message ID is empty string")
	case len(name) > limits.LongestID:
		return fmt.Errorf("message ID has more than %d bytes", limits.LongestID)
	}
	return nil
}

// take copies what the host hands over.
func (c *call) take(data unsafe.Pointer, size, most uintptr) ([]byte, error) {
	switch {
	case size > most:
		return nil, fmt.Errorf("a length of %d bytes, more than %d", size, most)
	case data == nil && size > 0:
		return nil, fmt.Errorf("the pointer is NULL but the length is %d", size)
	}
	c.size += uint64(size) + limits.LoadedOverhead
	if c.size > limits.MaxLoadedBytes {
		return nil, fmt.Errorf("more than %d bytes in all", uint64(limits.MaxLoadedBytes))
	}
	return bytes.Clone(unsafe.Slice((*byte)(data), size)), nil
}

// Fail is SdsFail; the reason is nil where the host passed NULL.
func Fail(address uintptr, reason []byte) {
	if reason == nil {
		return
	}
	during(address, func(c *call) { c.reason = words(reason) })
}

// words are a reason that is fit to be told: UTF-8, and not too long.
func words(reason []byte) string {
	if len(reason) > limits.MaxReasonBytes {
		reason = reason[:limits.MaxReasonBytes]
		for cut := 1; cut < utf8.UTFMax; cut++ { // not in the midst of a character
			if tail := reason[len(reason)-cut:]; utf8.RuneStart(tail[0]) {
				if !utf8.FullRune(tail) {
					reason = reason[:len(reason)-cut]
				}
				break
			}
		}
	}
	return strings.ToValidUTF8(string(reason), "\uFFFD")
}
