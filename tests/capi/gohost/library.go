package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../../include
#cgo LDFLAGS: -ldl

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsds.h>

// The functions of the loaded library; dlsym fills them in.
static void *(*newManager)(const char *, const char *, SdsCallBack, void *);
static void (*setEventCallback)(void *, SdsCallBack, void *);
static int (*wrapMessage)(void *, void *, size_t, const char *, const char *, SdsCallBack, void *);
static int (*unwrapMessage)(void *, void *, size_t, SdsCallBack, void *);
static int (*startTasks)(void *, SdsCallBack, void *);
static int (*cleanUp)(void *, SdsCallBack, void *);

static atomic_long events;

// A result, copied: the host frees text.
struct result {
	int calls;
	int code;
	char *text;
	size_t length;
};

static void takeResult(int code, const char *text, size_t length, void *userData)
{
	struct result *result = userData;

	result->calls++;
	result->code = code;
	result->length = length;
	result->text = malloc(length + 1);
	if (result->text != NULL && length > 0)
		memcpy(result->text, text, length);
}

static void countEvent(int code, const char *text, size_t length, void *userData)
{
	atomic_fetch_add(&events, 1);
}

static int lookUp(void *library, const char *name, void *function)
{
	void *address = dlsym(library, name);

	memcpy(function, &address, sizeof address);
	return address != NULL;
}

static const char *loadLibrary(const char *file)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return dlerror();
	if (!lookUp(library, "SdsNewReliabilityManagerWithConfig", &newManager) ||
	    !lookUp(library, "SdsSetEventCallback", &setEventCallback) ||
	    !lookUp(library, "SdsWrapOutgoingMessage", &wrapMessage) ||
	    !lookUp(library, "SdsUnwrapReceivedMessage", &unwrapMessage) ||
	    !lookUp(library, "SdsStartPeriodicTasks", &startTasks) ||
	    !lookUp(library, "SdsCleanupReliabilityManager", &cleanUp))
		return dlerror();
	return NULL;
}

static void *openContext(const char *participant, const char *config, struct result *result)
{
	void *ctx = newManager(participant, config, takeResult, result);

	if (ctx != NULL)
		setEventCallback(ctx, countEvent, NULL);
	return ctx;
}

static int callWrap(void *ctx, void *message, size_t length, const char *id, const char *channel, struct result *result)
{
	return wrapMessage(ctx, message, length, id, channel, takeResult, result);
}

static int callUnwrap(void *ctx, void *message, size_t length, struct result *result)
{
	return unwrapMessage(ctx, message, length, takeResult, result);
}

static int callStart(void *ctx, struct result *result) { return startTasks(ctx, takeResult, result); }
static int callCleanup(void *ctx, struct result *result) { return cleanUp(ctx, takeResult, result); }
static long eventCount(void) { return atomic_load(&events); }

static void *endHungProcess(void *patience)
{
	static const char words[] = "--- FAIL: gohost hangs\n";

	sleep((unsigned)(size_t)patience);
	if (write(STDOUT_FILENO, words, sizeof words - 1) < 0)
		_exit(3);
	_exit(2);
	return NULL;
}

static int watch(unsigned patience)
{
	pthread_t watchdog;

	return pthread_create(&watchdog, NULL, endHungProcess, (void *)(size_t)patience);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"
)

// watch ends this process after so many seconds. It is no goroutine, because a
// collection that hangs stops those, and timers too.
func watch(seconds uint) error {
	if code := C.watch(C.uint(seconds)); code != 0 {
		return fmt.Errorf("pthread_create: error %d", code)
	}
	return nil
}

// loadLibrary opens the library and finds its functions.
func loadLibrary(file string) error {
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	if text := C.loadLibrary(name); text != nil {
		return errors.New(C.GoString(text))
	}
	return nil
}

// eventCount is how many events all contexts have told so far.
func eventCount() int64 { return int64(C.eventCount()) }

// context is a handle of the library. It is kept as the pointer that it is, so
// that this program's own collector and its moving stacks see it.
type context struct{ handle unsafe.Pointer }

// call runs one function of the library and returns the text of its result.
// The result is C memory, because it is written to from inside the call.
func call(name string, function func(*C.struct_result) C.int) (string, error) {
	result := (*C.struct_result)(C.calloc(1, C.sizeof_struct_result))
	defer C.free(unsafe.Pointer(result))
	returned := function(result)
	defer C.free(unsafe.Pointer(result.text))
	text := C.GoStringN(result.text, C.int(result.length))
	if returned != C.RET_OK || result.calls != 1 || result.code != C.RET_OK {
		return "", fmt.Errorf("%s returned %d, called back %d times, with %d: %s", name, returned, result.calls, result.code, text)
	}
	return text, nil
}

func openContext(participant, config string) (context, error) {
	name, settings := C.CString(participant), C.CString(config)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(settings))
	var ctx context
	_, err := call("open", func(result *C.struct_result) C.int {
		ctx.handle = C.openContext(name, settings, result)
		return C.RET_OK
	})
	return ctx, err
}

func (ctx context) start() error {
	_, err := call("start", func(result *C.struct_result) C.int {
		return C.callStart(ctx.handle, result)
	})
	return err
}

func (ctx context) close() error {
	_, err := call("cleanup", func(result *C.struct_result) C.int {
		return C.callCleanup(ctx.handle, result)
	})
	return err
}

// wrap hands over Go memory, as a Go host would, and returns the wire bytes.
func (ctx context) wrap(channel, id string, content []byte) ([]byte, error) {
	channelID, messageID := C.CString(channel), C.CString(id)
	defer C.free(unsafe.Pointer(channelID))
	defer C.free(unsafe.Pointer(messageID))
	text, err := call("wrap", func(result *C.struct_result) C.int {
		return C.callWrap(ctx.handle, unsafe.Pointer(unsafe.SliceData(content)), C.size_t(len(content)), messageID, channelID, result)
	})
	if err != nil {
		return nil, err
	}
	return parseDecimal(text)
}

func (ctx context) unwrap(wire []byte) (string, error) {
	return call("unwrap", func(result *C.struct_result) C.int {
		return C.callUnwrap(ctx.handle, unsafe.Pointer(unsafe.SliceData(wire)), C.size_t(len(wire)), result)
	})
}

// parseDecimal reads bytes written as decimal numbers with commas between.
func parseDecimal(text string) ([]byte, error) {
	numbers := strings.Split(text, ",")
	wire := make([]byte, len(numbers))
	for i, number := range numbers {
		value, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			return nil, err
		}
		wire[i] = byte(value)
	}
	return wire, nil
}
