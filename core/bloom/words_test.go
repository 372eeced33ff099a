package bloom

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWordsAsBytesEqualThePortableWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.Uint64(), 0, 50).Draw(t, "words")
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "prefix") // also for odd alignments
		little, big := append([]byte{}, prefix...), append([]byte{}, prefix...)
		for _, word := range words {
			little = binary.LittleEndian.AppendUint64(little, word)
			big = binary.BigEndian.AppendUint64(big, word)
		}
		for name, result := range map[string]struct{ want, got []byte }{
			"little-endian":           {little, appendLittleEndian(append([]byte{}, prefix...), words)},
			"portable, little-endian": {little, appendLittleEndianPortably(append([]byte{}, prefix...), words)},
			"big-endian":              {big, appendBigEndian(append([]byte{}, prefix...), words)},
		} {
			if diff := cmp.Diff(result.want, result.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}
