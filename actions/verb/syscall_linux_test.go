package verb

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The numbers of system calls are those of the kernel's headers, for this architecture.
func TestNumbers(t *testing.T) {
	uffd := []uintptr{unix.SYS_USERFAULTFD, unix.SYS_IOCTL}
	want := map[string][]uintptr{
		"mmap": {unix.SYS_MMAP}, "munmap": {unix.SYS_MUNMAP}, "mprotect": {unix.SYS_MPROTECT}, "mremap": {unix.SYS_MREMAP},
		"madvise": {unix.SYS_MADVISE}, "mbind": {unix.SYS_MBIND}, "move_pages": {unix.SYS_MOVE_PAGES}, "remap_file_pages": {unix.SYS_REMAP_FILE_PAGES}, "process_madvise": {unix.SYS_PIDFD_OPEN, unix.SYS_PROCESS_MADVISE, unix.SYS_CLOSE}, "msync": {unix.SYS_MSYNC}, "mlock": {unix.SYS_MLOCK, unix.SYS_MLOCK2}, "munlock": {unix.SYS_MUNLOCK},
		"mlockall": {unix.SYS_MLOCKALL}, "munlockall": {unix.SYS_MUNLOCKALL}, "mincore": {unix.SYS_MINCORE}, "mseal": {unix.SYS_MSEAL},
		"pkey_alloc": {unix.SYS_PKEY_ALLOC}, "pkey_free": {unix.SYS_PKEY_FREE}, "pkey_mprotect": {unix.SYS_PKEY_MPROTECT},
		"setrlimit": {unix.SYS_SETRLIMIT}, "prctl ksm": {unix.SYS_PRCTL}, "prctl thp": {unix.SYS_PRCTL}, "prctl mdwe": {unix.SYS_PRCTL},
		"brk": {unix.SYS_BRK}, "wait": {unix.SYS_WAIT4},
		"uffd_register": uffd, "uffd_unregister": uffd, "uffd_copy": uffd, "uffd_zeropage": uffd, "uffd_continue": uffd, "uffd_move": uffd, "uffd_poison": uffd, "uffd_wp": uffd, "uffd_unwp": uffd,
	}
	only := map[string][]uint32{
		"setrlimit": {unix.RLIMIT_AS, unix.RLIMIT_DATA, unix.RLIMIT_STACK, unix.RLIMIT_MEMLOCK},
		"prctl ksm": {unix.PR_SET_MEMORY_MERGE}, "prctl thp": {unix.PR_SET_THP_DISABLE}, "prctl mdwe": {unix.PR_SET_MDWE},
		"move_pages": {0},
	}
	for _, a := range All {
		if !slices.Equal(a.Calls, want[a.Name]) {
			t.Errorf("%s makes the system calls %d, want %d", a.Name, a.Calls, want[a.Name])
		}
		if !slices.Equal(a.Only, only[a.Name]) {
			t.Errorf("the first arguments of %s are %d, want %d", a.Name, a.Only, only[a.Name])
		}
	}
	if sysClose != unix.SYS_CLOSE {
		t.Errorf("close is %d, want %d", sysClose, unix.SYS_CLOSE)
	}
}
