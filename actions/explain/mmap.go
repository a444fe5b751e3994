package explain

import (
	"fmt"
	"runtime"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// What mmap refuses. Where no other source is named, the order is that of ksys_mmap_pgoff and
// do_mmap in mm/mmap.c.

var mmapReasons = []reason{
	{"EINVAL", "offset", "mmap(2)", func(e *evidence) bool { return e.number("offset")%e.pageSize() != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("the offset %d is not a multiple of the page size, %d.", e.number("offset"), e.pageSize())
		}},
	{"EINVAL", "huge page size", "mm/hugetlb.c, hstate_sizelog", func(e *evidence) bool { return e.hugePage() > 0 && !e.hugeKnown() },
		func(e *evidence) string {
			return fmt.Sprintf("this kernel has no huge pages of %s.", amount.Size(e.hugePage()))
		}},
	{"EINVAL", "hugetlb with a file", "mm/mmap.c, ksys_mmap_pgoff", func(e *evidence) bool {
		return e.mapsFile() && e.PoolPage(e.Flags) > 0 && e.madeOf() == 0
	}, func(e *evidence) string {
		return fmt.Sprintf("hugetlb takes memory from the pool of huge pages, and %s is a file elsewhere; hugetlb goes with anon.", e.File.Name)
	}},
	{"EINVAL", "length", "mmap(2)", func(e *evidence) bool { return e.number("length") == 0 },
		func(*evidence) string { return "the length is 0." }},
	{"EINVAL", "length wraps", "mm/mmap.c, ksys_mmap_pgoff", func(e *evidence) bool { return e.hugePage() > 0 && e.asked().Len() == 0 },
		func(*evidence) string {
			return "rounded up to whole huge pages, the length does not fit 64 bits."
		}},
	{"EINVAL", "fixed address", "mmap(2)", func(e *evidence) bool { return e.fixed() && e.number("addr")%e.pageSize() != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("the fixed address 0x%x is not a multiple of the page size, %d.", e.number("addr"), e.pageSize())
		}},
	{"EINVAL", "fixed huge address", "fs/hugetlbfs/inode.c, hugetlb_get_unmapped_area",
		func(e *evidence) bool { return e.fixed() && e.hugePage() > 0 && e.number("addr")%e.hugePage() != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("the fixed address 0x%x is not a multiple of the huge page size, %s.", e.number("addr"), amount.Size(e.hugePage()))
		}},
	{"EINVAL", "no sharing", "mmap(2)", func(e *evidence) bool { return e.sharing() == 0 },
		func(*evidence) string { return "it must be private or shared; neither was given." }},
	{"EINVAL", "droppable and shared", "mmap(2)", func(e *evidence) bool { return e.has("droppable") && e.sharing() != droppable },
		func(*evidence) string {
			return "droppable is a kind of its own beside private and shared, and is given without them."
		}},
	{"EINVAL", "unknown droppable", "mmap(2)", func(e *evidence) bool { return e.sharing() == droppable && !kernel.KnowsDroppable() },
		func(*evidence) string { return "this kernel does not know droppable (it came with Linux 6.11)." }},
	{"EINVAL", "droppable file", "mmap(2)", func(e *evidence) bool { return e.sharing() == droppable && e.mapsFile() },
		func(*evidence) string { return "only anonymous memory can be droppable." }},
	{"EINVAL", "droppable and kept", "mm/mmap.c, do_mmap", func(e *evidence) bool {
		return e.sharing() == droppable && (e.has("locked") || e.hugePage() > 0)
	}, func(*evidence) string {
		return "droppable memory is neither locked nor made of huge pages of the pool."
	}},
	{"EINVAL", "validate without file", "mmap(2)", func(e *evidence) bool { return e.sharing() == 3 && e.has("anon") && e.hugePage() == 0 },
		func(e *evidence) string {
			if e.has("shared_validate") {
				return "shared_validate is for files; anonymous memory is private or shared."
			}
			return "private and shared together are the number 3, which is shared_validate, and that is for files; anonymous memory is one or the other."
		}},
	{"EINVAL", "no such sharing", "mm/mmap.c, do_mmap", func(e *evidence) bool { return e.sharing() > 3 && e.sharing() != droppable },
		func(e *evidence) string {
			return fmt.Sprintf("the lowest four bits of the flags are 0x%x, which is none of shared (1), private (2), shared_validate (3) and droppable (8).", e.sharing())
		}},
	{"EINVAL", "growsdown", "mm/mmap.c, do_mmap", func(e *evidence) bool {
		return e.has("growsdown") && (e.sharing() != 2 || e.mapsFile() || e.hugePage() > 0)
	}, func(*evidence) string { return "only private anonymous memory can grow downwards as a stack does." }},
	{"EINVAL", "huge offset", "fs/hugetlbfs/inode.c, hugetlbfs_file_mmap", func(e *evidence) bool {
		return e.hugePage() > 0 && e.number("offset")%e.hugePage() != 0
	}, func(e *evidence) string {
		return fmt.Sprintf("the offset %d is not a multiple of the huge page size, %s.", e.number("offset"), amount.Size(e.hugePage()))
	}},
	splitsLent((*evidence).replaced),
	splitsHuge((*evidence).replaced),
	otherwise("EINVAL", "mmap(2)", "the kernel, or the driver behind the file, refuses this mix of length, flags, offset and address."),

	{"EBADF", "no descriptor", "mmap(2)", func(e *evidence) bool { return !e.has("anon") && !e.passed("fd") && !e.passed("file") },
		func(*evidence) string { return "without anon it needs a file: name one with file=NAME." }},
	{"EBADF", "not open", "mmap(2)", func(e *evidence) bool { return !e.has("anon") && e.passed("fd") && e.File == nil },
		func(e *evidence) string {
			return fmt.Sprintf("file descriptor %d is not open in %s.", int64(e.number("fd")), e.st.Process)
		}},
	otherwise("EBADF", "mmap(2)", "the file descriptor is not open, or was opened as a mere path (O_PATH)."),

	{"EACCES", "not readable", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && !e.File.Readable },
		func(e *evidence) string {
			return fmt.Sprintf("%s is not open for reading, and every mapping of a file needs that, one that is only written too.", e.File.Name)
		}},
	{"EACCES", "not writable", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && e.sharing() != 2 && e.writes() && !e.File.Writable },
		func(e *evidence) string {
			return fmt.Sprintf("%s is open for reading only, and a shared mapping with w would write to it; private would not.", e.File.Name)
		}},
	mdweDenies((*evidence).writes),
	otherwise("EACCES", "mmap(2)", "the file is not open for what was asked, may only be appended to (chattr +a), or a security module forbids it."),

	{"ENODEV", "directory", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && e.File.Dir },
		func(e *evidence) string {
			return fmt.Sprintf("%s is a directory; only files can be mapped.", e.File.Name)
		}},
	{"ENODEV", "unmappable", "mmap(2)", func(e *evidence) bool { return e.mapsFile() },
		func(e *evidence) string {
			return fmt.Sprintf("%s cannot be mapped: its driver or file system has no way to.", e.File.Name)
		}},
	otherwise("ENODEV", "mmap(2)", "the file cannot be mapped: a directory, or a driver or file system that has no way to."),

	{"EEXIST", "taken", "mmap(2)", func(e *evidence) bool { _, ok := e.some(e.asked(), anything); return ok },
		func(e *evidence) string {
			m, _ := e.some(e.asked(), anything)
			return fmt.Sprintf("%s is mapped there already, at 0x%x-0x%x, and fixed_noreplace replaces nothing.",
				e.inside(m, e.asked()), m.Start, m.End)
		}},
	otherwise("EEXIST", "mmap(2)", "something is mapped there already, and fixed_noreplace replaces nothing."),

	{"EOVERFLOW", "past the largest offset", "mm/mmap.c, file_mmap_ok", nil, func(e *evidence) string {
		return fmt.Sprintf("offset 0x%x and %s more reach past the largest offset that a file here can have.",
			e.number("offset"), amount.Size(e.asked().Len()))
	}},

	{"EOPNOTSUPP", "fixed_noreplace validated", "mm/mmap.c, LEGACY_MAP_MASK", func(e *evidence) bool {
		return e.validated() && e.unvalidated() != "" && !e.has("sync")
	}, func(e *evidence) string {
		return "shared_validate refuses every flag that is younger than itself, or of another processor, unless the file supports it, and " +
			e.unvalidated() + " is one: use shared."
	}},
	{"EOPNOTSUPP", "unknown flags", "mm/mmap.c, LEGACY_MAP_MASK", func(e *evidence) bool { return e.validated() && e.Rest&^unnamedLegacy != 0 && !e.has("sync") },
		func(e *evidence) string {
			return fmt.Sprintf("shared_validate refuses flags that neither it nor the file knows: 0x%x.", e.Rest&^unnamedLegacy)
		}},
	{"EOPNOTSUPP", "sync", "mmap(2)", func(e *evidence) bool { return e.has("sync") },
		func(*evidence) string {
			return "MAP_SYNC is for files on memory that keeps its contents (DAX); this file is not on such."
		}},
	otherwise("EOPNOTSUPP", "mmap(2)", "shared_validate checks the flags, and the file supports not all of them."),

	{"ETXTBSY", "swap file", "mm/mmap.c, do_mmap", nil, func(*evidence) string {
		return "the file is in use as swap; nobody may write to it through a shared mapping."
	}},
	{"ENFILE", "open files", "mmap(2)", nil, func(*evidence) string { return "the system has as many open files as fs.file-max allows." }},

	{"EAGAIN", "locked memory", "mmap(2)", func(e *evidence) bool {
		return (e.has("locked") || e.LocksFuture) && e.overMemlock(e.asked().Len())
	}, func(e *evidence) string {
		text := e.memlockText(e.asked().Len())
		if !e.has("locked") {
			text += " (mlockall future locks every new mapping.)"
		}
		return text
	}},
	otherwise("EAGAIN", "mmap(2)", "the file is locked, or more memory would be locked than RLIMIT_MEMLOCK allows."),

	sealed("sealed", "mseal(2)", (*evidence).replaced),
	{"EPERM", "too low", "proc_sys_vm(5), mmap_min_addr", func(e *evidence) bool {
		least, known := e.Number(minAddr)
		return known && e.fixed() && e.number("addr") < least && !e.May(kernel.CapSysRawIO)
	}, func(e *evidence) string {
		least, _ := e.Number(minAddr)
		return fmt.Sprintf("0x%x lies below vm.mmap_min_addr, 0x%x, so that a NULL pointer never finds memory; only CAP_SYS_RAWIO may map there.",
			e.number("addr"), least)
	}},
	{"EPERM", "may lock nothing", "mmap(2)", func(e *evidence) bool { return e.has("locked") && e.lockNothing() },
		func(*evidence) string {
			return "RLIMIT_MEMLOCK is 0: a process without CAP_IPC_LOCK may lock nothing."
		}},
	{"EPERM", "file sealed", "F_ADD_SEALS of fcntl(2)", (*evidence).mapsSealed, func(e *evidence) string {
		f := e.named()
		if f.Seals == 0 {
			return fmt.Sprintf("%s is sealed against writing, and a shared mapping with w writes to it.", e.File.Name)
		}
		return fmt.Sprintf("%s has %s, and a shared mapping with w writes to it; private would not.", e.File.Name, sealsText(f.Seals&unwritable))
	}},
	{"EPERM", "noexec", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && e.Prot&vmspace.Exec != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("%s may not be mapped with x: its file system is noexec, or a security module forbids it.", e.File.Name)
		}},
	otherwise("EPERM", "mmap(2)", "a seal, vm.mmap_min_addr, a noexec file system or a security module forbids it."),

	{"ENOMEM", "length wraps", "mm/mmap.c, do_mmap", func(e *evidence) bool { return e.pageEnd(e.number("length")) == 0 },
		func(*evidence) string { return "rounded up to whole pages, the length does not fit 64 bits." }},
	{"ENOMEM", "too many mappings", "proc_sys_vm(5), max_map_count", func(e *evidence) bool {
		_, most, known := e.room()
		return known && e.count() > most
	}, func(e *evidence) string { return e.crowded() }},
	{"ENOMEM", "longer than the address space", "mm/mmap.c, __get_unmapped_area", func(e *evidence) bool {
		return kernel.UserTop() > 0 && e.asked().Len() > kernel.UserTop()
	}, func(e *evidence) string {
		return fmt.Sprintf("%s do not fit below 0x%x, the end of the user's addresses.", amount.Size(e.asked().Len()), kernel.UserTop())
	}},
	{"ENOMEM", "past the end", "mm/mmap.c, __get_unmapped_area", func(e *evidence) bool {
		return kernel.UserTop() > 0 && e.fixed() && e.number("addr") > kernel.UserTop()-e.asked().Len()
	}, func(e *evidence) string {
		return fmt.Sprintf("0x%x and %s more reach past 0x%x, the end of the user's addresses.",
			e.number("addr"), amount.Size(e.asked().Len()), kernel.UserTop())
	}},
	{"ENOMEM", "32bit", "arch/x86/kernel/sys_x86_64.c, find_start_end", func(e *evidence) bool {
		return runtime.GOARCH == "amd64" && e.has("32bit") && !e.fixed() && e.asked().Len() > e.widest(low32)
	}, func(e *evidence) string {
		return fmt.Sprintf("with 32bit the kernel looks between 0x%x and 0x%x only, and the largest hole there has %s.",
			low32.Start, low32.End, amount.Size(e.widest(low32)))
	}},
	{"ENOMEM", "no hole", "mmap(2)", func(e *evidence) bool {
		return !e.fixed() && e.tooWide(e.asked().Len(), e.lookedBelow())
	}, func(e *evidence) string { return e.widestText(e.lookedBelow()) }},
	{"ENOMEM", "RLIMIT_AS", "getrlimit(2)", func(e *evidence) bool {
		return e.over(kernel.LimitAS, "VmSize", e.added()) || e.full(kernel.LimitAS, "VmSize")
	},
		func(e *evidence) string { return e.overText(kernel.LimitAS, "VmSize", e.added()) }},
	{"ENOMEM", "RLIMIT_DATA", "getrlimit(2)", func(e *evidence) bool {
		return (e.sharing() == 2 || e.sharing() == droppable) && e.writes() && !e.has("growsdown") &&
			(e.over(kernel.LimitData, "VmData", e.added()) || e.full(kernel.LimitData, "VmData"))
	}, func(e *evidence) string { return e.overText(kernel.LimitData, "VmData", e.added()) }},
	splitsLent((*evidence).replaced).answered("ENOMEM", "mm/mmap.c, mmap_region before Linux 6.12"),
	splitsHuge((*evidence).replaced).answered("ENOMEM", "mm/mmap.c, mmap_region before Linux 6.12"),
	{"ENOMEM", "overcommit", "proc_sys_vm(5), overcommit_memory", func(e *evidence) bool { return e.promised() && e.overcommit(e.added()) != "" },
		func(e *evidence) string { return e.overcommit(e.added()) }},
	{"ENOMEM", "no huge pages", "mmap(2)", func(e *evidence) bool {
		free, known := e.hugeFree()
		return known && e.hugePage() > 0 && !e.has("noreserve") && e.asked().Len() > free*e.hugePage()
	}, func(e *evidence) string {
		free, _ := e.hugeFree()
		return fmt.Sprintf("%s of %s would be needed, and the pool has %d to give (nr_hugepages sets how many there are).",
			amount.Of(e.asked().Len()/e.hugePage(), "huge page"), amount.Size(e.hugePage()), free)
	}},
	otherwise("ENOMEM", "mmap(2)",
		"there is no room: the address space, a limit (RLIMIT_AS, RLIMIT_DATA), vm.overcommit_memory, or the kernel's own memory."),
}

