// Package callbacks makes a persistence backend of the procedures of a C host:
// what SdsSetPersistence of include/libsds.h is given. Its comments say what the
// host is promised.
//
// Three things are added to what the procedures do. Those of one host never run
// at the same time as each other. A host's answer is believed only as far as it
// can be true: every length, id and call is looked at. And nothing crosses that
// the other side would have to keep: no pointer of Go stays in C, none of C in
// Go.
package callbacks

/*
#cgo CFLAGS: -Wall -Wextra -Werror
#include <stdlib.h>
#include "procedures.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/internal/cblock"
)

// New returns the backend over a host's SdsPersistence, which is copied. It is a
// [persistence.Committer] if the host has transactions.
//
// Errors: core.ErrInvalidArgument when a procedure is missing or the table ends
// too early.
func New(table unsafe.Pointer, userData uintptr) (persistence.Backend, error) {
	host := &backend{procedures: C.SdsProcedures{userData: C.uintptr_t(userData)}}
	p := &host.procedures
	if size, least := C.sdsReadTable((*C.SdsPersistence)(table), p), C.sdsLeastTable(); C.size_t(size) < least {
		return nil, fmt.Errorf("%w: SdsPersistence has a size of %d, and needs at least %d", core.ErrInvalidArgument, size, least)
	}
	switch {
	case p.loadChannel == 0:
		return nil, missing("loadChannel")
	case p.dropChannel == 0:
		return nil, missing("dropChannel")
	case p.commit != 0:
		return committer{host}, nil
	case p.saveChannelMeta == 0:
		return nil, missing("saveChannelMeta, and has no commit")
	case p.updateHistory == 0:
		return nil, missing("updateHistory, and has no commit")
	}
	return host, nil
}

func missing(procedure string) error {
	return fmt.Errorf("%w: SdsPersistence lacks %s", core.ErrInvalidArgument, procedure)
}

// backend calls the procedures of a host.
type backend struct {
	running    sync.Mutex // held while a procedure runs
	procedures C.SdsProcedures
}

// perform carries out one call of a procedure, and returns what it handed over.
func (b *backend) perform(p procedure, invoke func(call C.uintptr_t) C.int) (persistence.Kept, error) {
	b.running.Lock()
	defer b.running.Unlock()
	c := begin(p)
	returned := func() C.int {
		defer c.end()
		return invoke(C.uintptr_t(c.address))
	}()
	if err := c.outcome(int(returned)); err != nil {
		return persistence.Kept{}, err
	}
	return c.kept, nil
}

// SaveChannelMeta calls saveChannelMeta.
func (b *backend) SaveChannelMeta(channelID string, meta []byte) error {
	_, err := b.perform(saveChannelMeta, func(call C.uintptr_t) C.int {
		return C.sdsSaveChannelMeta(&b.procedures, call, cString(channelID), bytesOf(meta), C.size_t(len(meta)))
	})
	return err
}

// UpdateHistory calls updateHistory, unless the host has nothing to do.
func (b *backend) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	h, err := newHistory(&update)
	if err != nil || h.block == nil {
		return err
	}
	defer h.free()
	_, err = b.perform(updateHistory, func(call C.uintptr_t) C.int {
		return C.sdsUpdateHistory(&b.procedures, call, cString(channelID), h.view)
	})
	return err
}

// LoadChannel calls loadChannel and returns what it handed over.
func (b *backend) LoadChannel(channelID string) (persistence.Kept, error) {
	return b.perform(loadChannel, func(call C.uintptr_t) C.int {
		return C.sdsLoadChannel(&b.procedures, call, cString(channelID))
	})
}

// DropChannel calls dropChannel.
func (b *backend) DropChannel(channelID string) error {
	_, err := b.perform(dropChannel, func(call C.uintptr_t) C.int {
		return C.sdsDropChannel(&b.procedures, call, cString(channelID))
	})
	return err
}

// SetRetrievalHint calls setRetrievalHint, if the host keeps hints.
func (b *backend) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	if b.procedures.setRetrievalHint == 0 {
		return nil
	}
	_, err := b.perform(setRetrievalHint, func(call C.uintptr_t) C.int {
		return C.sdsSetRetrievalHint(&b.procedures, call, cString(channelID), cString(messageID), bytesOf(hint), C.size_t(len(hint)))
	})
	return err
}

// committer is a backend whose host has transactions. It need not have
// saveChannelMeta and updateHistory, which are not called then.
type committer struct{ *backend }

// Commit calls commit for each change, and setRetrievalHint for its hints. A
// transaction of the host is of one channel. One that failed does not keep the
// others from being written now: all are offered again, which harms nothing.
func (c committer) Commit(changes []persistence.Change) error {
	var failed []error
	hints := &persistence.HintsError{}
	for i := range changes {
		if err := c.commit(&changes[i]); err != nil {
			failed = append(failed, err)
			continue
		}
		c.setHints(&changes[i], hints)
	}
	switch {
	case len(failed) > 0:
		return errors.Join(failed...)
	case hints.Err != nil:
		return hints
	}
	return nil
}

// setHints hands over the hints of a change that was committed, and notes those
// that the host did not keep.
func (c committer) setHints(change *persistence.Change, failed *persistence.HintsError) {
	for _, hint := range change.Hints {
		if err := c.SetRetrievalHint(change.ChannelID, hint.MessageID, hint.Hint); err != nil {
			failed.Unkept = append(failed.Unkept, persistence.HintOf{ChannelID: change.ChannelID, MessageID: hint.MessageID})
			failed.Err = errors.Join(failed.Err, fmt.Errorf("the hint of message %q: %w", hint.MessageID, err))
		}
	}
}

func (c committer) commit(change *persistence.Change) error {
	h, err := newHistory(&change.History)
	if err != nil {
		return err
	}
	defer h.free()
	_, err = c.perform(commit, func(call C.uintptr_t) C.int {
		return C.sdsCommit(&c.procedures, call, cString(change.ChannelID), bytesOf(change.Meta), C.size_t(len(change.Meta)), h.view)
	})
	return err
}

// cString is an id as C has it, in memory of Go.
func cString(id string) *C.char {
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(append(cblock.AppendName(nil, id), 0))))
}

// bytesOf is a view of bytes, NULL when there are none.
func bytesOf(data []byte) *C.uint8_t {
	if len(data) == 0 {
		return nil
	}
	return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(data)))
}
