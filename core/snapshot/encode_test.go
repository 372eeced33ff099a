package snapshot

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWhatIsWrittenReadsBack(t *testing.T) {
	forEachCodec(t, func(t *testing.T, c codec) {
		rapid.Check(t, func(t *rapid.T) {
			state := c.any(t)
			got, err := c.decode(c.append(nil, state))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "read back", got, state)
		})
	})
}

func TestSameStateIsSameBytes(t *testing.T) {
	forEachCodec(t, func(t *testing.T, c codec) {
		rapid.Check(t, func(t *rapid.T) {
			state := c.any(t)
			blob := c.append(nil, state)
			if again := c.append(nil, state); !bytes.Equal(again, blob) {
				t.Fatalf("written twice:\n%x\n%x", blob, again)
			}
			decoded, err := c.decode(blob)
			if err != nil {
				t.Fatal(err)
			}
			if again := c.append(nil, decoded); !bytes.Equal(again, blob) {
				t.Fatalf("written, read and written:\n%x\n%x", blob, again)
			}
		})
	})
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	forEachCodec(t, func(t *testing.T, c codec) {
		blob := c.append(nil, c.full)
		for _, room := range []int{0, 10, len(blob), 10 * len(blob)} {
			dst := append(make([]byte, 0, 5+room), "there"...)
			got := c.append(dst, c.full)
			if string(got) != "there"+string(blob) {
				t.Errorf("with room for %d bytes: %q", room, got)
			}
		}
	})
}

// Backends keep these bytes for years.
func TestBytesNeverChange(t *testing.T) {
	want := map[string]string{
		"ChannelMeta":   wantMeta,
		"ChannelData":   wantData,
		"HistoryUpdate": wantUpdate,
	}
	forEachCodec(t, func(t *testing.T, c codec) {
		if got := hex.EncodeToString(c.append(nil, c.full)); got != want[c.name] {
			t.Errorf("\ngot  %s\nwant %s", got, want[c.name])
		}
	})
}

// What came later comes last: without it, the bytes are what they were.
func TestTheLastFieldsOfAMetaAreTheNewest(t *testing.T) {
	meta := fullMeta()
	meta.WireFormat = 4
	meta.Appending = []string{"new 1", "new 2"}
	want := wantMeta + "880104" + "9201056e65772031" + "9201056e65772032"
	if got := hex.EncodeToString(AppendMeta(nil, meta)); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

const (
	wantMeta = "080110ac021a230a056f776e20311080d095ffbc3118028201090a0277311203626f628201040a0277321a140a056f77" +
		"6e203210ecdcffffffffffffff011800222a0a057761697473120161120162120163800181d095ffbc318a01008a010c" +
		"120577686572651a03626f6222070a0572656164792a190a016112140a030a01611082d095ffbc31800180d095ffbc31" +
		"2a180a016212130a0f0a0162120577686572651a03626f62100132270a056f776e2031121e0a0e0a056f776e20311a05" +
		"616c69636512056f776e20311883d095ffbc318201056d657420318201056d65742032"
	wantData = "0ae301080110ac021a230a056f776e20311080d095ffbc3118028201090a0277311203626f628201040a0277321a140a" +
		"056f776e203210ecdcffffffffffffff011800222a0a057761697473120161120162120163800181d095ffbc318a0100" +
		"8a010c120577686572651a03626f6222070a0572656164792a190a016112140a030a01611082d095ffbc31800180d095" +
		"ffbc312a180a016212130a0f0a0162120577686572651a03626f62100132270a056f776e2031121e0a0e0a056f776e20" +
		"311a05616c69636512056f776e20311883d095ffbc318201056d657420318201056d6574203212066f6c646573741206" +
		"6e657765737482010a0a016d12057768657265"
	wantUpdate = "0a036f6e650a14697473206b6579206973206e6f74206b6e6f776e0a0574687265650a0e6e6f722074686973206f6e65" +
		"277312056f6c64203112056f6c6420328201070a026d3110ac028201008201040a026d33"
)

func TestDataWithoutMetaIsWrittenWithAnEmptyOne(t *testing.T) {
	data := &ChannelData{History: [][]byte{[]byte("m")}}
	got, err := DecodeData(AppendData(nil, data))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read back", got, &ChannelData{Meta: &ChannelMeta{}, History: data.History})
	if data.Meta != nil {
		t.Error("AppendData changed what it was given")
	}
}

func TestEmptyUpdateIsAnEmptyBlob(t *testing.T) {
	if blob := AppendUpdate(nil, &HistoryUpdate{}); len(blob) != 0 {
		t.Errorf("it is %x", blob)
	}
}

// The writer judges nothing: it neither panics nor writes what reads back as
// something else.
func TestImpossibleStatesAreWrittenAndRefused(t *testing.T) {
	beyond32Bits := int64(math.MaxInt32) + 1 // where int has no more, that is negative
	tests := map[string]*ChannelMeta{
		"lamport":            {Lamport: math.MaxInt64 + 1},
		"negative attempts":  {Outgoing: []Unacknowledged{{Attempts: -1}}},
		"many attempts":      {Outgoing: []Unacknowledged{{Attempts: int(beyond32Bits)}}},
		"witness without id": {Outgoing: []Unacknowledged{{Witnesses: []Witness{{}}}}},
		"missing without id": {Incoming: []Incoming{{Missing: []HistoryEntry{{}}}}},
		"repair without id":  {OutgoingRepair: []OutgoingRepair{{}}},
		"request without id": {IncomingRepair: []IncomingRepair{{}}},
		"empty met id":       {Met: []string{""}},
		"id not UTF-8":       {Met: []string{"\xff"}},
		"sender not UTF-8":   {OutgoingRepair: []OutgoingRepair{{Entry: HistoryEntry{MessageID: "m", SenderID: "\xff"}}}},
	}
	for name, meta := range tests {
		if got, err := DecodeMeta(AppendMeta(nil, meta)); err == nil {
			t.Errorf("%s: read back as %+v", name, got)
		}
	}
}