// unnamedLegacy are the flags that shared_validate lets through and that have no word: 0x80 of x86,
// MAP_EXECUTABLE, MAP_UNINITIALIZED, sizes of huge pages (LEGACY_MAP_MASK).
const unnamedLegacy = 0x80 | 0x1000 | 0x4000000 | 0x40000 | 0x1f<<26

const minAddr = "/proc/sys/vm/mmap_min_addr"

// low32 is where x86 puts what is asked for with MAP_32BIT.
var low32 = vmspace.Range{Start: 0x40000000, End: 0x80000000}

// lookedBelow is where the kernel stops to look for room.
func (e *evidence) lookedBelow() uint64 {
	if e.number("addr") > kernel.MapWindow() {
		return kernel.UserTop()
	}
	return kernel.MapWindow()
}

func anything(vmspace.Mapping) bool { return true }

// mapsFile says whether an mmap is of a file that something is known of; anonymous memory has none,
// whatever else was named.
func (e *evidence) mapsFile() bool { return e.File != nil && !e.has("anon") }

// mapsSealed says whether an mmap asks for a shared mapping that seals of its file forbid. Those of
// a file of the session are known; of a descriptor it is only known that it is a memfd.
func (e *evidence) mapsSealed() bool {
	switch f, known := e.st.FileNamed(e.text("file")); {
	case !e.mapsFile() || e.sharing() == 2 || !e.writes():
		return false
	case !known:
		return strings.HasPrefix(e.File.Name, "/memfd:")
	default:
		return f.Seals&unwritable != 0
	}
}

