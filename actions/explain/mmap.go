package explain

import (
	"fmt"
	"runtime"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
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
		return e.mapsFile() && e.PoolPage(e.Flags) > 0 && e.filePageSize() == 0
	}, func(e *evidence) string {
		return fmt.Sprintf("hugetlb takes memory from the pool of huge pages, and %s is a file elsewhere; hugetlb goes with anon.", e.File.Name)
	}},
	zeroLength("mmap(2)", func(e *evidence) uint64 { return e.number("length") }),
	{"EINVAL", "length wraps", "mm/mmap.c, ksys_mmap_pgoff", func(e *evidence) bool { return e.hugePage() > 0 && e.requested().Len() == 0 },
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
		func(*evidence) string { return "this kernel does not know droppable (added in Linux 6.11)." }},
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
	splitsLent((*evidence).replacedRange),
	splitsHuge((*evidence).replacedRange),
	fallback("EINVAL", "mmap(2)", "the kernel, or the driver behind the file, refuses this mix of length, flags, offset and address."),

	{"EBADF", "no descriptor", "mmap(2)", func(e *evidence) bool { return !e.has("anon") && !e.passed("fd") && !e.passed("file") },
		func(*evidence) string { return "without anon it needs a file: name one with file=NAME." }},
	{"EBADF", "not open", "mmap(2)", func(e *evidence) bool { return !e.has("anon") && e.passed("fd") && e.File == nil },
		func(e *evidence) string {
			return fmt.Sprintf("file descriptor %d is not open in %s.", int64(e.number("fd")), e.st.Process)
		}},
	fallback("EBADF", "mmap(2)", "the file descriptor is not open, or was opened as a mere path (O_PATH)."),

	{"EACCES", "not readable", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && !e.File.Readable },
		func(e *evidence) string {
			return fmt.Sprintf("%s is not open for reading, which every mapping of a file needs, even one that is only written to.", e.File.Name)
		}},
	{"EACCES", "not writable", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && e.sharing() != 2 && e.writes() && !e.File.Writable },
		func(e *evidence) string {
			return fmt.Sprintf("%s is open for reading only, and a shared mapping with w would write to it; private would not.", e.File.Name)
		}},
	mdweDenies((*evidence).writes),
	fallback("EACCES", "mmap(2)", "the file is not open for what was asked, may only be appended to (chattr +a), or a security module forbids it."),

	{"ENODEV", "directory", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && e.File.Dir },
		func(e *evidence) string {
			return fmt.Sprintf("%s is a directory; only files can be mapped.", e.File.Name)
		}},
	{"ENODEV", "unmappable", "mmap(2)", func(e *evidence) bool { return e.mapsFile() },
		func(e *evidence) string {
			return fmt.Sprintf("%s cannot be mapped: its driver or file system does not support it.", e.File.Name)
		}},
	fallback("ENODEV", "mmap(2)", "the file cannot be mapped: a directory, or its driver or file system does not support it."),

	found("EEXIST", "taken", "mmap(2)", func(e *evidence) (vmspace.Mapping, bool) { return e.firstMapping(e.requested(), anything) }, func(e *evidence, m vmspace.Mapping) string {
		return fmt.Sprintf("%s is mapped there already, at 0x%x-0x%x, and fixed_noreplace replaces nothing.", e.mappingNameIn(m, e.requested()), m.Start, m.End)
	}),
	fallback("EEXIST", "mmap(2)", "something is mapped there already, and fixed_noreplace replaces nothing."),

	{"EOVERFLOW", "past the largest offset", "mm/mmap.c, file_mmap_ok", nil, func(e *evidence) string {
		return fmt.Sprintf("offset 0x%x and %s more reach past the largest offset that a file here can have.",
			e.number("offset"), amount.Size(e.requested().Len()))
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
			return "MAP_SYNC is for files on memory that keeps its contents (DAX); this file is not on such memory."
		}},
	fallback("EOPNOTSUPP", "mmap(2)", "shared_validate checks the flags, and the file does not support all of them."),

	{"ETXTBSY", "swap file", "mm/mmap.c, do_mmap", nil, func(*evidence) string {
		return "the file is in use as swap; nobody may write to it through a shared mapping."
	}},
	{"ENFILE", "open files", "mmap(2)", nil, func(*evidence) string { return "the system has as many open files as fs.file-max allows." }},

	{"EAGAIN", "locked memory", "mmap(2)", func(e *evidence) bool {
		return (e.has("locked") || e.LocksFuture) && e.overMemlock(e.requested().Len())
	}, func(e *evidence) string {
		text := e.memlockText(e.requested().Len())
		if !e.has("locked") {
			text += " (mlockall future locks every new mapping.)"
		}
		return text
	}},
	fallback("EAGAIN", "mmap(2)", "the file is locked, or more memory would be locked than RLIMIT_MEMLOCK allows."),

	sealed("sealed", "mseal(2)", (*evidence).replacedRange),
	{"EPERM", "too low", "proc_sys_vm(5), mmap_min_addr", func(e *evidence) bool {
		least, known := e.Number(minAddr)
		return known && e.fixed() && e.number("addr") < least && !e.May(kernel.CapSysRawIO)
	}, func(e *evidence) string {
		least, _ := e.Number(minAddr)
		return fmt.Sprintf("0x%x lies below vm.mmap_min_addr, 0x%x, so that a NULL pointer never finds memory; only CAP_SYS_RAWIO may map there.",
			e.number("addr"), least)
	}},
	{"EPERM", "may lock nothing", "mmap(2)", func(e *evidence) bool { return e.has("locked") && e.mayLockNothing() },
		func(*evidence) string {
			return "RLIMIT_MEMLOCK is 0: a process without CAP_IPC_LOCK may lock nothing."
		}},
	{"EPERM", "file sealed", "F_ADD_SEALS of fcntl(2)", (*evidence).mapsSealed, func(e *evidence) string {
		f := e.namedFile()
		if f.Seals == 0 {
			return fmt.Sprintf("%s is sealed against writing, and a shared mapping with w writes to it.", e.File.Name)
		}
		return fmt.Sprintf("%s has %s, and a shared mapping with w writes to it; private would not.", e.File.Name, sealsText(f.Seals&unwritable))
	}},
	{"EPERM", "noexec", "mmap(2)", func(e *evidence) bool { return e.mapsFile() && e.Prot&vmspace.Exec != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("%s may not be mapped with x: its file system is noexec, or a security module forbids it.", e.File.Name)
		}},
	fallback("EPERM", "mmap(2)", "a seal, vm.mmap_min_addr, a noexec file system or a security module forbids it."),

	{"ENOMEM", "length wraps", "mm/mmap.c, do_mmap", func(e *evidence) bool { return e.pageEnd(e.number("length")) == 0 },
		func(*evidence) string { return "rounded up to whole pages, the length does not fit 64 bits." }},
	{"ENOMEM", "too many mappings", "proc_sys_vm(5), max_map_count", func(e *evidence) bool {
		_, most, known := e.mappingsLeft()
		return known && e.mapCount() > most
	}, func(e *evidence) string { return e.mapCountText() }},
	{"ENOMEM", "longer than the address space", "mm/mmap.c, __get_unmapped_area", func(e *evidence) bool {
		return kernel.UserTop() > 0 && e.requested().Len() > kernel.UserTop()
	}, func(e *evidence) string {
		return fmt.Sprintf("%s do not fit below 0x%x, the end of the user's addresses.", amount.Size(e.requested().Len()), kernel.UserTop())
	}},
	{"ENOMEM", "past the end", "mm/mmap.c, __get_unmapped_area", func(e *evidence) bool {
		return kernel.UserTop() > 0 && e.fixed() && e.number("addr") > kernel.UserTop()-e.requested().Len()
	}, func(e *evidence) string {
		return fmt.Sprintf("0x%x and %s more reach past 0x%x, the end of the user's addresses.",
			e.number("addr"), amount.Size(e.requested().Len()), kernel.UserTop())
	}},
	{"ENOMEM", "32bit", "arch/x86/kernel/sys_x86_64.c, find_start_end", func(e *evidence) bool {
		return runtime.GOARCH == "amd64" && e.has("32bit") && !e.fixed() && e.requested().Len() > e.largestHole(low32)
	}, func(e *evidence) string {
		return fmt.Sprintf("with 32bit the kernel looks between 0x%x and 0x%x only, and the largest hole there has %s.",
			low32.Start, low32.End, amount.Size(e.largestHole(low32)))
	}},
	{"ENOMEM", "no hole", "mmap(2)", func(e *evidence) bool {
		return !e.fixed() && e.noHole(e.requested().Len(), e.searchTop())
	}, func(e *evidence) string { return e.noHoleText(e.searchTop()) }},
	{"ENOMEM", "RLIMIT_AS", "getrlimit(2)", func(e *evidence) bool {
		return e.exceedsLimit(kernel.LimitAS, "VmSize", e.addedBytes()) || e.aboveLimit(kernel.LimitAS, "VmSize")
	},
		func(e *evidence) string { return e.limitText(kernel.LimitAS, "VmSize", e.addedBytes()) }},
	{"ENOMEM", "RLIMIT_DATA", "getrlimit(2)", func(e *evidence) bool {
		return (e.sharing() == 2 || e.sharing() == droppable) && e.writes() && !e.has("growsdown") &&
			(e.exceedsLimit(kernel.LimitData, "VmData", e.addedBytes()) || e.aboveLimit(kernel.LimitData, "VmData"))
	}, func(e *evidence) string { return e.limitText(kernel.LimitData, "VmData", e.addedBytes()) }},
	splitsLent((*evidence).replacedRange).withResult("ENOMEM", "mm/mmap.c, mmap_region before Linux 6.12"),
	splitsHuge((*evidence).replacedRange).withResult("ENOMEM", "mm/mmap.c, mmap_region before Linux 6.12"),
	overcommits((*evidence).accountedBytes),
	{"ENOMEM", "no huge pages", "mmap(2)", func(e *evidence) bool {
		free, known := e.hugeFree()
		return known && e.hugePage() > 0 && !e.has("noreserve") && e.requested().Len() > free*e.hugePage()
	}, func(e *evidence) string {
		free, _ := e.hugeFree()
		return fmt.Sprintf("%s of %s would be needed, and the pool has %d to give (nr_hugepages sets how many there are).",
			amount.Of(e.requested().Len()/e.hugePage(), "huge page"), amount.Size(e.hugePage()), free)
	}},
	fallback("ENOMEM", "mmap(2)",
		"there is no room: the address space, a limit (RLIMIT_AS, RLIMIT_DATA), vm.overcommit_memory, or the kernel's own memory."),
}

