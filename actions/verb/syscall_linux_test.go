package verb

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The numbers of system calls are those of the kernel's headers, for this architecture.
func TestNumbers(t *testing.T) {
	want := map[string][]uintptr{
		"mmap": {unix.SYS_MMAP}, "munmap": {unix.SYS_MUNMAP}, "mprotect": {unix.SYS_MPROTECT}, "mremap": {unix.SYS_MREMAP},
		"madvise": {unix.SYS_MADVISE}, "msync": {unix.SYS_MSYNC}, "mlock": {unix.SYS_MLOCK, unix.SYS_MLOCK2}, "munlock": {unix.SYS_MUNLOCK},
		"mlockall": {unix.SYS_MLOCKALL}, "munlockall": {unix.SYS_MUNLOCKALL}, "mincore": {unix.SYS_MINCORE}, "mseal": {unix.SYS_MSEAL},
		"pkey_alloc": {unix.SYS_PKEY_ALLOC}, "pkey_free": {unix.SYS_PKEY_FREE}, "pkey_mprotect": {unix.SYS_PKEY_MPROTECT},
		"brk": {unix.SYS_BRK}, "wait": {unix.SYS_WAIT4},
	}
	for _, a := range All {
		if !slices.Equal(a.Calls, want[a.Name]) {
			t.Errorf("%s makes the system calls %d, want %d", a.Name, a.Calls, want[a.Name])
		}
	}
	if sysClose != unix.SYS_CLOSE {
		t.Errorf("close is %d, want %d", sysClose, unix.SYS_CLOSE)
	}
}