// fixed says whether the kernel must take the address as it is.
func (e *evidence) fixed() bool { return e.has("fixed") || e.has("fixed_noreplace") }

// droppable is MAP_DROPPABLE (include/uapi/linux/mman.h).
const droppable = 8

// sharing is MAP_TYPE: 1 shared, 2 private, 3 shared_validate, 8 droppable.
func (e *evidence) sharing() uint64 {
	return e.Flags & 0x0f
}

// validated says whether the kernel checks the flags against what the file supports.
func (e *evidence) validated() bool {
	return e.sharing() == 3 && (!e.has("anon") || e.hugePage() > 0)
}

// unvalidated is a flag that shared_validate does not know (LEGACY_MAP_MASK), "" where there is
// none.
func (e *evidence) unvalidated() string {
	switch {
	case e.has("fixed_noreplace"):
		return "fixed_noreplace"
	case e.has("32bit") && runtime.GOARCH != "amd64":
		return "32bit"
	}
	return ""
}

func (e *evidence) writes() bool { return e.Prot&vmspace.Write != 0 }

// asked is what an mmap asks for, in whole pages or huge pages; at 0 where it named no place.
func (e *evidence) asked() vmspace.Range {
	n := e.pageEnd(e.number("length"))
	if h := e.hugePage(); h > 0 {
		n = (n + h - 1) / h * h
	}
	at := e.number("addr")
	return vmspace.Range{Start: at, End: at + n}
}

