package main

/*
#include "bridge.h"
*/
import "C"

import (
	"bytes"
	stdcontext "context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"unsafe"
)

// logger is told what happens, and of defects and of what goes wrong without
// failing a call. It is silent until the host sets a handler: stdout and stderr
// are the host's.
var logger = slog.New(hostLog{})

// listener is the log handler of the host.
type listener struct {
	handler C.SdsReply
	level   slog.Level
}

// log is where the lines go. The handler is called and replaced with the lock
// held, so that it is not called any more once it was replaced.
var log struct {
	sync.Mutex
	listener atomic.Pointer[listener] // nil: nobody
}

//export sdsGoSetLogHandler
func sdsGoSetLogHandler(handler C.SdsReply, level C.int) C.int {
	return outcome(containing(func() error {
		var l *listener
		if handler.function != 0 {
			l = &listener{handler, slog.Level(level)}
		}
		log.Lock()
		defer log.Unlock()
		log.listener.Store(l)
		return nil
	}), nil)
}

// hostLog hands the lines that the library logs to the host. Where nobody
// listens, that costs one atomic load.
type hostLog struct {
	// with has what later lines begin with.
	with []func(slog.Handler) slog.Handler
}

// Enabled tells whether the host wants lines of this level.
func (h hostLog) Enabled(_ stdcontext.Context, level slog.Level) bool {
	l := log.listener.Load()
	return l != nil && level >= l.level
}

// mostLogged is up to where a value is told: more than any id within its bound and
// any stack. An id that is far beyond its bound is logged, too, by the call that it
// made fail.
const mostLogged = 16 << 10

// format leaves out what the host adds or gets beside the line.
var format = &slog.HandlerOptions{
	Level: slog.Level(math.MinInt),
	ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		if value := a.Value; value.Kind() == slog.KindString && len(value.String()) > mostLogged {
			a.Value = slog.StringValue(value.String()[:mostLogged] + "...")
		}
		return a
	},
}

// Handle hands a line to the host.
func (h hostLog) Handle(ctx stdcontext.Context, record slog.Record) error {
	var line bytes.Buffer
	var formatter slog.Handler = slog.NewTextHandler(&line, format)
	for _, with := range h.with {
		formatter = with(formatter)
	}
	if err := formatter.Handle(ctx, record); err != nil {
		return err
	}
	text := bytes.ToValidUTF8(bytes.TrimSuffix(line.Bytes(), []byte("\n")), []byte("\uFFFD"))
	text = append(text, 0)
	log.Lock()
	defer log.Unlock()
	if l := log.listener.Load(); l != nil && record.Level >= l.level {
		C.sdsLog(l.handler, C.int(record.Level), (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)-1))
	}
	return nil
}

// WithAttrs returns a handler whose lines begin with attributes.
func (h hostLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.and(func(f slog.Handler) slog.Handler { return f.WithAttrs(attrs) })
}

// WithGroup returns a handler whose later attributes are in a group.
func (h hostLog) WithGroup(name string) slog.Handler {
	return h.and(func(f slog.Handler) slog.Handler { return f.WithGroup(name) })
}

func (h hostLog) and(with func(slog.Handler) slog.Handler) hostLog {
	return hostLog{append(h.with[:len(h.with):len(h.with)], with)}
}
