package verb

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The numbers of the system calls that actions make, on this architecture.
const (
	sysPkeyAlloc    = unix.SYS_PKEY_ALLOC
	sysPkeyFree     = unix.SYS_PKEY_FREE
	sysPkeyMprotect = unix.SYS_PKEY_MPROTECT
	sysMmap         = unix.SYS_MMAP
	sysMunmap       = unix.SYS_MUNMAP
	sysMprotect     = unix.SYS_MPROTECT
	sysMremap       = unix.SYS_MREMAP
	sysMadvise      = unix.SYS_MADVISE
	sysMsync        = unix.SYS_MSYNC
	sysMlock        = unix.SYS_MLOCK
	sysMlock2       = unix.SYS_MLOCK2
	sysMunlock      = unix.SYS_MUNLOCK
	sysMlockall     = unix.SYS_MLOCKALL
	sysMunlockall   = unix.SYS_MUNLOCKALL
	sysMincore      = unix.SYS_MINCORE
	sysMseal        = unix.SYS_MSEAL
	sysBrk          = unix.SYS_BRK
	sysWait4        = unix.SYS_WAIT4
	sysClose        = unix.SYS_CLOSE
)

// errnoName is the name that the man pages use: of two that one number has, x/sys knows the other.
func errnoName(e syscall.Errno) string {
	if e == unix.EOPNOTSUPP {
		return "EOPNOTSUPP"
	}
	if name := unix.ErrnoName(e); name != "" {
		return SameErrno(name)
	}
	return fmt.Sprintf("E%d", int(e))
}
