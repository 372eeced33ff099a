package bloom

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/core/limits"
)

// maxFieldBytes bounds a filter with all that is around its data, so that a
// flood of tiny unknown fields is not even looked at.
const maxFieldBytes = limits.MaxFilterBytes + 1024

// ParseLIP reads the filter of a lip-109 message. It reports false where the
// filter is to be ignored, which is when it is not of the one size that the
// format has: another size means other parameters, which the filter does not
// tell.
func ParseLIP(field []byte) (View, bool) {
	if len(field) != lipParameters.dataLen() {
		return View{}, false
	}
	return newView(Murmur3, field, uint64(lipParameters.hashes), uint64(lipParameters.bits))
}

// ParseSDS reads the filter of a message of the sds-* dialects. It reports
// false where the filter is to be ignored: when it is malformed, or out of the
// bounds of PROTOCOL, section 2. Capacity and error rate are informative; they
// may hold anything or be missing. Unknown fields are skipped, groups are
// malformed, and of a repeated field the last counts.
func ParseSDS(field []byte) (View, bool) {
	if len(field) > maxFieldBytes {
		return View{}, false
	}
	var data []byte
	var hashes, bits uint64
	for len(field) > 0 {
		number, wireType, n := protowire.ConsumeTag(field)
		if n < 0 {
			return View{}, false
		}
		field = field[n:]
		switch number {
		case fieldData:
			data, n = consumeBytes(wireType, field)
		case fieldCapacity, fieldErrorRate:
			_, n = consumeVarint(wireType, field)
		case fieldHashes:
			hashes, n = consumeVarint(wireType, field)
		case fieldBits:
			bits, n = consumeVarint(wireType, field)
		default:
			n = skipValue(wireType, field)
		}
		if n < 0 {
			return View{}, false
		}
		field = field[n:]
	}
	return newView(FarmHash, data, hashes, bits)
}

// malformed is what the functions below return in place of the length of a
// value, as those of protowire do.
const malformed = -1

func consumeBytes(wireType protowire.Type, b []byte) ([]byte, int) {
	if wireType != protowire.BytesType {
		return nil, malformed
	}
	return protowire.ConsumeBytes(b)
}

func consumeVarint(wireType protowire.Type, b []byte) (uint64, int) {
	if wireType != protowire.VarintType {
		return 0, malformed
	}
	return protowire.ConsumeVarint(b)
}

// skipValue returns the length of a value of an unknown field. It refuses
// groups, the only values that nest.
func skipValue(wireType protowire.Type, b []byte) int {
	if wireType == protowire.StartGroupType {
		return malformed
	}
	return protowire.ConsumeFieldValue(protowire.MinValidNumber, wireType, b)
}

// newView returns a view of data where the bounds on received filters are
// kept.
func newView(s Scheme, data []byte, hashes, bits uint64) (View, bool) {
	if len(data) > limits.MaxFilterBytes || len(data)%wordBytes != 0 ||
		hashes < 1 || hashes > limits.MaxFilterHashes ||
		bits < 1 || bits > 8*uint64(len(data)) {
		return View{}, false
	}
	return View{data: data, modulus: newModulus(bits), hashes: int(hashes), scheme: s}, true
}
