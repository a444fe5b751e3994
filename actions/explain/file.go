package explain

import (
	"fmt"
	"math"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Why the calls on files are refused, and what these reasons need to know about files.

// namedFile is the file that the command names, after the step; a refused call has not changed it.
func (e *evidence) namedFile() history.File {
	f, _ := e.st.FileNamed(e.text("file"))
	return f
}

// fileName is its name in a sentence.
func (e *evidence) fileName() string { return printable.Name(e.text("file")) }

// fileEnd is the first byte behind the part of the file that a call is about, computed as the
// kernel does.
func (e *evidence) fileEnd() uint64 {
	if text := e.text("text"); text != "" {
		return e.number("offset") + uint64(len(text))
	}
	return e.number("offset") + e.number("length")
}

// sealedFile finds a shared mapping of the range whose file has one of the seals.
func (e *evidence) sealedFile(seals history.Seals, bad func(vmspace.Mapping) bool) (m vmspace.Mapping, f history.File, ok bool) {
	m, ok = e.firstMapping(e.rounded, func(m vmspace.Mapping) bool {
		f, _ = e.st.FileOf(m)
		return !m.Private() && f.Seals&seals != 0 && bad(m)
	})
	return m, f, ok
}

// fileSealed says whether the file that the command names has one of the seals.
func (e *evidence) fileSealed(seals history.Seals) bool { return e.namedFile().Seals&seals != 0 }

// sealsText names seals: the seal write, the seals write, grow.
func sealsText(s history.Seals) string {
	if s&(s-1) == 0 {
		return "the seal " + s.String()
	}
	return "the seals " + s.String()
}

// unwritable are the seals against writing.
const unwritable = history.SealWrite | history.SealFutureWrite

// negative is for a number that the kernel takes with a sign.
func negative(param, what, source string) reason {
	return reason{"EINVAL", "negative " + param, source, func(e *evidence) bool { return e.number(param) > math.MaxInt64 },
		func(e *evidence) string {
			return fmt.Sprintf("the kernel reads %s as a signed number, and 0x%x is %d then.", what, e.number(param), int64(e.number(param)))
		}}
}

// overflows is for a part of a file that ends behind the largest possible offset.
func overflows(source string) reason {
	return reason{"EINVAL", "past the largest offset", source, func(e *evidence) bool { return e.fileEnd() > math.MaxInt64 },
		func(e *evidence) string {
			return fmt.Sprintf("the part of the file would end at 0x%x, and the largest offset is 0x%x.", e.fileEnd(), int64(math.MaxInt64))
		}}
}

func tooLarge(source string) reason {
	return reason{"EFBIG", "too large", source, nil, func(e *evidence) string {
		return fmt.Sprintf("the file system of %s does not allow so large a file.", e.fileName())
	}}
}

// sealedAgainst is for a call that seals of the file forbid.
func sealedAgainst(name string, seals history.Seals, when func(*evidence) bool, why string) reason {
	return reason{"EPERM", name, "F_ADD_SEALS of fcntl(2)", func(e *evidence) bool { return e.fileSealed(seals) && when(e) },
		func(e *evidence) string {
			return fmt.Sprintf("%s has %s, and %s.", e.fileName(), sealsText(e.namedFile().Seals&seals), why)
		}}
}

// notWholeHuge is for a size of a file of huge pages.
func notWholeHuge(param string, page func(*evidence) uint64) reason {
	return reason{"EINVAL", "no whole huge pages", "fs/hugetlbfs/inode.c, hugetlbfs_setattr",
		func(e *evidence) bool { return page(e) > 0 && e.number(param)%page(e) != 0 },
		func(e *evidence) string {
			return fmt.Sprintf("the file is made of huge pages, and %s is not a multiple of %s.", amount.Bytes(e.number(param)), amount.Size(page(e)))
		}}
}

// filePageSize is the size of the huge pages that the file is made of, 0 where it is not.
func (e *evidence) filePageSize() uint64 { return e.namedFile().HugePage }

// memfdPageSize is the size of the huge pages that a memfd asks for, 0 if it asks for none.
func (e *evidence) memfdPageSize() uint64 {
	if !e.has("hugetlb") {
		return 0
	}
	return e.PoolPage(mapHugetlb)
}

// mapHugetlb is MAP_HUGETLB without a size.
const mapHugetlb = 0x40000

// diskReasons are those of a file system that has to allocate room.
var diskReasons = []reason{
	{"ENOSPC", "full", "write(2), fallocate(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("the file system of %s has no room left.", e.fileName())
	}},
	{"EDQUOT", "quota", "write(2)", nil, func(*evidence) string { return "the user's quota of the file system is used up." }},
	{"EIO", "device", "write(2)", nil, func(*evidence) string { return "the device failed." }},
}

