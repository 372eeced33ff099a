// Package cblock lays out ids and bytes of Go as C reads them, side by side in a
// block of C memory: what a host is given in one piece.
package cblock

import "strings"

// An id is UTF-8 and may hold a NUL, which ends a C string. It crosses as the
// two bytes below, which no UTF-8 has, so that different ids stay different.
const (
	nul     = "\x00"
	nulName = "\xc0\x80"
)

// NameLen is the length of what AppendName appends.
func NameLen(id string) int { return len(id) + strings.Count(id, nul)*(len(nulName)-len(nul)) }

// AppendName appends an id as C has it, without the NUL at its end.
func AppendName(dst []byte, id string) []byte {
	for {
		before, after, found := strings.Cut(id, nul)
		dst = append(dst, before...)
		if !found {
			return dst
		}
		dst = append(dst, nulName...)
		id = after
	}
}

// ID is the id of a name.
func ID(name string) string { return strings.ReplaceAll(name, nulName, nul) }