// unnamedLegacy are the flags that shared_validate lets through and that have no word: 0x80 of x86,
// MAP_EXECUTABLE, MAP_UNINITIALIZED, sizes of huge pages (LEGACY_MAP_MASK).
const unnamedLegacy = 0x80 | 0x1000 | 0x4000000 | 0x40000 | 0x1f<<26

const minAddr = "/proc/sys/vm/mmap_min_addr"

// low32 is where x86 puts what is asked for with MAP_32BIT.
var low32 = vmspace.Range{Start: 0x40000000, End: 0x80000000}

// searchTop is the address below which the kernel looks for a hole.
func (e *evidence) searchTop() uint64 {
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

// requested is the range that an mmap asks for, in whole pages or huge pages; it begins at 0 if no
// address was given.
func (e *evidence) requested() vmspace.Range {
	n := e.pageEnd(e.number("length"))
	if h := e.hugePage(); h > 0 {
		n = (n + h - 1) / h * h
	}
	at := e.number("addr")
	return vmspace.Range{Start: at, End: at + n}
}

// replacedRange is the range that a fixed mmap replaces.
func (e *evidence) replacedRange() vmspace.Range {
	if e.has("fixed") {
		return e.requested()
	}
	return vmspace.Range{}
}

// addedBytes is how much an mmap adds to the address space: what a fixed one replaces does not
// count.
func (e *evidence) addedBytes() uint64 {
	n := e.requested().Len()
	e.firstMapping(e.replacedRange(), func(m vmspace.Mapping) bool {
		n -= m.Intersect(e.replacedRange()).Len()
		return false
	})
	return n
}

// accountedBytes is how much memory of an mmap the kernel accounts for: what is private and may be
// written, and shared memory without a file; noreserve exempts it unless the kernel never
// overcommits (accountable_mapping in mm/vma.c, shmem_acct_size in mm/shmem.c).
func (e *evidence) accountedBytes() uint64 {
	mode, _ := e.Number("/proc/sys/vm/overcommit_memory")
	exempt := e.hugePage() > 0 || e.has("noreserve") && mode != 2
	if !exempt && (e.sharing() == 2 && e.writes() || e.sharing() == 1 && e.has("anon")) {
		return e.addedBytes()
	}
	return 0
}

// hugePage is the size of huge page that an mmap is about, 0 if of none: its file has such pages,
// or it asks for some.
func (e *evidence) hugePage() uint64 {
	if e.mapsFile() && e.filePageSize() > 0 {
		return e.filePageSize()
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
