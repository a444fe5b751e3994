//go:build !linux

package verb

import (
	"fmt"
	"syscall"
)

// Elsewhere no subject starts, so that these are never used; they let the package, and with it the
// language and the history, compile.
const (
	sysPkeyAlloc    = 0
	sysPkeyFree     = 0
	sysPkeyMprotect = 0
	sysMmap         = 0
	sysMunmap       = 0
	sysMprotect     = 0
	sysMremap       = 0
	sysMadvise      = 0
	sysMsync        = 0
	sysMlock        = 0
	sysMlock2       = 0
	sysMunlock      = 0
	sysMlockall     = 0
	sysMunlockall   = 0
	sysMincore      = 0
	sysMseal        = 0
	sysBrk          = 0
	sysWait4        = 0
	sysClose        = 0
)

func errnoName(e syscall.Errno) string { return fmt.Sprintf("E%d", int(e)) }
