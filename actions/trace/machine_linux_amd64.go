package trace

import (
	"syscall"

	"cowscope/actions/ptrace"
	"cowscope/vmspace/symbol"

	"golang.org/x/sys/unix"
)

// starterCode is the starter (see starter_linux.go).
var starterCode = []byte{
	0xb8, 39, 0, 0, 0, 0x0f, 0x05, // getpid
	0x89, 0xc7, // mov edi, eax
	0xbe, 19, 0, 0, 0, 0xb8, 62, 0, 0, 0, 0x0f, 0x05, // kill(pid, SIGSTOP)
	0xbf, 1, 0, 0, 0, 0x31, 0xf6, 0xb8, 157, 0, 0, 0, 0x0f, 0x05, // prctl(PR_SET_PDEATHSIG, 0)
	0xb8, 0x3d, 0x01, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe, 4, 0, 0, 0, 0xba, 0x00, 0x04, 0x40, 0, 0x0f, 0x05, // seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, fprog)
	0x85, 0xc0, 0x74, 51, // done: jz
	0xbf, 38, 0, 0, 0, 0xbe, 1, 0, 0, 0, 0x31, 0xd2, 0x45, 0x31, 0xd2, 0x45, 0x31, 0xc0, 0xb8, 157, 0, 0, 0, 0x0f, 0x05, // prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	0xb8, 0x3d, 0x01, 0, 0, 0xbf, 1, 0, 0, 0, 0xbe, 4, 0, 0, 0, 0xba, 0x00, 0x04, 0x40, 0, 0x0f, 0x05, // seccomp again
	0x85, 0xc0, 0x75, 25, // failed: jnz to the end
	0x48, 0x8b, 0x7c, 0x24, 0x08, // mov rdi, [rsp+8]
	0x48, 0x8d, 0x74, 0x24, 0x10, // lea rsi, [rsp+16]
	0x48, 0x8b, 0x04, 0x24, // mov rax, [rsp]
	0x48, 0x8d, 0x14, 0xc6, // lea rdx, [rsi+rax*8]
	0xb8, 59, 0, 0, 0, 0x0f, 0x05, // execve
	0x89, 0xc7, 0xf7, 0xdf, 0xb8, 231, 0, 0, 0, 0x0f, 0x05, // exit_group(errno)
}

const native = unix.AUDIT_ARCH_X86_64

var tables = []table{
	{native, append([]uint32{unix.SYS_FORK, unix.SYS_VFORK}, calls...)},
	{unix.AUDIT_ARCH_I386, []uint32{
		// arch/x86/entry/syscalls/syscall_32.tbl: mmap, mmap2, munmap, mprotect, mremap, madvise, brk, msync,
		90, 192, 91, 125, 163, 219, 45, 144,
		// mlock, mlock2, munlock, mlockall, munlockall, mincore,
		150, 376, 151, 152, 153, 218,
		// mbind, move_pages, remap_file_pages, ipc (shmat and shmdt), shmat, shmdt, memfd_create, memfd_secret,
		274, 317, 257, 117, 397, 398, 356, 447,
		// userfaultfd, process_madvise, pkey_alloc, pkey_free, pkey_mprotect, mseal,
		374, 440, 381, 382, 380, 462,
		// clone, clone3, fork, vfork, execve, execveat, exit_group
		120, 435, 2, 190, 11, 358, 252,
	}},
}

// numbered is the registers by the numbers of DWARF.
func numbered(r *ptrace.Registers) symbol.Registers {
	return symbol.Registers{r.Rax, r.Rdx, r.Rcx, r.Rbx, r.Rsi, r.Rdi, r.Rbp, r.Rsp, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15, r.Rip}
}

// unmake makes the call that is about to be made one that answers ENOSYS.
func unmake(tid int) syscall.Errno {
	var r ptrace.Registers
	if e := ptrace.GetRegisters(tid, &r); e != 0 {
		return e
	}
	r.Orig_rax = ^uint64(0)
	return ptrace.SetRegisters(tid, &r)
}

// births are the calls that make a thread or a process, compatBirths those of i386 (clone, fork, vfork, clone3).
var (
	births       = []uint64{unix.SYS_CLONE, unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_CLONE3}
	compatBirths = []uint64{compatClone, 2, 190, 435}
)

const compatClone = 120

// setFirst changes the first argument of the call that is about to be made.
func setFirst(tid int, native bool, value uint64) syscall.Errno {
	var r ptrace.Registers
	if e := ptrace.GetRegisters(tid, &r); e != 0 {
		return e
	}
	if native {
		r.Rdi = value
	} else {
		r.Rbx = value
	}
	return ptrace.SetRegisters(tid, &r)
}

// WrittenBehind says that the instruction that has written is the one before the counter of a Written event: it is a trap, and not a fault.
const WrittenBehind = true

// resumeAt lets a thread go on from a breakpoint: the kernel has told the processor to pass it once (RF).
const resumeAt = unix.PTRACE_CONT
