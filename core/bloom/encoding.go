package bloom

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of a filter in the sds-* dialects. lip-109 has the data alone.
const (
	fieldData      protowire.Number = 1
	fieldCapacity  protowire.Number = 2
	fieldErrorRate protowire.Number = 3 // in units of 1 / errorRateUnit
	fieldHashes    protowire.Number = 4
	fieldBits      protowire.Number = 5
)

const errorRateUnit = 1_000_000

// dataLen returns how many bytes the words of a filter take.
func (p parameters) dataLen() int { return wordBytes * p.words() }

// errorRateField returns the error rate as its field holds it. The peers cut
// off what is below the unit, and so do we.
func (p parameters) errorRateField() uint64 { return uint64(p.errorRate * errorRateUnit) }

// sdsLen returns how many bytes appendSDS appends.
func (p parameters) sdsLen() int {
	return protowire.SizeTag(fieldData) + protowire.SizeBytes(p.dataLen()) +
		protowire.SizeTag(fieldCapacity) + protowire.SizeVarint(uint64(p.capacity)) +
		protowire.SizeTag(fieldErrorRate) + protowire.SizeVarint(p.errorRateField()) +
		protowire.SizeTag(fieldHashes) + protowire.SizeVarint(uint64(p.hashes)) +
		protowire.SizeTag(fieldBits) + protowire.SizeVarint(uint64(p.bits))
}

// appendSDS appends a filter as the sds-* dialects have it. Every field is
// written, zeros too. No words at all stand for a filter with no bit set.
func (p parameters) appendSDS(dst []byte, words []uint64) []byte {
	dst = slices.Grow(dst, p.sdsLen())
	dst = protowire.AppendTag(dst, fieldData, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(p.dataLen()))
	if words == nil {
		dst = p.appendClear(dst)
	} else {
		dst = appendLittleEndian(dst, words)
	}
	dst = appendVarintField(dst, fieldCapacity, uint64(p.capacity))
	dst = appendVarintField(dst, fieldErrorRate, p.errorRateField())
	dst = appendVarintField(dst, fieldHashes, uint64(p.hashes))
	return appendVarintField(dst, fieldBits, uint64(p.bits))
}

// appendLIP appends a filter as lip-109 has it: dataLen bytes. No words at all
// stand for a filter with no bit set.
func (p parameters) appendLIP(dst []byte, words []uint64) []byte {
	if words == nil {
		return p.appendClear(dst)
	}
	return appendBigEndian(dst, words)
}

// appendClear appends the data of a filter with no bit set.
func (p parameters) appendClear(dst []byte) []byte {
	start, end := len(dst), len(dst)+p.dataLen()
	dst = slices.Grow(dst, end-start)[:end]
	clear(dst[start:])
	return dst
}

func appendVarintField(dst []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.VarintType), value)
}
