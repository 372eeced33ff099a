package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/libsds/libsds/core/limits"
)

// typicalMessage is what a busy channel sends: 1 KiB of content and ten
// dependencies with ids of 64 characters.
func typicalMessage(withDetails bool) *Message {
	id := func(i int) string { return fmt.Sprintf("%08x", i) + strings.Repeat("0123456789abcdef", 4)[8:] }
	m := &Message{
		ID: id(0), ChannelID: "a-channel", SenderID: id(1000),
		Lamport: 1_700_000_000, HasLamport: true,
		Content: bytes.Repeat([]byte{0xab}, 1024),
	}
	for i := 1; i <= 10; i++ {
		e := Entry{ID: id(i)}
		if withDetails {
			e.SenderID, e.Hint = id(1000+i), bytes.Repeat([]byte{byte(i)}, 32)
		}
		m.History = append(m.History, e)
	}
	return m
}

// typicalFilter has the length of an encoded filter of default size.
var typicalFilter Filter = RawFilter(bytes.Repeat([]byte{0x5a}, 18768))

func BenchmarkDecode(b *testing.B) {
	lim := limits.Default()
	for f := SDS02; f <= LIP109; f++ {
		for _, withDetails := range []bool{false, true} {
			name := fmt.Sprintf("%v/details=%v", f, withDetails)
			b.Run(name, func(b *testing.B) {
				payload := Append(nil, f, typicalMessage(withDetails), typicalFilter)
				var m Message
				b.SetBytes(int64(len(payload)))
				b.ReportAllocs()
				for b.Loop() {
					if err := Decode(payload, &lim, &m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkStoredAppend(b *testing.B) {
	s := Store(SDS04, typicalMessage(true))
	buf := s.Append(nil, typicalFilter, nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = s.Append(buf[:0], typicalFilter, nil)
	}
}

func BenchmarkStore(b *testing.B) {
	m := typicalMessage(true)
	b.ReportAllocs()
	for b.Loop() {
		Store(SDS04, m)
	}
}

func BenchmarkStorer(b *testing.B) {
	m := typicalMessage(true)
	var s Storer
	b.ReportAllocs()
	for b.Loop() {
		s.Store(SDS04, m)
	}
}

// BenchmarkCopy is the yardstick: the bytes of one filter, copied.
func BenchmarkCopy(b *testing.B) {
	src := []byte(typicalFilter.(RawFilter))
	dst := make([]byte, len(src))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		copy(dst, src)
	}
}