var fileReasons = slices.Concat([]reason{
	negative("content", "the size", "truncate(2)"),
	tooLarge("truncate(2)"),
}, diskReasons)

var memfdReasons = []reason{
	{"EINVAL", "name", "memfd_create(2)", func(e *evidence) bool { return len(e.text("file")) > longestMemfd },
		func(e *evidence) string {
			return fmt.Sprintf("the name has %d bytes, and that of a memfd has at most %d.", len(e.text("file")), longestMemfd)
		}},
	negative("size", "the size", "truncate(2)"),
	notWholeHuge("size", (*evidence).memfdPageSize),
	noPool("ENOSYS"),
	noPool("ENOENT"),
	{"EMFILE", "open files", "memfd_create(2)", nil, func(*evidence) string { return "cowscope has as many open files as RLIMIT_NOFILE allows." }},
	{"ENFILE", "open files", "memfd_create(2)", nil, func(*evidence) string { return "the system has as many open files as fs.file-max allows." }},
	{"ENOMEM", "no memory", "memfd_create(2)", nil, func(*evidence) string { return "the kernel has no memory for its own records of the file." }},
}

// longestMemfd is how many bytes the name of a memfd can have: 255 with "memfd:" before it.
const longestMemfd = 249

// noPool is for a kernel that has no huge pages at all.
func noPool(result string) reason {
	return reason{result, "no huge pages", "fs/hugetlbfs/inode.c, hugetlb_file_setup", func(e *evidence) bool { return e.has("hugetlb") && e.memfdPageSize() == 0 },
		func(*evidence) string { return "this kernel has no pool of huge pages." }}
}

var sealReasons = []reason{
	{"EINVAL", "unknown seal", "mm/memfd.c, memfd_add_seals", func(e *evidence) bool { return e.has("exec") && !kernel.KnowsSealExec() },
		func(*evidence) string { return "this kernel does not know F_SEAL_EXEC (added in Linux 6.3)." }},
	{"EINVAL", "no seals", "F_ADD_SEALS of fcntl(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("%s is not a file in memory, and only those have seals. `memfd NAME Q sealing` makes one.", e.fileName())
	}},
	{"EPERM", "sealed", "F_ADD_SEALS of fcntl(2)", func(e *evidence) bool { return e.fileSealed(history.SealSeal) },
		func(e *evidence) string {
			return fmt.Sprintf("%s has F_SEAL_SEAL, and takes no other seal. A file in memory has it from the start, unless it is made by memfd with `sealing`.",
				e.fileName())
		}},
	{"EBUSY", "mapped writable", "F_ADD_SEALS of fcntl(2)", func(e *evidence) bool { _, ok := e.writableMapping(); return ok && e.sealsWrites() },
		func(e *evidence) string {
			at, _ := e.writableMapping()
			return fmt.Sprintf("%s is a shared mapping of %s that may have w (VmFlags mw), and F_SEAL_WRITE promises that nobody writes. munmap it first; "+
				"future_write leaves such mappings alone.", at, e.fileName())
		}},
	{"EBUSY", "otherwise", "mm/memfd.c, memfd_add_seals", nil, func(e *evidence) string {
		return fmt.Sprintf("the kernel counts somebody who may still write to %s, through a shared mapping or with a device.", e.fileName())
	}},
}

