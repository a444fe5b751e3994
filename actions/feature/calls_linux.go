package feature

import (
	"fmt"
	"runtime"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: a probe makes the call on memory that it borrows, and checks the effect. Only
// if the call could not be undone, or depends on more than the kernel, the probe finds out whether
// the kernel knows the call without making it.

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
		case nil: // the flag is unknown, and the address was only a hint: see mmap(2)
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

func bindable(*machine) string {
	return borrowPage(func(a area) string {
		// MPOL_BIND, include/uapi/linux/mempolicy.h, and node 0, which every machine has.
		const bind, node = 2, 1
		nodes := uint64(node)
		if _, _, errno := unix.Syscall6(unix.SYS_MBIND, a.addr(), a.size, bind, uintptr(unsafe.Pointer(&nodes)), 64, 0); errno != 0 {
			return answers("mbind", errno)
		}
		return ""
	})
}

// movable asks on which node a page is.
func movable(*machine) string {
	return borrowPage(func(a area) string {
		page, status := a.addr(), int32(-1)
		if _, _, errno := unix.Syscall6(unix.SYS_MOVE_PAGES, 0, 1, uintptr(unsafe.Pointer(&page)), 0, uintptr(unsafe.Pointer(&status)), 0); errno != 0 {
			return answers("move_pages", errno)
		}
		if status < 0 {
			return answers("move_pages, for a page that is there,", unix.Errno(-status))
		}
		return ""
	})
}

// droppable maps droppable memory.
func droppable(*machine) string {
	const flag = 0x08 // MAP_DROPPABLE, include/uapi/linux/mman.h
	return borrow(pageSize, rw, unix.MAP_ANONYMOUS|flag, func(area) string { return "" })
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

// moveMany moves two mappings with different permissions onto borrowed memory. MREMAP_DONTUNMAP
// leaves no hole in which another thread could map something.
func moveMany(*machine) string {
	return borrow(2*pageSize, rw, anon, func(a area) string {
		if err := unix.Mprotect(a.bytes()[pageSize:], unix.PROT_READ); err != nil {
			return answers("mprotect", err)
		}
		return borrow(2*pageSize, unix.PROT_NONE, anon, func(to area) string {
			if _, err := unix.MremapPtr(a.at, a.size, to.at, a.size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED|unix.MREMAP_DONTUNMAP); err != nil {
				return answers("mremap of two mappings", err)
			}
			return ""
		})
	})
}

// mergeTouched gives a touched page the permissions of the untouched one behind it, and finds out
// whether the two are one mapping now: mremap returns EFAULT if the range to grow is not one
// mapping (mm/mremap.c, vma_to_resize and check_prep_vma), and ENOMEM if another mapping is in the
// way, as here. The memory is mapped without swap reservation, because with one only the touched
// page would keep it (mm/mprotect.c, mprotect_fixup), which is a difference between the two. It is
// read-only at first: a writable mapping would be merged with touched memory beside it, if there is
// any.
func mergeTouched(*machine) string {
	return borrow(3*pageSize, unix.PROT_READ, anon|unix.MAP_NORESERVE, func(a area) string {
		page := func(n uintptr) []byte { return a.bytes()[n*pageSize:][:pageSize] }
		for _, err := range []error{unix.Mprotect(a.bytes(), rw), unix.Mprotect(page(1), unix.PROT_READ), unix.Mprotect(page(2), unix.PROT_NONE)} {
			if err != nil {
				return answers("mprotect", err)
			}
		}
		page(0)[0] = 1
		if err := unix.Mprotect(page(0), unix.PROT_READ); err != nil {
			return answers("mprotect", err)
		}
		if _, err := unix.MremapPtr(a.at, 2*pageSize, nil, 3*pageSize, 0); err == unix.EFAULT {
			return "they stay two mappings"
		}
		return ""
	})
}

// sealable calls mseal with a flag that no kernel knows, because a seal is permanent. A kernel with
// the call checks the flags first (mm/mseal.c, do_mseal), and only then the range, which is empty
// here.
func sealable(*machine) string {
	_, _, errno := unix.Syscall(unix.SYS_MSEAL, 0, 0, ^uintptr(0))
	if errno == unix.EINVAL {
		return ""
	}
	return answers("mseal", errno)
}

// knows finds out whether the kernel knows an advice, without giving it. madvise checks the advice
// before it finds that the range is empty (mm/madvise.c, madvise_behavior_valid).
func knows(advice uintptr) error {
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, 0, 0, advice); errno != 0 {
		return errno
	}
	return nil
}

// collapse finds out whether the advice is known, without giving it: whether it succeeds depends on
// how fragmented memory is.
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

// memlockLimit is how many bytes a process without CAP_IPC_LOCK may lock.
func memlockLimit() string {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r) != nil {
		return ""
	}
	return fmt.Sprintf(": RLIMIT_MEMLOCK is %d bytes; raise it with ulimit -l, or run as root", r.Cur)
}

// memfd creates a file in memory and seals it.
func memfd(*machine) string {
	_, why := sealedMemfd(unix.F_SEAL_WRITE, "F_SEAL_WRITE")
	return why
}

// sealExec finds the seals that the kernel adds together with F_SEAL_EXEC to an executable memfd.
func sealExec(*machine) string {
	has, why := sealedMemfd(unix.F_SEAL_EXEC, "F_SEAL_EXEC")
	if why == "" && has&unix.F_SEAL_WRITE == 0 {
		why = "memfds may not be executed here: vm.memfd_noexec is not 0"
	}
	return why
}

// sealedMemfd adds a seal to a memfd, and returns the seals that it has then.
func sealedMemfd(seal int, name string) (has int, why string) {
	fd, err := unix.MemfdCreate("cowscope", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return 0, answers("memfd_create", err)
	}
	defer unix.Close(fd)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seal); err != nil {
		return 0, answers("F_ADD_SEALS("+name+")", err)
	}
	if has, err = unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil {
		return 0, answers("F_GET_SEALS", err)
	}
	return has, ""
}

// protectionKeys allocates a key and frees it, and checks what memory with PROT_EXEC alone allows.
func protectionKeys(*machine) string {
	if runtime.GOARCH != "amd64" {
		return "cowscope knows those of x86-64 only: this is " + runtime.GOARCH
	}
	runtime.LockOSThread() // the rights to a key belong to the thread
	defer runtime.UnlockOSThread()
	const disableAccess = 1 // PKEY_DISABLE_ACCESS, the initial right of a thread
	key, _, errno := unix.Syscall(unix.SYS_PKEY_ALLOC, 0, disableAccess, 0)
	if errno != 0 {
		return answers("pkey_alloc", errno) + ": the processor has no protection keys, or the kernel does not use them"
	}
	if _, _, errno := unix.Syscall(unix.SYS_PKEY_FREE, key, 0, 0); errno != 0 {
		return answers("pkey_free", errno)
	}
	return executeOnly()
}

// executeOnly reads execute-only memory. x86 without protection keys cannot forbid that
// (arch/x86/mm/pkeys.c). With keys the kernel reserves one for the process for good, as for every
// program that maps such memory.
func executeOnly() string {
	return borrow(pageSize, unix.PROT_EXEC, anon, func(a area) string {
		if _, ok := load(a.at); ok {
			return "memory with PROT_EXEC alone can be read: the CPU has no protection keys, or the kernel does not use them"
		}
		return ""
	})
}
