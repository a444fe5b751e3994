package feature

import (
	"fmt"
	"runtime"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: a probe makes the call on memory that it borrows, and looks at what came of
// it. Only where the call could not be undone, or depends on more than the kernel, is the kernel
// asked without doing it.

func softDirty(*machine) string {
	return borrowPage(func(a area) string {
		return a.shows(vmspace.WordSoftDirty, "bit 55 stays 0 after a write: the kernel was built without CONFIG_MEM_SOFT_DIRTY")
	})
}

func guard(*machine) string {
	return borrowPage(func(a area) string {
		if err := a.advise(unix.MADV_GUARD_INSTALL); err != nil {
			return answers("madvise(MADV_GUARD_INSTALL)", err)
		}
		if _, ok := load(a.at); ok {
			return "a guarded page can still be read"
		}
		return ""
	})
}

func guardBit(*machine) string {
	return borrowPage(func(a area) string {
		if err := a.advise(unix.MADV_GUARD_INSTALL); err != nil {
			return "there are no guard pages: " + answers("madvise(MADV_GUARD_INSTALL)", err)
		}
		return a.shows(vmspace.WordGuard, "bit 58 is 0 for a guard page, which looks like one that is swapped out")
	})
}

func lazyfree(*machine) string {
	return borrowPage(func(a area) string {
		if err := a.advise(unix.MADV_FREE); err != nil {
			return answers("madvise(MADV_FREE)", err)
		}
		return ""
	})
}

func populateAdvice(*machine) string {
	return borrow(pageSize, rw, anon, func(a area) string {
		for _, c := range []struct {
			name   string
			advice int
		}{{"READ", unix.MADV_POPULATE_READ}, {"WRITE", unix.MADV_POPULATE_WRITE}} {
			if err := a.advise(c.advice); err != nil {
				return answers("madvise(MADV_POPULATE_"+c.name+")", err)
			}
		}
		return a.shows(vmspace.WordPresent, "the page is not there afterwards")
	})
}

func fixedNoreplace(*machine) string {
	return borrowPage(func(a area) string {
		at, err := unix.MmapPtr(-1, 0, a.at, a.size, unix.PROT_NONE, anon|unix.MAP_FIXED_NOREPLACE)
		switch err {
		case unix.EEXIST:
			return ""
		case nil: // the flag is not known, the address only a hint: see mmap(2)
			unix.MunmapPtr(at, a.size)
			return "mmap maps elsewhere where it should answer EEXIST"
		}
		return answers("mmap(MAP_FIXED_NOREPLACE)", err)
	})
}

func map32bit(*machine) string {
	const flag, limit = 0x40, 1 << 31 // arch/x86/include/uapi/asm/mman.h
	if runtime.GOARCH != "amd64" {
		return "only x86-64 has it: this is " + runtime.GOARCH
	}
	return borrow(pageSize, rw, anon|flag, func(a area) string {
		if uint64(a.addr()+a.size) > limit {
			return fmt.Sprintf("mmap gives %#x", a.addr())
		}
		return ""
	})
}

func dontunmap(*machine) string {
	return borrowPage(func(a area) string {
		at, err := unix.MremapPtr(a.at, a.size, nil, a.size, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP)
		if err != nil {
			return answers("mremap(MREMAP_DONTUNMAP)", err)
		}
		defer unix.MunmapPtr(at, a.size)
		if was, _ := load(a.at); at == a.at || was != 0 || *(*byte)(at) != 1 {
			return "the page did not move"
		}
		return ""
	})
}

// sealable asks with a flag that no kernel has: a seal would never go away. Who knows the call
// looks at the flags first (mm/mseal.c, do_mseal), and only then at the range, which is empty here.
func sealable(*machine) string {
	_, _, errno := unix.Syscall(unix.SYS_MSEAL, 0, 0, ^uintptr(0))
	if errno == unix.EINVAL {
		return ""
	}
	return answers("mseal", errno)
}

// knows asks whether the kernel knows an advice, without giving it. madvise looks at the advice
// before it finds that the range is empty (mm/madvise.c, madvise_behavior_valid).
func knows(advice uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, 0, 0, advice); errno != 0 {
		return errno
	}
	return nil
}

// collapse only asks: whether a huge page can be made just now depends on how memory is cut up.
func collapse(*machine) string {
	if err := knows(unix.MADV_COLLAPSE); err != nil {
		return answers("madvise(MADV_COLLAPSE)", err)
	}
	return ""
}

func lockable(*machine) string {
	return borrow(16*pageSize, rw, anon, func(a area) string {
		if err := unix.Mlock(a.bytes()); err != nil {
			return answers("mlock", err) + memlockLimit()
		}
		return ""
	})
}

func lockableOnFault(*machine) string {
	const onFault = 1 // MLOCK_ONFAULT, include/uapi/asm-generic/mman-common.h
	return borrow(pageSize, rw, anon, func(a area) string {
		_, _, errno := unix.Syscall(unix.SYS_MLOCK2, a.addr(), a.size, onFault)
		if errno == 0 {
			return ""
		}
		why := answers("mlock2", errno)
		if errno == unix.ENOMEM || errno == unix.EPERM {
			why += memlockLimit()
		}
		return why
	})
}

// memlockLimit is how much a process without CAP_IPC_LOCK may lock.
func memlockLimit() string {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r) != nil {
		return ""
	}
	return fmt.Sprintf(": RLIMIT_MEMLOCK is %d bytes; raise it with ulimit -l, or run as root", r.Cur)
}

// protectionKeys takes a key and gives it back, and looks at what memory with PROT_EXEC alone
// allows.
func protectionKeys(*machine) string {
	if runtime.GOARCH != "amd64" {
		return "cowscope knows those of x86-64 only: this is " + runtime.GOARCH
	}
	runtime.LockOSThread() // the rights that go with a key are the thread's
	defer runtime.UnlockOSThread()
	const disableAccess = 1 // PKEY_DISABLE_ACCESS: what a thread begins with
	key, _, errno := unix.Syscall(unix.SYS_PKEY_ALLOC, 0, disableAccess, 0)
	if errno != 0 {
		return answers("pkey_alloc", errno) + ": the processor has no protection keys, or the kernel does not use them"
	}
	if _, _, errno := unix.Syscall(unix.SYS_PKEY_FREE, key, 0, 0); errno != 0 {
		return answers("pkey_free", errno)
	}
	return executeOnly()
}

// executeOnly reads memory that may only be executed. x86 without protection keys cannot forbid
// that (arch/x86/mm/pkeys.c). With them the kernel sets one key aside for the process for good, as
// it does for every program that maps such memory.
func executeOnly() string {
	return borrow(pageSize, unix.PROT_EXEC, anon, func(a area) string {
		if _, ok := load(a.at); ok {
			return "memory with PROT_EXEC alone can be read: the CPU has no protection keys, or the kernel does not use them"
		}
		return ""
	})
}
