package callbacks

/*
#include <stdlib.h>
#include "procedures.h"
*/
import "C"

import (
	"errors"
	"unsafe"

	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/internal/cblock"
)

// history is a change of the log as a host reads it. All of it is in one block
// of C memory, since memory of Go must not hold pointers where C looks: the
// records, the ids that leave, and then what these point to.
type history struct {
	block unsafe.Pointer // nil when nothing changes
	view  C.SdsHistory
}

var errOutOfMemory = errors.New("out of memory")

// newHistory copies a change. The caller must free it.
func newHistory(update *snapshot.HistoryUpdate) (history, error) {
	if len(update.Append)+len(update.Evict) == 0 {
		return history{}, nil
	}
	evictAt := len(update.Append) * int(unsafe.Sizeof(C.SdsHistoryRecord{}))
	textAt := evictAt + len(update.Evict)*int(unsafe.Sizeof((*C.char)(nil)))
	size := 0
	for i := range update.Append {
		size += cblock.NameLen(update.Append[i].MessageID) + 1 + len(update.Append[i].Message)
	}
	for _, id := range update.Evict {
		size += cblock.NameLen(id) + 1
	}
	block := C.sdsAllocateBlock(C.size_t(textAt), C.size_t(textAt+size))
	if block == nil {
		return history{}, errOutOfMemory
	}

	h := history{block: block}
	rest := cblock.NewRoom(block, textAt, size)
	if n := len(update.Append); n > 0 {
		records := unsafe.Slice((*C.SdsHistoryRecord)(block), n)
		h.view.append, h.view.appendCount = &records[0], C.size_t(n)
		for i := range update.Append {
			record := &update.Append[i]
			records[i] = C.SdsHistoryRecord{
				messageId: (*C.char)(rest.Name(record.MessageID)), lamport: C.int64_t(record.Lamport),
				message: (*C.uint8_t)(rest.Bytes(record.Message)), messageLen: C.size_t(len(record.Message)),
			}
		}
	}
	if n := len(update.Evict); n > 0 {
		ids := unsafe.Slice((**C.char)(unsafe.Add(block, evictAt)), n)
		h.view.evict, h.view.evictCount = &ids[0], C.size_t(n)
		for i, id := range update.Evict {
			ids[i] = (*C.char)(rest.Name(id))
		}
	}
	return h, nil
}

func (h *history) free() { C.free(h.block) }
