package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../../include
#cgo LDFLAGS: ${SRCDIR}/../../../build/libsds-go.a -pthread

#include <stdlib.h>
#include <string.h>

#include <libsds.h>

// Exported below; the library calls it, on its own threads too.
extern void goEvent(SdsEvent *event, void *userData);

static void onEvent(const SdsEvent *event, void *userData) { goEvent((SdsEvent *)event, userData); }

static int openContext(const char *participant, const char *config, uintptr_t handle, void **ctx, char **error)
{
	SdsOptions options;

	memset(&options, 0, sizeof options);
	options.size = sizeof options;
	options.participantId = participant;
	options.configJson = config;
	options.eventHandler = onEvent;
	options.eventUserData = (void *)handle;
	return SdsOpen(&options, ctx, error);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// participant is a context of the library, and what it was told.
type participant struct {
	ctx       unsafe.Pointer
	handle    cgo.Handle
	delivered atomic.Int64
	reminded  atomic.Int64
}

//export goEvent
func goEvent(event *C.SdsEvent, userData unsafe.Pointer) {
	p := cgo.Handle(uintptr(userData)).Value().(*participant)
	switch event._type {
	case C.SDS_EVENT_MESSAGE_READY:
		p.delivered.Add(1)
		garbage(1 << 10)
	case C.SDS_EVENT_PERIODIC_SYNC:
		p.reminded.Add(1)
		garbage(1 << 10)
	}
}

// failure makes an error of what a function returned, and frees its words.
func failure(status C.int, words *C.char) error {
	if status == C.SDS_OK {
		return nil
	}
	defer C.SdsFree(unsafe.Pointer(words))
	if words == nil {
		return fmt.Errorf("status %d", int(status))
	}
	return errors.New(C.GoString(words))
}

func open(name, config string) (*participant, error) {
	p := &participant{}
	p.handle = cgo.NewHandle(p)
	cName, cConfig := C.CString(name), C.CString(config)
	defer C.free(unsafe.Pointer(cName))
	defer C.free(unsafe.Pointer(cConfig))
	var words *C.char
	return p, failure(C.openContext(cName, cConfig, C.uintptr_t(p.handle), &p.ctx, &words), words)
}

func (p *participant) close() error {
	defer p.handle.Delete()
	return failure(C.SdsClose(p.ctx), nil)
}

func (p *participant) start() error {
	var words *C.char
	return failure(C.SdsStart(p.ctx, &words), words)
}

func (p *participant) wrap(channel, id string, content []byte) ([]byte, error) {
	cChannel, cID := C.CString(channel), C.CString(id)
	defer C.free(unsafe.Pointer(cChannel))
	defer C.free(unsafe.Pointer(cID))
	var payload *C.uint8_t
	var size C.size_t
	var words *C.char
	status := C.SdsWrap(p.ctx, cChannel, cID, unsafe.Pointer(unsafe.SliceData(content)), C.size_t(len(content)), &payload, &size, &words)
	defer C.SdsFree(unsafe.Pointer(payload))
	return C.GoBytes(unsafe.Pointer(payload), C.int(size)), failure(status, words)
}

func (p *participant) unwrap(payload []byte) ([]byte, error) {
	var message *C.SdsUnwrapped
	var words *C.char
	status := C.SdsUnwrap(p.ctx, unsafe.Pointer(unsafe.SliceData(payload)), C.size_t(len(payload)), &message, &words)
	if err := failure(status, words); err != nil {
		return nil, err
	}
	defer C.SdsFree(unsafe.Pointer(message))
	return C.GoBytes(unsafe.Pointer(message.content), C.int(message.contentLen)), nil
}
