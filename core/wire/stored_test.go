package wire

import (
	"bytes"
	"testing"
)

func TestStoredOwnsItsBytes(t *testing.T) {
	for _, f := range formats {
		payload := Append(nil, f, fullMessage(), nil)
		s := Store(f, decode(t, payload))
		want := bytes.Clone(s.Bytes())
		clear(payload)
		if !bytes.Equal(s.Bytes(), want) || string(s.Content()) != "hello" {
			t.Errorf("%v: the stored message changed with the payload", f)
		}
	}
}

func TestStoredIsAMessageWithoutFilterAndRepairRequests(t *testing.T) {
	for _, f := range formats {
		m := fullMessage()
		s := Store(f, m)
		m.RepairRequests = nil
		if want := Append(nil, f, m, nil); !bytes.Equal(s.Bytes(), want) || s.Size() != len(want) {
			t.Errorf("%v: got  %x\nwant %x", f, s.Bytes(), want)
		}
	}
}

func TestStoredAllocatesOnce(t *testing.T) {
	m := fullMessage()
	m.History = append(m.History, Entry{ID: "\n\x40" + string(bytes.Repeat([]byte{'x'}, 64))}) // one that reads as an entry
	var filter Filter = RawFilter(bytes.Repeat([]byte{1}, 20_000))
	for _, f := range formats {
		var s Stored
		if allocs := testing.AllocsPerRun(20, func() { s = Store(f, m) }); allocs != 1 {
			t.Errorf("%v: Store: %v allocations", f, allocs)
		}
		if cap(s.Bytes()) != len(s.Bytes()) {
			t.Errorf("%v: %d bytes stored in %d", f, len(s.Bytes()), cap(s.Bytes()))
		}
		n := s.Len(filter, m.RepairRequests)
		fits := make([]byte, 0, n)
		if allocs := testing.AllocsPerRun(20, func() { s.Append(fits, filter, m.RepairRequests) }); allocs != 0 {
			t.Errorf("%v: Append into enough room: %v allocations", f, allocs)
		}
		if allocs, once := testing.AllocsPerRun(20, func() { s.Append(nil, filter, m.RepairRequests) }), allocsOfOneGrowth(n); allocs != once {
			t.Errorf("%v: Append into nothing: %v allocations, want %v", f, allocs, once)
		}
	}
}

func TestZeroStoredIsEmpty(t *testing.T) {
	var s Stored
	if len(s.Bytes()) != 0 || len(s.Content()) != 0 || s.Size() != 0 {
		t.Error("the zero Stored holds something")
	}
}

// Small contents and large ones take different ways.
func TestStorerStoresAsStoreDoesWhateverTheSize(t *testing.T) {
	var storer Storer
	for _, f := range formats {
		for _, size := range []int{1, mostKept - 1, mostKept, 3 * mostKept, 1} {
			m := fullMessage()
			m.Content = bytes.Repeat([]byte("x"), size)
			got, want := storer.Store(f, m), Store(f, m)
			if !bytes.Equal(got.Append(nil, RawFilter("f"), m.RepairRequests), want.Append(nil, RawFilter("f"), m.RepairRequests)) {
				t.Errorf("%s, %d bytes: stored otherwise", f, size)
			}
			if !bytes.Equal(got.Content(), m.Content) {
				t.Errorf("%s, %d bytes: the content is another", f, size)
			}
		}
	}
}
