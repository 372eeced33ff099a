//go:build windows || plan9 || solaris || aix

package store

import "os"

// unlock has nothing to do: closing the file releases its locks.
func unlock(*os.File) {}