// sealsWrites says whether the requested seals make the kernel look for writers. For an executable
// file F_SEAL_EXEC implies F_SEAL_WRITE.
func (e *evidence) sealsWrites() bool { return e.has("write") || e.has("exec") }

// writableMapping finds a shared mapping of the named file that may write, in any process.
func (e *evidence) writableMapping() (place string, ok bool) {
	f := e.namedFile()
	for _, p := range e.st.After.Processes {
		for _, m := range p.Mappings.All() {
			if f.ShownBy(m) && !m.Private() && (m.Perms&vmspace.Write != 0 || m.Smaps.HasFlag("mw")) {
				return e.placeIn(p, m.Start), true
			}
		}
	}
	return "", false
}

// placeIn writes a place of any process.
func (e *evidence) placeIn(p *vmspace.Process, addr uint64) string {
	return p.Label + " " + history.PlaceOf(e.st.Names, p, addr, e.st.After.PageSize)
}

var fwriteReasons = slices.Concat([]reason{
	overflows("fs/read_write.c, rw_verify_area"),
	{"EINVAL", "huge pages", "fs/hugetlbfs/inode.c, hugetlbfs_file_operations", func(e *evidence) bool { return e.filePageSize() > 0 },
		func(e *evidence) string {
			return fmt.Sprintf("%s is made of huge pages of the pool (hugetlb): there is no write(2) to them, only stores through a mapping.", e.fileName())
		}},
	tooLarge("write(2)"),
	sealedAgainst("sealed", unwritable, func(*evidence) bool { return true }, "write(2) is refused"),
	sealedAgainst("sealed size", history.SealGrow, func(e *evidence) bool { return e.fileEnd() > e.namedFile().Size }, "writing past its end would make it larger"),
}, diskReasons)

var truncateReasons = []reason{
	negative("size", "the size", "truncate(2)"),
	notWholeHuge("size", (*evidence).filePageSize),
	tooLarge("truncate(2)"),
	sealedAgainst("sealed against shrinking", history.SealShrink, func(e *evidence) bool { return e.number("size") < e.namedFile().Size }, "cannot shrink"),
	sealedAgainst("sealed against growing", history.SealGrow, func(e *evidence) bool { return e.number("size") > e.namedFile().Size }, "cannot grow"),
}

var fallocateReasons = slices.Concat([]reason{
	negative("offset", "the offset", "fallocate(2)"),
	{"EINVAL", "length", "fallocate(2)", func(e *evidence) bool { return e.number("length") == 0 },
		func(*evidence) string { return "the length is 0." }},
	negative("length", "the length", "fallocate(2)"),
	tooLarge("fallocate(2)"),
	{"EOPNOTSUPP", "unknown to the file system", "fallocate(2)", nil, func(e *evidence) string {
		if e.Flags == 0 {
			return fmt.Sprintf("the file system of %s does not support fallocate(2).", e.fileName())
		}
		return fmt.Sprintf("the file system of %s does not support %s.", e.fileName(), e.Names)
	}},
	sealedAgainst("sealed", unwritable, func(e *evidence) bool { return e.has("punch") }, "punching a hole counts as a write"),
	sealedAgainst("sealed size", history.SealGrow, func(e *evidence) bool { return !e.has("punch") && e.fileEnd() > e.namedFile().Size },
		"gets no room past its end"),
	{"ENOSPC", "pool empty", "fs/hugetlbfs/inode.c, hugetlbfs_fallocate", func(e *evidence) bool { return e.filePageSize() > 0 },
		func(e *evidence) string {
			return fmt.Sprintf("the pool has no huge page of %s left for the file.", amount.Size(e.filePageSize()))
		}},
	{"ENOMEM", "no memory", "mm/shmem.c, shmem_fallocate", nil, func(*evidence) string { return "there is no memory for it." }},
}, diskReasons)

var catReasons = []reason{overflows("fs/read_write.c, rw_verify_area")}
