package snapshot

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/libsds/libsds/internal/allocation"
	"github.com/libsds/libsds/internal/corpus"
)

// fixedMemory is what decoding takes beside fifty times the blob: an error, and the
// outlines of messages within messages.
const fixedMemory = 16 << 10

// fuzz holds a codec to this: no blob hurts, or takes more memory than
// DecodeMeta says. What is refused is refused for one of the two reasons. What is
// accepted, generated code accepts too, and what that makes of it is the same
// state; and it is written as what generated code says and as something that
// decodes equal.
func fuzz(f *testing.F, c codec, kept string) {
	for _, input := range corpus.Inputs(f, "../../tests/fuzz/corpus/"+kept) {
		f.Add(input)
	}
	for _, blob := range vectorBlobs(f) {
		f.Add(blob)
		f.Add(sub(1, blob))
	}
	blob := c.append(nil, c.full)
	f.Add(blob)
	f.Add(blob[:len(blob)/2])
	f.Add(emptyMeta)
	f.Add(sub(1, emptyMeta))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, blob []byte) {
		var decoded any
		var err error
		took := allocation.Beyond(50*uint64(len(blob))+fixedMemory, func() { decoded, err = c.decode(blob) })
		if took > 0 {
			t.Errorf("%d bytes of blob took %d bytes of memory", len(blob), took)
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrSchemaVersion) || len(err.Error()) > 500 {
				t.Errorf("refused with %v", err)
			}
			return
		}
		said, read := oracleOf(decoded)
		if err := proto.Unmarshal(blob, read); err != nil {
			t.Fatalf("generated code refuses what was decoded: %v", err)
		}
		byOracle, err := proto.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.decode(byOracle)
		if err != nil {
			t.Fatalf("what generated code makes of it is not decoded: %v", err)
		}
		equal(t, "by way of generated code", again, decoded)

		written := c.append(nil, decoded)
		if again, err = c.decode(written); err != nil {
			t.Fatalf("what was decoded is not decoded again: %v", err)
		}
		equal(t, "decoded again", again, decoded)
		proto.Reset(read)
		if err := proto.Unmarshal(written, read); err != nil {
			t.Fatalf("generated code refuses what was written: %v", err)
		}
		if !proto.Equal(said, read) {
			t.Fatalf("generated code reads\n%v\nwant\n%v", read, said)
		}
	})
}

// equal is same with a look first that is nearly always enough.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		same(t, what, got, want)
	}
}

func FuzzDecodeMeta(f *testing.F)   { fuzz(f, codecs[0], "meta") }
func FuzzDecodeData(f *testing.F)   { fuzz(f, codecs[1], "data") }
func FuzzDecodeUpdate(f *testing.F) { fuzz(f, codecs[2], "update") }

// vectorBlobs returns the snapshots of the conformance vectors.
func vectorBlobs(f *testing.F) (blobs [][]byte) {
	text, err := os.ReadFile("../../tests/conformance/vectors/snapshot.json")
	if err != nil {
		f.Fatal(err)
	}
	type vector struct{ Hex string }
	var file struct{ ChannelMeta, ChannelData, Decode []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		f.Fatal(err)
	}
	for _, list := range [][]vector{file.ChannelMeta, file.ChannelData, file.Decode} {
		for _, v := range list {
			blob, err := hex.DecodeString(v.Hex)
			if err != nil {
				f.Fatal(err)
			}
			blobs = append(blobs, blob)
		}
	}
	return blobs
}
