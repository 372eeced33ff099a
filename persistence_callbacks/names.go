package callbacks

import "strings"

// An id is UTF-8 and may hold a NUL, which ends a C string. It crosses as the
// two bytes below, which no UTF-8 has, so that different ids stay different.
const (
	nul     = "\x00"
	nulName = "\xc0\x80"
)

// nameLen is the length of what appendName appends.
func nameLen(id string) int { return len(id) + strings.Count(id, nul)*(len(nulName)-len(nul)) }

// appendName appends an id as C has it, without the NUL at its end.
func appendName(dst []byte, id string) []byte {
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

// idOf is the id of a name.
func idOf(name string) string { return strings.ReplaceAll(name, nulName, nul) }
