package wire

import (
	"errors"
	"fmt"
)

// What [Decode] returns wraps one of these two and says what is wrong.
var (
	// ErrMalformed means that the payload is not an SDS message.
	ErrMalformed = errors.New("not an SDS message")
	// ErrTooLarge means that the payload, or a part of it, is over a limit.
	ErrTooLarge = errors.New("message over a limit")
)

// The errors of payloads that are not even protobuf are made once: such
// payloads are an everyday sight, and refusing them should cost nothing.
var (
	errEmptyPayload = malformed("the payload is empty")
	errTruncated    = malformed("it ends within a field")
	errVarint       = malformed("a varint overflows 64 bits")
	errOverlong     = malformed("a varint has needless bytes")
	errFieldNumber  = malformed("a field number is out of range")
	errWireType     = malformed("a wire type is a group's or not defined")
	errLamportRange = malformed("the lamport timestamp is beyond the range of int64")
	errNoSubstance  = malformed("it has neither a lamport timestamp nor content")
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

func malformedField(what, problem string) error {
	return fmt.Errorf("%w: the %s %s", ErrMalformed, what, problem)
}

func tooLarge(what string, limit int) error {
	return fmt.Errorf("%w: %s (at most %d)", ErrTooLarge, what, limit)
}
