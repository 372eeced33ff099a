package cblock

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"pgregory.net/rapid"
)

func TestNamesAreTheIDsAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringOf(rapid.OneOf(rapid.Just('\x00'), rapid.Rune())).Draw(t, "id")
		name := string(AppendName(nil, id))
		if strings.Contains(name, "\x00") || len(name) != NameLen(id) {
			t.Fatalf("the name of %q is %q", id, name)
		}
		if back := ID(name); back != id {
			t.Fatalf("%q came back as %q", id, back)
		}
		if strings.Contains(id, "\x00") == utf8.ValidString(name) {
			t.Fatalf("the name %q of %q can be another id's", name, id)
		}
	})
}

func TestWhatIsPutDownLiesSideBySideAndFillsTheRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.StringOf(rapid.OneOf(rapid.Just('\x00'), rapid.Rune()))).Draw(t, "ids")
		datas := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 50)).Draw(t, "bytes")
		size := 0
		var want []byte
		for _, id := range ids {
			size += NameLen(id) + 1
			want = append(AppendName(want, id), 0)
		}
		for _, data := range datas {
			size += len(data)
			want = append(want, data...)
		}
		const before = 8
		block := slices.Repeat([]byte{0xee}, before+size+1)
		room := NewRoom(unsafe.Pointer(&block[0]), before, size)
		at := before
		for _, id := range ids {
			if place := room.Name(id); place != unsafe.Pointer(&block[at]) {
				t.Fatalf("the name of %q does not follow what came before", id)
			}
			at += NameLen(id) + 1
		}
		for _, data := range datas {
			place := room.Bytes(data)
			if len(data) == 0 {
				if place != nil {
					t.Fatal("nothing has a place")
				}
				continue
			}
			if place != unsafe.Pointer(&block[at]) {
				t.Fatal("bytes do not follow what came before")
			}
			at += len(data)
		}
		if got := block[before : before+size]; !bytes.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		if len(room) != 0 || block[before-1] != 0xee || block[before+size] != 0xee {
			t.Fatal("the room was not filled exactly")
		}
	})
}
