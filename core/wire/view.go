package wire

import "unsafe"

// view returns b as a string without copying. The string is valid only while
// b is not changed, which [Message] passes on as a rule to its users.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// readOnly returns s as bytes without copying. They must never be written to.
func readOnly(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
