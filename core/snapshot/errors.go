package snapshot

import (
	"errors"
	"fmt"
)

// What the Decode functions return wraps one of these two and says what is
// wrong, and where.
var (
	// ErrMalformed means that the blob is damaged, or something else.
	ErrMalformed = errors.New("malformed snapshot")
	// ErrSchemaVersion means that the blob's writer speaks a version of the
	// schema that this library does not read.
	ErrSchemaVersion = errors.New("unknown schema version of a snapshot")
)

func malformed(problem string) error { return fmt.Errorf("%w: %s", ErrMalformed, problem) }
