//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"slices"

	"cowscope/actions/image"

	"golang.org/x/sys/unix"
)

// Rules of this file: the starter. It stops itself and, once it has been seized, puts the filter in
// and executes the program. Its arguments are the path, and the arguments of the program from
// argv[0] on; its environment is the program's. A tracer that is a parent by fork alone would need
// PTRACE_TRACEME, under which nobody can tell a stop of the terminal from a signal (ptrace(2),
// "Group-stop").

const (
	starterBase = 0x400000
	fprogAt     = 0x400 // struct sock_fprog
	filterAt    = fprogAt + 16
)

// ours is the number that the filter gives with a call, which tells it from a filter of the program
// (SECCOMP_RET_DATA, seccomp(2)).
const ours = 0xc0e0

// table is the numbers of calls in one table of the kernel, whose filter is told by arch
// (AUDIT_ARCH_…, include/uapi/linux/audit.h).
type table struct {
	arch  uint32
	calls []uint32
}

// calls are those that every processor has: about memory, and about processes.
var calls = []uint32{
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_BRK, unix.SYS_MSYNC,
	unix.SYS_MLOCK, unix.SYS_MLOCK2, unix.SYS_MUNLOCK, unix.SYS_MLOCKALL, unix.SYS_MUNLOCKALL, unix.SYS_MINCORE,
	unix.SYS_MBIND, unix.SYS_MOVE_PAGES, unix.SYS_REMAP_FILE_PAGES, unix.SYS_SHMAT, unix.SYS_SHMDT, unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET,
	unix.SYS_USERFAULTFD, unix.SYS_PROCESS_MADVISE, unix.SYS_PKEY_ALLOC, unix.SYS_PKEY_FREE, unix.SYS_PKEY_MPROTECT, unix.SYS_MSEAL,
	unix.SYS_CLONE, unix.SYS_CLONE3, unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_EXIT_GROUP,
}

// stopsAt reports whether a call is one of them.
func stopsAt(arch uint32, nr uint64) bool {
	i := slices.IndexFunc(tables, func(t table) bool { return t.arch == arch })
	return i >= 0 && slices.Contains(tables[i].calls, uint32(nr))
}

// starter is the file of the starter.
func starter() []byte {
	program := filter()
	text := append(starterCode[:len(starterCode):len(starterCode)], make([]byte, fprogAt-len(starterCode))...)
	text = binary.LittleEndian.AppendUint64(text, uint64(len(program)))
	text = binary.LittleEndian.AppendUint64(text, starterBase+filterAt)
	text, _ = binary.Append(text, binary.LittleEndian, program)
	return image.ELF(text, starterBase, starterBase)
}

// filter has the kernel stop at the calls of the tables, and make all others. It looks at numbers
// alone: the kernel then remembers for each number that it is allowed, and runs no filter for it
// (seccomp_cache_check_allow in kernel/seccomp.c).
func filter() []unix.SockFilter {
	const load, equal, atLeast, end = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	allow, tell := unix.SockFilter{Code: end, K: unix.SECCOMP_RET_ALLOW}, unix.SockFilter{Code: end, K: unix.SECCOMP_RET_TRACE | ours}
	const nr, arch = 0, 4 // offsets in struct seccomp_data (include/uapi/linux/seccomp.h)
	program := []unix.SockFilter{{Code: load, K: arch}}
	for _, table := range tables {
		part := []unix.SockFilter{{Code: load, K: nr}}
		for i, call := range table.calls {
			part = append(part, unix.SockFilter{Code: equal, K: uint32(call), Jt: uint8(len(table.calls) - i)})
		}
		part = append(part, allow, tell)
		program = append(program, unix.SockFilter{Code: equal, K: table.arch, Jf: uint8(len(part))})
		program = append(program, part...)
	}
	return append(program, allow)
}
