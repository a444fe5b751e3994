package kernel

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// KnowsAdvice reports whether madvise knows an advice: over zero bytes it refuses only an unknown
// one. The call is made in this process.
func KnowsAdvice(advice uint64) bool {
	_, _, e := unix.Syscall(unix.SYS_MADVISE, 0, 0, uintptr(advice))
	return e != unix.EINVAL
}

// KnowsProt reports whether mprotect accepts protection bits other than PROT_READ, PROT_WRITE and
// PROT_EXEC (arch_validate_prot). It is tried on a page of this process.
func KnowsProt(bits uint64) bool {
	knows := true
	onPage(unix.PROT_NONE, unix.MAP_PRIVATE, func(page, size uintptr) {
		_, _, e := unix.Syscall(unix.SYS_MPROTECT, page, size, uintptr(bits))
		knows = e != unix.EINVAL
	})
	return knows
}

const mapDroppable = 0x08 // MAP_DROPPABLE, include/uapi/linux/mman.h

// KnowsDroppable reports whether mmap makes droppable memory (MAP_DROPPABLE). It is tried on a page
// of this process.
var KnowsDroppable = sync.OnceValue(func() bool {
	return onPage(unix.PROT_NONE, mapDroppable, func(page, size uintptr) {})
})

// UffdRefusesDroppable reports whether userfaultfd refuses droppable memory (VmFlags dp). It is
// tried on a page of this process; if it cannot be tried, the answer is true.
var UffdRefusesDroppable = sync.OnceValue(func() bool {
	const ( // include/uapi/linux/userfaultfd.h
		userModeOnly, missing = 1, 1
		ioctlAPI              = 0xc018aa3f
		ioctlRegister         = 0xc020aa00
	)
	fd, _, e := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|userModeOnly, 0, 0)
	if e != 0 {
		return true
	}
	defer unix.Close(int(fd))
	api := [3]uint64{0xaa} // struct uffdio_api
	if _, _, e = unix.Syscall(unix.SYS_IOCTL, fd, ioctlAPI, uintptr(unsafe.Pointer(&api))); e != 0 {
		return true
	}
	refuses := true
	onPage(unix.PROT_READ, mapDroppable, func(page, size uintptr) {
		register := [4]uint64{uint64(page), uint64(size), missing} // struct uffdio_register
		_, _, e = unix.Syscall(unix.SYS_IOCTL, fd, ioctlRegister, uintptr(unsafe.Pointer(&register)))
		refuses = e == unix.EINVAL
	})
	return refuses
})

// onPage runs f with a new page of this process, of anonymous memory of that kind; it returns false
// if the kernel refuses the page.
func onPage(prot, kind uintptr, f func(page, size uintptr)) bool {
	size := uintptr(os.Getpagesize())
	page, _, e := unix.Syscall6(unix.SYS_MMAP, 0, size, prot, kind|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if e != 0 {
		return false
	}
	defer func() { _, _, _ = unix.Syscall(unix.SYS_MUNMAP, page, size, 0) }()
	f(page, size)
	return true
}

// KnowsSealExec reports whether F_ADD_SEALS knows F_SEAL_EXEC: for a file that takes no seals it
// returns EINVAL only for an unknown seal. The call is made in this process.
var KnowsSealExec = sync.OnceValue(func() bool {
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_EXEC)
	return err != unix.EINVAL
})

// AdvisesProcesses reports whether process_madvise accepts an advice at all: it checks the advice
// before it finds that there are no bytes. Since Linux 6.13 it accepts every advice for the calling
// process's own memory.
func AdvisesProcesses(advice uint64) bool {
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return true
	}
	defer unix.Close(self)
	_, _, e := unix.Syscall6(unix.SYS_PROCESS_MADVISE, uintptr(self), 0, 0, uintptr(advice), 0, 0)
	return e != unix.EINVAL
}

// KnowsPolicy reports whether mbind knows a policy: over zero bytes it checks nothing else.
func KnowsPolicy(mode uint64) bool {
	_, _, e := unix.Syscall6(unix.SYS_MBIND, 0, 0, uintptr(mode), 0, 0, 0)
	return e != unix.EINVAL
}

// LeavesProtected reports whether mprotect leaves clean pages write-protected although the new
// permissions allow writes. Linux 6.2 is the first version that does not.
var LeavesProtected = sync.OnceValue(func() bool { return olderThan(6, 2) })

// MovesPages reports whether userfaultfd knows UFFDIO_MOVE, and ContinuesProtected whether its
// UFFDIO_CONTINUE knows UFFDIO_CONTINUE_MODE_WP. Linux 6.8 and 6.4 brought them, and 6.6
// UFFDIO_POISON.
var (
	PoisonsPages       = sync.OnceValue(func() bool { return !olderThan(6, 6) })
	MovesPages         = sync.OnceValue(func() bool { return !olderThan(6, 8) })
	ContinuesProtected = sync.OnceValue(func() bool { return !olderThan(6, 4) })
)

// Poison is the outcome of an access to a poisoned page. Only a kernel with CONFIG_MEMORY_FAILURE
// has the setting, and a signal of its own.
var Poison = sync.OnceValue(func() vmspace.Happening {
	if _, err := os.Stat("/proc/sys/vm/memory_failure_recovery"); err == nil {
		return vmspace.MceErr
	}
	return vmspace.BusErr
})

