package text

import (
	"encoding/base64"

	"github.com/libsds/libsds/core"
)

const hexDigits = "0123456789abcdef"

// appendString appends s, which is UTF-8, as a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // where the part of s begins that was not appended yet
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, `\u00`...)
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[plain:]...)
	return append(dst, '"')
}

// stringBound is the most bytes that appendString appends.
func stringBound(s string) int { return 6*len(s) + 2 }

// appendBase64 appends bytes as a JSON string, in stretches for the same
// reason as decimal numbers. Whole groups of three bytes need no padding.
func appendBase64(dst, bytes []byte) []byte {
	dst = append(dst, '"')
	for len(bytes) > 3*stretch {
		dst = base64.StdEncoding.AppendEncode(dst, bytes[:3*stretch])
		bytes = bytes[3*stretch:]
	}
	dst = base64.StdEncoding.AppendEncode(dst, bytes)
	return append(dst, '"')
}

func appendDependencies(dst []byte, dependencies []core.Dependency) []byte {
	dst = append(dst, '[')
	for i := range dependencies {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"messageId":`...)
		dst = appendString(dst, dependencies[i].ID)
		dst = append(dst, `,"retrievalHint":`...)
		dst = appendBase64(dst, dependencies[i].Hint)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// dependenciesBound is the most bytes that appendDependencies appends.
func dependenciesBound(dependencies []core.Dependency) int {
	const punctuation = len(`{"messageId":,"retrievalHint":""},`)
	bound := len(`[]`)
	for i := range dependencies {
		bound += punctuation + stringBound(dependencies[i].ID) + base64.StdEncoding.EncodedLen(len(dependencies[i].Hint))
	}
	return bound
}
