package kernel

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// KnowsAdvice asks this process's own kernel: over no bytes, madvise refuses an advice only when it
// does not know it.
func KnowsAdvice(advice uint64) bool {
	_, _, e := unix.Syscall(unix.SYS_MADVISE, 0, 0, uintptr(advice))
	return e != unix.EINVAL
}

// LeavesProtected says whether mprotect on this kernel leaves clean pages write-protected though the new
// letters let them be written. Linux 6.2 was the first that does not.
var LeavesProtected = sync.OnceValue(func() bool {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return true
	}
	n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return n < 2 || major < 6 || major == 6 && minor < 2
})

// UserTop is the end of the addresses that a process can have (TASK_SIZE), 0 where it cannot be
// told. No file says it. It is found by asking for single pages that nothing may replace: below the
// end the kernel gives them, or says that they are taken.
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

// MapWindow is the end of the addresses in which the kernel looks for room unless it is asked for
// one that lies beyond: programs May use the high bits of shorter addresses for themselves. 0 where
// it cannot be told. It is DEFAULT_MAP_WINDOW of arch/x86/include/asm/page_64_types.h and of
// arch/arm64/include/asm/processor.h; on arm64 pages of 16 KiB with addresses of 52 bits have it
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

// ComparesRounded says whether mremap compares an old and a new size after it has rounded them up
// to whole pages, as kernels do since mm/mremap.c was written anew in Linux 6.17. It is tried on a
// page of this process.
var ComparesRounded = sync.OnceValue(func() bool {
	size := uintptr(os.Getpagesize())
	page, _, e := unix.Syscall6(unix.SYS_MMAP, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if e != 0 {
		return true
	}
	defer func() { _, _, _ = unix.Syscall(unix.SYS_MUNMAP, page, size, 0) }()
	moved, _, e := unix.Syscall6(unix.SYS_MREMAP, page, size, size-1, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP, 0, 0)
	if e != 0 {
		return false
	}
	_, _, _ = unix.Syscall(unix.SYS_MUNMAP, moved, size, 0)
	return true
})

// ExecOnly is what a load from memory with PROT_EXEC alone leads to here. It is tried on a page of
// this process: the kernel reads a path from it with the rights of this thread.
var ExecOnly = sync.OnceValue(func() vmspace.Happening {
	runtime.LockOSThread() // a protection key's rights are the thread's own
	defer runtime.UnlockOSThread()
	size := uintptr(os.Getpagesize())
	page, _, e := unix.Syscall6(unix.SYS_MMAP, 0, size, unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if e != 0 {
		return ""
	}
	defer func() { _, _, _ = unix.Syscall(unix.SYS_MUNMAP, page, size, 0) }()
	cwd := unix.AT_FDCWD
	switch _, _, e = unix.Syscall6(unix.SYS_FACCESSAT, uintptr(cwd), page, unix.F_OK, 0, 0, 0); {
	case e == unix.ENOENT: // the empty path was read
		return vmspace.NoFault
	case e != unix.EFAULT:
		return ""
	case runtime.GOARCH == "amd64":
		return vmspace.PkuErr
	}
	return vmspace.AccErr
})

// SameFile says whether a file is the one that m maps.
func SameFile(info os.FileInfo, m vmspace.Mapping) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Ino == m.Inode && unix.Major(uint64(s.Dev)) == m.Major && unix.Minor(uint64(s.Dev)) == m.Minor
}

// StackLimit is RLIMIT_STACK of a process in bytes, 0 where it cannot be read.
func StackLimit(pid int) uint64 {
	var l unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_STACK, nil, &l) != nil {
		return 0
	}
	return l.Cur
}
