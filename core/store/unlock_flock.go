//go:build !windows && !plan9 && !solaris && !aix

package store

import (
	"os"
	"syscall"
)

// unlock releases what bbolt locked the file with. Closing it does not while it
// is mapped.
func unlock(file *os.File) { _ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }
