package vmspace

import "strings"

// Perms are the four letters of a mapping in /proc/PID/maps: read, write, execute, and shared or
// private (proc_pid_maps(5)).
type Perms uint8

// The bits of Perms.
const (
	Read Perms = 1 << iota
	Write
	Exec
	SharedMap
)

// String writes the letters as /proc/PID/maps does: "rw-p".
func (p Perms) String() string {
	b := []byte("---p")
	if p&Read != 0 {
		b[0] = 'r'
	}
	if p&Write != 0 {
		b[1] = 'w'
	}
	if p&Exec != 0 {
		b[2] = 'x'
	}
	if p&SharedMap != 0 {
		b[3] = 's'
	}
	return string(b)
}

// ParsePerms parses the letters that String writes.
func ParsePerms[T []byte | string](letters T) (p Perms, ok bool) {
	if len(letters) != 4 {
		return 0, false
	}
	for i, want := range [...]struct {
		letter byte
		bit    Perms
	}{{'r', Read}, {'w', Write}, {'x', Exec}, {'s', SharedMap}} {
		switch c := letters[i]; {
		case c == want.letter:
			p |= want.bit
		case c == '-' && i < 3, c == 'p' && i == 3:
		default:
			return 0, false
		}
	}
	return p, true
}

// Kind says what backs a mapping.
type Kind uint8

// The kinds of mapping, told apart by the path that /proc/PID/maps gives.
const (
	KindAnon Kind = iota // no file: zeros on demand
	KindFile             // a file of a file system
	// KindShmem is shared memory: /dev/zero (deleted), memfd, SysV; a file in /dev/shm is KindFile.
	KindShmem
	KindStack   // [stack]
	KindHeap    // [heap]
	KindSpecial // [vdso], [vvar] and the like: pages that the kernel provides
)

// String is the word that the screen and the JSON use.
func (k Kind) String() string { return kindNames[k] }

var kindNames = [...]string{"anon", "file", "shmem", "stack", "heap", "special"}

func (k Kind) anonymous() bool { return k == KindAnon || k == KindStack || k == KindHeap }

// Mapping is one line of /proc/PID/maps: what the kernel calls a VMA.
type Mapping struct {
	Range
	Perms  Perms
	Offset uint64 // into the file, in bytes
	Major  uint32 // of the device
	Minor  uint32
	Inode  uint64
	Path   string    // as the kernel prints it, unescaped: may contain any byte but NUL
	Smaps  *Counters // nil where smaps was not read
}

// Private reports whether writes are private to this process (MAP_PRIVATE).
func (m Mapping) Private() bool { return m.Perms&SharedMap == 0 }

// Kind is what backs m, by its path and inode.
func (m Mapping) Kind() Kind {
	switch {
	case m.Path == "[heap]":
		return KindHeap
	case m.Path == "[stack]":
		return KindStack
	// [stack:TID] is the stack of a thread: Linux 3.4 to 4.4.
	case m.Path == "[anon]" || strings.HasPrefix(m.Path, "[anon:"), strings.HasPrefix(m.Path, "[stack:"):
		return KindAnon
	case strings.HasPrefix(m.Path, "[anon_shmem:"):
		return KindShmem
	case strings.HasPrefix(m.Path, "["):
		return KindSpecial
	case strings.HasPrefix(m.Path, "/dev/zero") && m.Perms&SharedMap != 0,
		strings.HasPrefix(m.Path, "/memfd:"), strings.HasPrefix(m.Path, "/SYSV"):
		return KindShmem
	case m.Inode == 0 && m.Path == "":
		return KindAnon
	case strings.HasPrefix(m.Path, "/dev/zero"):
		// A private mapping of /dev/zero is anonymous memory (drivers/char/mem.c, mmap_zero).
		return KindAnon
	}
	return KindFile
}

// blind reports whether pagemap reports nothing about m, whatever pages it has: the page walk skips
// VM_PFNMAP (walk_page_test in mm/pagewalk.c), such as [vvar], and does not reach the kernel half
// of the address space, where [vsyscall] lies.
func (m *Mapping) blind() bool {
	return m.Smaps.HasFlag("pf") || strings.HasPrefix(m.Path, "[vvar") || m.Start >= KernelHalf
}

const KernelHalf = 1 << 63

// Counters are the fields that /proc/PID/smaps adds to a mapping: sizes in bytes, the VmFlags as
// two-letter words, and the protection key.
type Counters struct {
	Rss, Pss, Swap, Locked, LazyFree, AnonHuge, KSM uint64
	// Private is the part of Rss that no other mapping has: Private_Clean and Private_Dirty.
	Private uint64
	// Clean is the part of Rss that has not been changed since it was read from its file, or since it
	// was freed lazily: Shared_Clean and Private_Clean.
	Clean     uint64
	Anonymous uint64 // the part of Rss that is not in the page cache
	VMFlags   []string
	// ProtectionKey (pkeys(7)) is 0 for a mapping without a key of its own, and on machines without
	// keys.
	ProtectionKey uint32
}

// HasFlag reports whether the VmFlags contain the two-letter word f.
func (c *Counters) HasFlag(f string) bool {
	if c == nil {
		return false
	}
	for _, x := range c.VMFlags {
		if x == f {
			return true
		}
	}
	return false
}