// replaced is what an mmap puts itself in the place of.
func (e *evidence) replaced() vmspace.Range {
	if e.has("fixed") {
		return e.asked()
	}
	return vmspace.Range{}
}

// added is how much an mmap adds to the address space: what a fixed one replaces does not count.
func (e *evidence) added() uint64 {
	n := e.asked().Len()
	e.some(e.replaced(), func(m vmspace.Mapping) bool {
		n -= m.Intersect(e.replaced()).Len()
		return false
	})
	return n
}

// promised says whether the kernel accounts for the memory of an mmap: what is private and may be
// written, and shared memory without a file; noreserve exempts it unless the kernel never
// overcommits (accountable_mapping in mm/vma.c, shmem_acct_size in mm/shmem.c).
func (e *evidence) promised() bool {
	mode, _ := e.Number("/proc/sys/vm/overcommit_memory")
	if e.hugePage() > 0 || e.has("noreserve") && mode != 2 {
		return false
	}
	return e.sharing() == 2 && e.writes() || e.sharing() == 1 && e.has("anon")
}

// hugePage is the size of huge page that an mmap is about, 0 if of none: its file has such pages,
// or it asks for some.
func (e *evidence) hugePage() uint64 {
	if e.mapsFile() && e.madeOf() > 0 {
		return e.madeOf()
	}
	return e.PoolPage(e.Flags)
}