// CollapsesWritable reports whether MADV_COLLAPSE wants a writable page in each block of private
// anonymous memory. Linux 6.18 is the first version that does not.
var CollapsesWritable = sync.OnceValue(func() bool { return olderThan(6, 18) })

// Release is the system and its release, as uname(2) says them: Linux 6.12.48 x86_64.
func Release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "an unknown kernel"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

// olderThan reports whether this kernel is older than a version of Linux; also if its release names
// no version.
func olderThan(major, minor int) bool {
	var u unix.Utsname
	var have [2]int
	if unix.Uname(&u) != nil {
		return true
	}
	n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &have[0], &have[1])
	return n < 2 || have[0] < major || have[0] == major && have[1] < minor
}

// UserTop is the end of the user address space (TASK_SIZE), 0 if it cannot be found. No file
// contains it. It is found by mapping single pages with MAP_FIXED_NOREPLACE: below the end the
// kernel maps them, or answers that the address is taken.
var UserTop = sync.OnceValue(func() uint64 {
	ps := uint64(os.Getpagesize())
	fits := func(page uint64) bool {
		at := uintptr(page * ps)
		_, _, e := unix.Syscall6(unix.SYS_MMAP, at, uintptr(ps), unix.PROT_NONE,
			unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE|unix.MAP_FIXED_NOREPLACE, ^uintptr(0), 0)
		if e == 0 {
			_, _, _ = unix.Syscall(unix.SYS_MUNMAP, at, uintptr(ps), 0)
		}
		return e == 0 || e == unix.EEXIST
	}
	lo, hi := uint64(1)<<32/ps, uint64(1)<<63/ps
	if !fits(lo) || fits(hi) {
		return 0
	}
	for hi-lo > 1 {
		if mid := lo + (hi-lo)/2; fits(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi * ps
})

// MapWindow is the end of the addresses that mmap chooses by itself, unless its hint lies beyond:
// programs may use the high bits of shorter addresses. It is 0 if it cannot be found. It is
// DEFAULT_MAP_WINDOW of arch/x86/include/asm/page_64_types.h and of
// arch/arm64/include/asm/processor.h; on arm64 with pages of 16 KiB and addresses of 52 bits it is
// lower (VA_BITS_MIN of asm/memory.h).
func MapWindow() uint64 {
	const amd64, arm64 = 1<<47 - 4096, 1 << 48
	switch {
	case runtime.GOARCH != "arm64":
		return min(UserTop(), amd64)
	case UserTop() > arm64 && os.Getpagesize() == 16<<10:
		return arm64 / 2
	}
	return min(UserTop(), arm64)
}

// ComparesRounded reports whether mremap compares the old and the new size after rounding them up
// to whole pages, as kernels do since mm/mremap.c was rewritten in Linux 6.17. It is tried on a
// page of this process.
var ComparesRounded = sync.OnceValue(func() bool {
	rounded := true
	onPage(unix.PROT_NONE, unix.MAP_PRIVATE, func(page, size uintptr) {
		moved, _, e := unix.Syscall6(unix.SYS_MREMAP, page, size, size-1, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP, 0, 0)
		if rounded = e == 0; rounded {
			_, _, _ = unix.Syscall(unix.SYS_MUNMAP, moved, size, 0)
		}
	})
	return rounded
})

// ExecOnly is the outcome of a load from memory with PROT_EXEC alone. It is tried on a page of this
// process: the kernel reads a path from it with the rights of this thread.
var ExecOnly = sync.OnceValue(func() vmspace.Happening {
	runtime.LockOSThread() // the rights to a protection key belong to the thread
	defer runtime.UnlockOSThread()
	var comes vmspace.Happening
	onPage(unix.PROT_EXEC, unix.MAP_PRIVATE, func(page, _ uintptr) {
		cwd := unix.AT_FDCWD
		switch _, _, e := unix.Syscall6(unix.SYS_FACCESSAT, uintptr(cwd), page, unix.F_OK, 0, 0, 0); {
		case e == unix.ENOENT: // the empty path was read
			comes = vmspace.NoFault
		case e == unix.EFAULT && runtime.GOARCH == "amd64":
			comes = vmspace.PkuErr
		case e == unix.EFAULT:
			comes = vmspace.AccErr
		}
	})
	return comes
})

// SameFile reports whether a file is the one that m maps.
func SameFile(info os.FileInfo, m vmspace.Mapping) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Ino == m.Inode && unix.Major(uint64(s.Dev)) == m.Major && unix.Minor(uint64(s.Dev)) == m.Minor
}

// fullOfMemory reports whether the file with that path is in a tmpfs of limited size without a free
// page.
func fullOfMemory(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && int64(fs.Type) == unix.TMPFS_MAGIC && fs.Blocks > 0 && fs.Bfree == 0
}

// LimitsOf returns the resource limits of a process.
func LimitsOf(pid int) vmspace.Limits {
	var stack, space, locked unix.Rlimit
	for resource, l := range map[int]*unix.Rlimit{unix.RLIMIT_STACK: &stack, unix.RLIMIT_AS: &space, unix.RLIMIT_MEMLOCK: &locked} {
		if unix.Prlimit(pid, resource, nil, l) != nil {
			return vmspace.Limits{}
		}
	}
	if s := (Settings{PID: pid}); s.May(CapIPCLock) {
		locked.Cur = vmspace.Unlimited
	}
	return vmspace.Limits{Known: true, Stack: stack.Cur, Space: space.Cur, Locked: locked.Cur}
}
