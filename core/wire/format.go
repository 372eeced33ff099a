package wire

import "google.golang.org/protobuf/encoding/protowire"

// A Format is one of the wire formats in the field. The zero Format is none.
type Format uint8

const (
	// SDS02 is spoken by nim-sds up to 0.2.x: bare ids in the history, no
	// senders, hints or repair requests.
	SDS02 Format = iota + 1
	// SDS03 is spoken by nim-sds 0.3.0 to mid-2026: entries in the history.
	SDS03
	// SDS04 is spoken by nim-sds 0.3.3 and 0.4: bare ids, with what else is
	// known of them beside.
	SDS04
	// LIP109 is the format of the specification, spoken by @waku/sds.
	LIP109
)

var formatNames = [...]string{SDS02: "sds-0.2", SDS03: "sds-0.3", SDS04: "sds-0.4", LIP109: "lip-109"}

// ParseFormat returns the format that a configuration calls name: "sds-0.2",
// "sds-0.3", "sds-0.4" or "lip-109".
func ParseFormat(name string) (Format, bool) {
	for f := SDS02; f <= LIP109; f++ {
		if formatNames[f] == name {
			return f, true
		}
	}
	return 0, false
}

// String returns the name that [ParseFormat] takes, or "unknown".
func (f Format) String() string {
	if f < SDS02 || f > LIP109 {
		return "unknown"
	}
	return formatNames[f]
}

// filterField is the number of the field that holds the bloom filter.
func (f Format) filterField() protowire.Number {
	if f == LIP109 {
		return lipFilter
	}
	return sdsFilter
}

// writesEmptyFields reports whether the format's writers emit the fields that
// every message has even when they are empty.
func (f Format) writesEmptyFields() bool { return f == SDS02 || f == SDS03 }