func (e *evidence) hugeKnown() bool { _, known := e.hugeFree(); return known }

// hugeFree is how many huge pages of that size are neither in use nor promised.
func (e *evidence) hugeFree() (pages uint64, known bool) {
	dir := fmt.Sprintf("/sys/kernel/mm/hugepages/hugepages-%dkB/", e.hugePage()>>10)
	free, known := e.Number(dir + "free_hugepages")
	taken, _ := e.Number(dir + "resv_hugepages")
	return free - min(free, taken), known
}

var mmapSentences = sentences{
	why:     explainMmap,
	reasons: mmapReasons,
	failed:  "Nothing was mapped.",
}

// joinedText says of a mapping that is new where it lies that it became one with a neighbour.
func (e *evidence) joinedText() string {
	at := e.st.Focus
	m, ok := e.st.After.Process(e.st.Process).MappingAt(at.Start)
	if !ok || m.Range == at || !m.Covers(at) {
		return ""
	}
	e.claim(history.ClaimJoined, at, 0)
	return " It has the same letters and backing as its neighbour, so the kernel made them one mapping."
}

func explainMmap(e *evidence) string {
	st := e.st
	pages := st.Focus.Pages(st.After.PageSize)
	p := st.After.Process(st.Process)
	n := p.Resident(st.Focus)
	e.claim(history.ClaimMapped, st.Focus, 0)
	e.claim(history.ClaimPresent, st.Focus, n)
	var text string
	switch {
	case n > 0:
		text = fmt.Sprintf("%s reserved, and %d of them faulted in at once.", amount.Of(pages, "page"), n)
	case e.Prot == 0:
		e.claim(history.ClaimRefused, st.Focus, 0)
		text = fmt.Sprintf("%s reserved, and nothing may touch them: none gets a frame until mprotect allows an access.", amount.Of(pages, "page"))
	default:
		text = fmt.Sprintf("%s reserved, no memory yet: each page gets its frame when it is first touched.", amount.Of(pages, "page"))
	}
	if lo, hi := st.Before.Process(st.Process).Mappings.Overlap(st.Focus); lo < hi {
		text += " What was mapped there before is gone."
	}
	text += e.joinedText()
	if e.sharing() == droppable {
		text += " They are droppable (VmFlags dp): when memory is short the kernel may drop their contents, and the next touch finds zeros. A child finds zeros too, and a core dump leaves them out."
	}
	text += execOnlyText(st)
	if asked := e.number("length"); asked != st.Focus.Len() {
		kind := "pages"
		if huge := e.hugePage(); huge > 0 {
			kind = "huge pages of " + amount.Size(huge)
		}
		text += fmt.Sprintf(" %s were asked for: a mapping is whole %s, the rest of the last one can be used too.", amount.Bytes(asked), kind)
	}
	if name := e.text("file"); name != "" {
		text += fmt.Sprintf(" %s was opened (%s) and is closed again: the mapping itself keeps the file.", printable.Name(name), e.File.Mode)
	}
	return text
}
