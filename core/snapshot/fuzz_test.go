package snapshot

import "testing"

// fuzz holds a codec to this: nothing panics, and what decodes is written as
// something that decodes equal.
func fuzz(f *testing.F, c codec) {
	blob := c.append(nil, c.full)
	f.Add(blob)
	f.Add(blob[:len(blob)/2])
	f.Add(emptyMeta)
	f.Add(sub(1, emptyMeta))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, blob []byte) {
		decoded, err := c.decode(blob)
		if err != nil {
			return
		}
		again, err := c.decode(c.append(nil, decoded))
		if err != nil {
			t.Fatalf("what was decoded is not decoded again: %v", err)
		}
		same(t, "decoded again", again, decoded)
	})
}

func FuzzDecodeMeta(f *testing.F)   { fuzz(f, codecs[0]) }
func FuzzDecodeData(f *testing.F)   { fuzz(f, codecs[1]) }
func FuzzDecodeUpdate(f *testing.F) { fuzz(f, codecs[2]) }
