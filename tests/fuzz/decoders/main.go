//go:build libfuzzer

// Command decoders is the decoders of core under libFuzzer, which runs several
// times as many inputs in a second as Go's own fuzzing. It looks for what hurts
// and for what is not read back; the targets of the packages hold the decoders to
// far more. `--decoder=NAME` chooses one:
//
//	message  a payload of any wire format
//	filter   a bloom filter of either layout
//	meta, data, update  the three kinds of snapshots
//	config   a configuration
//
// It is built with -buildmode=c-archive and linked by clang with
// -fsanitize=fuzzer: see the Makefile.
package main

// #include <stddef.h>
// #include <stdint.h>
// #include <stdlib.h>
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"unsafe"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

func main() {}

// A decoder judges one input, and panics when something is wrong.
type decoder func(input []byte)

var decoders = map[string]decoder{
	"message": message,
	"filter":  filter,
	"meta":    codec[snapshot.ChannelMeta]{snapshot.DecodeMeta, snapshot.AppendMeta}.check,
	"data":    codec[snapshot.ChannelData]{snapshot.DecodeData, snapshot.AppendData}.check,
	"update":  codec[snapshot.HistoryUpdate]{snapshot.DecodeUpdate, snapshot.AppendUpdate}.check,
	"config":  config,
}

var chosen decoder

// LLVMFuzzerInitialize chooses the decoder.
//
//export LLVMFuzzerInitialize
func LLVMFuzzerInitialize(argc *C.int, argv ***C.char) C.int {
	for _, argument := range unsafe.Slice(*argv, int(*argc)) {
		if name, ok := strings.CutPrefix(C.GoString(argument), "--decoder="); ok {
			chosen = decoders[name]
		}
	}
	if chosen == nil {
		fmt.Fprintln(os.Stderr, "decoders: --decoder= names none")
		os.Exit(2)
	}
	return 0
}

// LLVMFuzzerTestOneInput runs the decoder. libFuzzer keeps the input of a process
// that aborts, but not of one whose Go runtime ends it.
//
//export LLVMFuzzerTestOneInput
func LLVMFuzzerTestOneInput(data *C.char, size C.size_t) C.int {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintf(os.Stderr, "decoders: %v\n%s", problem, debug.Stack())
			C.abort()
		}
	}()
	chosen(unsafe.Slice((*byte)(unsafe.Pointer(data)), int(size)))
	return 0
}

var (
	bounds             = limits.Default()
	decoded, redecoded wire.Message
	written, rewritten []byte
)

func message(payload []byte) {
	if err := wire.Decode(payload, &bounds, &decoded); err != nil {
		expect(errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrTooLarge), err)
		return
	}
	written = wire.Append(written[:0], decoded.Format, &decoded, wire.RawFilter(decoded.Filter))
	expect(wire.Decode(written, &bounds, &redecoded) == nil, "what was written is not read")
	rewritten = wire.Append(rewritten[:0], redecoded.Format, &redecoded, wire.RawFilter(redecoded.Filter))
	expect(bytes.Equal(written, rewritten), "what was written reads back as something else")
}

func filter(field []byte) {
	for _, parse := range []func([]byte) (bloom.View, bool){bloom.ParseSDS, bloom.ParseLIP} {
		view, used := parse(field)
		fill := view.Fill()
		expect(fill >= 0 && fill <= 1, fill)
		contains := view.Contains(view.Scheme().Sum("id"))
		expect(used || !contains, "something is concluded from an ignored filter")
		expect(!contains || fill > 0, "contains an id without a bit set")
		expect(contains || fill < 1 || !used, "denies an id with all bits set")
	}
}

// codec is one kind of snapshot.
type codec[T any] struct {
	decode func([]byte) (*T, error)
	append func([]byte, *T) []byte
}

func (c codec[T]) check(blob []byte) {
	state, err := c.decode(blob)
	if err != nil {
		expect(errors.Is(err, snapshot.ErrMalformed) || errors.Is(err, snapshot.ErrSchemaVersion), err)
		return
	}
	written = c.append(written[:0], state)
	again, err := c.decode(written)
	expect(err == nil, err)
	rewritten = c.append(rewritten[:0], again)
	expect(bytes.Equal(written, rewritten), "what was written reads back as something else")
}

func config(text []byte) {
	if _, err := core.ParseConfig(text); err != nil {
		expect(errors.Is(err, core.ErrInvalidArgument) && len(err.Error()) <= 2000, err)
	}
}

func expect(ok bool, otherwise any) {
	if !ok {
		panic(otherwise)
	}
}
