package actions

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"

	"golang.org/x/sys/unix"
)

func allReasonCases() []reasonCase {
	return slices.Concat(mmapCases, rangeCases, mremapCases, madviseCases, lockCases, limitCases, prctlCases, processCases, signalCases, codeCases(), keyCases(), fileCases(), processMadviseCases(), remapCases, mbindCases(), movePagesCases(), uffdCases())
}

// keyCases are those of protection keys. pkey_mprotect refuses all that mprotect does, with the key
// that all memory has.
func keyCases() []reasonCase {
	keys, none := hasFeature("pkeys"), hasNoKeys
	const keyed = "a = mmap 2p rw private anon; pkey_alloc access; pkey_mprotect a rw 1"
	out := []reasonCase{
		{row: "pkey_alloc ENOSPC none left", needs: keys, setup: "a = mmap 1p x private anon" + strings.Repeat("; pkey_alloc", 14), line: "pkey_alloc",
			says: "p1 has 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 from pkey_alloc; key 1 is the kernel's own, for execute-only memory. Nothing has changed."},
		{row: "pkey_alloc ENOSPC no keys", needs: none, prepare: askFirstKey, line: "pkey_alloc", says: "no protection keys"},
		{row: "pkey_free EINVAL no keys", needs: none, line: "pkey_free 1", says: "no protection keys"},
		{row: "pkey_mprotect EINVAL no keys", needs: none, setup: "a = mmap 1p rw private anon", line: "pkey_mprotect a r 0", says: "no protection keys"},
		{row: "signal SIGILL/ILLOPN no protection keys", needs: none, line: "pkey_set 1 write", says: "RDPKRU is not an instruction here"},
		{row: "pkey_free EINVAL not allocated", needs: keys, line: "pkey_free 1", says: "key 1 is not allocated, so it cannot be freed: p1 has no key from pkey_alloc."},
		{row: "pkey_free EINVAL not allocated", needs: keys, setup: "pkey_alloc; a = mmap 1p x private anon", line: "pkey_free 2", says: "key 2 is the kernel's own"},
		{row: "pkey_mprotect EINVAL not allocated", needs: keys, setup: "a = mmap 1p rw private anon; pkey_alloc; pkey_free 1", line: "pkey_mprotect a rw 1",
			says: "key 1 is not allocated, so it cannot be given to memory"},
		{row: "pkey_mprotect EINVAL not allocated", needs: keys, setup: "a = mmap 1p rw private anon", line: "pkey_mprotect a rw -2", says: "key -2"},
		{row: "any EFAULT own memory", needs: keys, setup: "a = mmap 1p rw private anon; pkey_set 0 access", line: "mincore a", says: "(PKRU 0x55555555) forbid"},
		{row: "mlock ENOMEM protection key", needs: keys, setup: keyed, line: "mlock a", says: "a has protection key 1, and with the rights of p1 (PKRU 0x55555554)"},
		{row: "mlock ENOMEM protection key", needs: keys, setup: keyed + "; pkey_set 1 write", line: "mlock a+1p", says: "a has protection key 1"},
		{row: "madvise EPERM sealed and keyed", needs: keys, setup: keyed + "; mseal a", line: "madvise a+1p dontneed",
			says: "a is sealed and has protection key 1, which the rights of p1 (PKRU 0x55555554) do not allow to write with"},
		{row: "madvise EPERM sealed and keyed", needs: keys, setup: keyed + "; pkey_set 1 write; mseal a", line: "madvise a free", says: "`pkey_set 1` would allow it"},
		{row: "madvise EPERM sealed", needs: keys, setup: "a = mmap 2p rw private anon; pkey_alloc access; pkey_mprotect a r 1; mseal a", line: "madvise a wipeonfork", says: "a is sealed and may not be written"},
		{row: "madvise EINVAL protection key", needs: keys, setup: keyed, line: "madvise a populate_read", says: "neither read nor written"},
		{row: "madvise EINVAL protection key", needs: keys, setup: keyed + "; pkey_set 1 write", line: "madvise a populate_write", says: "read, and not written"},
		{row: "signal SIGSEGV/PKUERR execute only", needs: keys, setup: "a = mmap 1p x private anon", line: "read a", says: "the kernel gave it protection key 1"},
		{row: "signal SIGSEGV/PKUERR protection key", needs: keys, setup: keyed, line: "write a 1",
			says: "a has protection key 1, and with the rights of p1 (PKRU 0x55555554) memory that has it may be neither read nor written"},
		{row: "signal SIGSEGV/PKUERR protection key", needs: keys, setup: keyed + "; pkey_set 1 write; mprotect a none", line: "write a 1",
			says: "`pkey_set 1` would allow it"},
		{row: "signal SIGSEGV/PKUERR protection key", needs: keys, setup: keyed + "; madvise a guard_install", line: "read a", says: "key 1"},
		{row: "signal SIGSEGV/PKUERR protection key", needs: keys, setup: "pkey_alloc access; pkey_mprotect stack rw 1", line: "read stack-4p", says: "key 1"},
	}
	for _, c := range rangeCases {
		if strings.HasPrefix(c.row, "mprotect ") {
			c.row, c.line, c.needs = "pkey_"+c.row, "pkey_"+c.line+" 0", both(c.needs, keys)
			out = append(out, c)
		}
	}
	return out
}

// hasFeature is why a feature is missing.
func hasFeature(name string) func() error {
	return func() error {
		why, err := verb.Missing([]string{name})
		if why != "" {
			err = fmt.Errorf("needs %s: %s", name, why)
		}
		return err
	}
}

func hasNoKeys() error {
	if runtime.GOARCH != "amd64" || hasFeature("pkeys")() == nil {
		return fmt.Errorf("needs x86-64 without protection keys")
	}
	return nil
}

// askFirstKey asks for the first key of a process on a machine without any. Some kernels find key 0 there,
// fail to set its rights (EINVAL) and never give it back: from then on no key is left (ENOSPC).
func askFirstKey(l *lab) {
	st := l.do("pkey_alloc")
	if r := st.Result.String(); r != "ENOSPC" && r != "EINVAL" || st.Reason != "pkey_alloc "+r+" no keys" {
		l.Errorf("%s, row %q", r, st.Reason)
	}
}

// beyondMemory is more than the machine can promise, and no more than can be read page by page.
func beyondMemory() string {
	ram, _ := new(kernel.Settings).Meminfo("MemTotal")
	swap, _ := new(kernel.Settings).Meminfo("SwapTotal")
	return fmt.Sprintf("%dg", (ram+swap)>>29+1)
}

func longAddresses() error {
	if kernel.UserTop() <= kernel.MapWindow() {
		return fmt.Errorf("needs page tables of five levels: the user's addresses end at 0x%x", kernel.UserTop())
	}
	return nil
}

func comparesBytes() error {
	if kernel.ComparesRounded() {
		return fmt.Errorf("needs Linux 6.16 or older: this mremap compares rounded sizes")
	}
	return nil
}

// looksFirst is for a refusal that older kernels come to only after others.
func looksFirst() error {
	if !kernel.ComparesRounded() {
		return fmt.Errorf("needs Linux 6.17: this mremap looks at the size after it has counted the memory")
	}
	return nil
}

// A page that leaves no hole for nearly all of the addresses in which the kernel looks for one, and
// more than all of them.
var (
	halfWay   = fmt.Sprintf("mmap 1p rw private anon fixed addr=0x%x", kernel.MapWindow()/8*3&^0xffffffff)
	nearlyAll = fmt.Sprintf("%dt", kernel.MapWindow()>>40-1)
	beyond    = fmt.Sprintf("%dt", kernel.MapWindow()>>40+64)
)

// since and until are for what a version of Linux changed.
func since(major, minor int) func() error {
	return func() error {
		var have [2]int
		release, err := os.ReadFile("/proc/sys/kernel/osrelease")
		if err != nil {
			return err
		}
		if n, _ := fmt.Sscanf(string(release), "%d.%d", &have[0], &have[1]); n < 2 || slices.Compare(have[:], []int{major, minor}) < 0 {
			return fmt.Errorf("needs Linux %d.%d", major, minor)
		}
		return nil
	}
}

func until(major, minor int) func() error {
	return func() error {
		if since(major, minor)() == nil {
			return fmt.Errorf("needs a Linux older than %d.%d", major, minor)
		}
		return nil
	}
}

// ofLine is why the feature is missing that some word of the lines needs.
func (c reasonCase) ofLine() error {
	for word, name := range map[string]string{"mseal": "mseal", "guard_install": "guard", "prctl mdwe": "mdwe", "no_inherit": "mdwe-no-inherit", "prctl ksm": "ksm-process", "uffd_": "uffd", "uffd_move": "uffd-move", "uffd_poison": "uffd-poison", "uffd_continue": "uffd-minor", " minor": "uffd-minor"} {
		if strings.Contains(c.setup+" "+c.line, word) {
			if err := hasFeature(name)(); err != nil {
				return err
			}
		}
	}
	return nil
}

// both asks two needs, the first one if there is one.
func both(a, b func() error) func() error {
	return func() error {
		if a != nil {
			if err := a(); err != nil {
				return err
			}
		}
		return b()
	}
}

func readOnly(l *lab)  { l.file(2*int64(ps), unix.O_RDONLY) }
func readWrite(l *lab) { l.file(2*int64(ps), unix.O_RDWR) }

// lentPages is how many pages the kernel lends to every process under a name.
func lentPages(name string) uint64 {
	text, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(text)) {
		var r vmspace.Range
		if n, _ := fmt.Sscanf(line, "%x-%x", &r.Start, &r.End); n == 2 && strings.HasSuffix(line, " "+name+"\n") {
			return r.Pages(ps)
		}
	}
	return 0
}

// vdsoHasPages wants a vdso that can be split.
func vdsoHasPages() error {
	if lentPages("[vdso]") < 2 {
		return fmt.Errorf("needs a vdso of two pages: with pages of %s it is one", pages(1))
	}
	return nil
}

func noLocks(l *lab) {
	l.limits(unix.RLIMIT_MEMLOCK, 0)
	l.ordinary()
}

// fourLocks lets an ordinary user lock four pages.
func fourLocks(l *lab) {
	l.limits(unix.RLIMIT_MEMLOCK, 4*ps)
	l.ordinary()
}

var mmapCases = []reasonCase{
	{row: "mmap EINVAL offset", line: "mmap 4p rw private anon offset=100", says: fmt.Sprintf("EINVAL: the offset 100 is not a multiple of the page size, %d. Nothing was mapped.", ps)},
	{row: "mmap EINVAL hugetlb with a file", prepare: readWrite, line: "mmap 2m rw private hugetlb fd=3", says: "hugetlb goes with anon"},
	{row: "mmap EINVAL length", line: "mmap 0 rw private anon", says: "the length is 0"},
	{row: "mmap EINVAL length wraps", line: "mmap 0xffffffffffffffff rw private anon hugetlb_2m", says: "whole huge pages"},
	{row: "mmap EINVAL fixed address", line: "mmap 1p rw private anon fixed addr=0x10000001", says: "0x10000001"},
	{row: "mmap EINVAL fixed huge address", line: "mmap 2m rw private anon noreserve hugetlb_2m fixed addr=0x10000000+1p", says: "2 MiB"},
	{row: "mmap EINVAL no sharing", line: "mmap 4p rw anon", says: "neither was given"},
	{row: "mmap EINVAL droppable and shared", line: "mmap 1p rw private droppable anon", says: "a kind of its own"},
	{row: "mmap EINVAL droppable and shared", line: "mmap 1p rw shared droppable anon", says: "given without them"},
	{row: "mmap EINVAL unknown droppable", needs: until(6, 11), line: "mmap 1p rw droppable anon", says: "added in Linux 6.11"},
	{row: "mmap EINVAL droppable file", needs: hasFeature("droppable"), prepare: readWrite, line: "mmap 1p rw droppable fd=3", says: "only anonymous memory"},
	{row: "mmap EINVAL droppable and kept", needs: hasFeature("droppable"), line: "mmap 1p rw droppable anon locked", says: "neither locked nor"},
	{row: "mmap EINVAL droppable and kept", needs: hasFeature("droppable"), line: "mmap 2m rw droppable anon hugetlb_2m noreserve", says: "neither locked nor"},
	{row: "mmap EINVAL growsdown", needs: hasFeature("droppable"), line: "mmap 1p rw droppable anon growsdown", says: "grow downwards"},
	{row: "mmap ENOMEM RLIMIT_AS", setup: "a = mmap 4p rw shared anon; setrlimit as 64k", line: "mmap 1p rw private anon fixed addr=a+1p", says: "not even in place of another"},
	{row: "mmap ENOMEM RLIMIT_DATA", needs: hasFeature("droppable"), limit: func(l *lab) { l.limits(unix.RLIMIT_DATA, 64<<10) }, line: "mmap 1m rw droppable anon", says: "RLIMIT_DATA allows 64 KiB"},
	{row: "mmap EINVAL validate without file", line: "mmap 4p rw private shared anon", says: "the number 3"},
	{row: "mmap EINVAL validate without file", line: "mmap 4p rw shared_validate anon", says: "for files"},
	{row: "mmap EINVAL growsdown", line: "mmap 4p rw shared anon growsdown", says: "grow downwards"},
	{row: "mmap EINVAL growsdown", prepare: readWrite, line: "mmap 1p rw private growsdown fd=3", says: "grow downwards"},
	{row: "mmap EINVAL huge offset", line: "mmap 2m rw private anon noreserve hugetlb_2m offset=1p", says: "2 MiB"},
	{row: "mmap EINVAL splits what is lent", needs: both(vdsoHasPages, since(6, 12)), line: "mmap 1p rw private anon fixed addr=vdso", says: "vdso is lent by the kernel"},
	{row: "mmap ENOMEM splits what is lent", needs: both(vdsoHasPages, until(6, 12)), line: "mmap 1p rw private anon fixed addr=vdso", says: "vdso is lent by the kernel"},
	{row: "mmap ENOMEM splits a huge page", needs: until(6, 12), setup: "a = mmap 2m rw private anon hugetlb_2m noreserve", line: "mmap 1p rw private anon fixed addr=a", says: "between two of them"},
	{row: "mmap EINVAL splits a huge page", needs: since(6, 12), setup: "a = mmap 2m rw private anon hugetlb_2m noreserve", line: "mmap 1p rw private anon fixed addr=a", says: "between two of them"},
	{row: "mmap EBADF no descriptor", line: "mmap 4p rw private", says: "file=NAME"},
	{row: "mmap EBADF not open", line: "mmap 4p rw private fd=99", says: "descriptor 99 is not open in p1"},
	{row: "mmap EBADF otherwise", prepare: func(l *lab) { l.file(2*int64(ps), unix.O_PATH) }, line: "mmap 1p r private fd=3", says: "O_PATH"},
	{row: "mmap EACCES not readable", setup: "file data 1p", line: "mmap 1p w shared file=data wronly", says: "data is not open for reading"},
	{row: "mmap EACCES not writable", setup: "file data 1p", line: "mmap 1p rw shared file=data rdonly", says: "data is open for reading only"},
	{row: "mmap ENODEV directory", line: "mmap 1p r private file=.", says: "is a directory"},
	{row: "mmap EACCES not readable", prepare: func(l *lab) { l.file(2*int64(ps), unix.O_WRONLY) }, line: "mmap 1p w shared fd=3", says: "not open for reading"},
	{row: "mmap EACCES not writable", prepare: readOnly, line: "mmap 1p rw shared fd=3", says: "private would not"},
	{row: "mmap EACCES otherwise", needs: asRoot, prepare: func(l *lab) {
		name := l.file(2*int64(ps), unix.O_RDWR)
		f, err := os.Open(name)
		if err != nil {
			l.Fatal(err)
		}
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, appendOnly); err != nil {
			l.Fatal(err)
		}
		l.Cleanup(func() {
			if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0); err != nil {
				l.Error(err)
			}
			f.Close()
		})
	}, line: "mmap 1p r shared fd=3", says: "chattr +a"},
	{row: "mmap ENODEV directory", prepare: func(l *lab) { l.opens("/", unix.O_RDONLY) }, line: "mmap 1p r private fd=3", says: "/ is a directory"},
	{row: "mmap ENODEV unmappable", prepare: func(l *lab) { l.opens("/dev/null", unix.O_RDWR) }, line: "mmap 1p r private fd=3", says: "/dev/null cannot be mapped"},
	{row: "mmap ENODEV unmappable", prepare: func(l *lab) { l.opens("/sys/kernel/uevent_seqnum", unix.O_RDONLY) }, setup: "a = mmap 4p rw private anon; fill a 1",
		line: "mmap 2p r private fixed addr=a+1p fd=3", says: "does not support it. Yet a+1p (2 pages) changed already: unmapped."}, // who is asked last is the file
	{row: "mmap EEXIST taken", setup: "a = mmap 4p rw private anon", line: "mmap 1p rw private anon fixed_noreplace addr=a+1p", says: "a is mapped there already, at 0x"},
	{row: "mmap EEXIST taken", line: "mmap 8p rw private anon fixed_noreplace addr=stack", says: "stack is mapped there"},
	{row: "mmap EOVERFLOW past the largest offset", prepare: readOnly, line: "mmap 1p r private fd=3 offset=0x8000000000000000", says: "0x8000000000000000 and " + pages(1)},
	{row: "mmap EOPNOTSUPP fixed_noreplace validated", prepare: readOnly, line: "mmap 1p r shared_validate fixed_noreplace addr=0x10000000 fd=3", says: "use shared"},
	{row: "mmap EOPNOTSUPP unknown flags", prepare: readOnly, line: "mmap 1p r shared_validate flags=0x5001000 fd=3", says: "neither it nor the file knows: 0x1000000."},
	{row: "mmap EINVAL no such sharing", line: "mmap 1p rw private anon flags=0xc", says: "are 0xe, which is none of shared (1), private (2), shared_validate (3) and droppable (8)"},
	{row: "mmap EINVAL droppable file", needs: since(6, 11), prepare: readOnly, line: "mmap 1p r fd=3 flags=8", says: "only anonymous memory"},
	{row: "mmap EINVAL unknown droppable", needs: until(6, 11), prepare: readOnly, line: "mmap 1p r fd=3 flags=8", says: "added in Linux 6.11"},
	{row: "mmap EINVAL unknown droppable", needs: until(6, 11), line: "mmap 1p rw anon flags=8", says: "added in Linux 6.11"},
	{row: "mmap EINVAL droppable and kept", needs: since(6, 11), line: "mmap 1p rw anon locked flags=8", says: "neither locked nor"},
	{row: "mmap EINVAL no sharing", line: "mmap 1p rw flags=0x20", says: "neither was given"},
	{row: "mmap EINVAL validate without file", line: "mmap 1p rw anon flags=3", says: "shared_validate is for files"},
	{row: "mmap EINVAL huge page size", line: "mmap 1p rw private anon flags=0x3c040000", says: "no huge pages of 32 KiB"},
	{row: "mmap EOPNOTSUPP sync", prepare: readOnly, line: "mmap 1p r shared_validate sync fd=3", says: "DAX"},
	{row: "mmap EAGAIN locked memory", limit: fourLocks, setup: "a = mmap 1p rw private anon; mlock a", line: "mmap 4p rw private anon locked",
		says: pages(4) + " more would be locked, " + pages(1) + " are already, and RLIMIT_MEMLOCK allows " + pages(4)},
	{row: "mmap EAGAIN locked memory", limit: fourLocks, setup: "mlockall future", line: "mmap 5p rw private anon", says: "mlockall future"},
	{row: "mmap EPERM sealed", setup: "a = mmap 4p rw private anon; mseal a", line: "mmap 1p rw private anon fixed addr=a+1p", says: "a is sealed"},
	{row: "mmap EPERM too low", limit: (*lab).ordinary, line: "mmap 1p rw private anon fixed addr=0x0", says: "mmap_min_addr, 0x"},
	{row: "mmap EPERM may lock nothing", limit: noLocks, line: "mmap 1p rw private anon locked", says: "RLIMIT_MEMLOCK is 0"},
	{row: "mmap EPERM file sealed", prepare: func(l *lab) {
		l.lend([]byte("sealed\x00"), func(at uint64) { l.raw(unix.SYS_MEMFD_CREATE, at, unix.MFD_ALLOW_SEALING) })
		l.raw(unix.SYS_FTRUNCATE, 3, 2*ps)
		l.raw(unix.SYS_FCNTL, 3, unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
	}, line: "mmap 1p rw shared fd=3", says: "is sealed against writing"},
	{row: "mmap EPERM noexec", prepare: func(l *lab) { l.opens("/proc/self/maps", unix.O_RDONLY) }, line: "mmap 1p rx private fd=3", says: "noexec"},
	{row: "mmap ENOMEM length wraps", line: "mmap 0xffffffffffffffff rw private anon", says: "64 bits"},
	{row: "mmap ENOMEM longer than the address space", line: "mmap 100000t rw private anon noreserve", says: "97.7 PiB do not fit below 0x"},
	{row: "mmap ENOMEM past the end", line: fmt.Sprintf("mmap 1g rw private anon fixed addr=0x%x", kernel.UserTop()-1<<16), says: "the end of the user's addresses"},
	{row: "mmap ENOMEM no hole", needs: longAddresses, line: "mmap " + beyond + " rw private anon noreserve", says: "The kernel looks above it only if"},
	{row: "mmap ENOMEM no hole", setup: halfWay, line: "mmap " + nearlyAll + " rw private anon noreserve", says: "the largest between the mappings has " + amount.Size(kernel.MapWindow() - kernel.MapWindow()/8*3)[:2]},
	{row: "mmap ENOMEM RLIMIT_AS", limit: func(l *lab) { l.limits(unix.RLIMIT_AS, 1<<20) }, line: "mmap 1m rw private anon", says: "RLIMIT_AS allows 1 MiB"},
	{row: "mmap ENOMEM RLIMIT_DATA", limit: func(l *lab) { l.limits(unix.RLIMIT_DATA, 64<<10) }, line: "mmap 1m rw private anon", says: "RLIMIT_DATA allows 64 KiB"},
	{row: "mmap ENOMEM overcommit", line: "mmap 100t rw private anon", says: "more than all memory and swap together"},
	{row: "mmap ENOMEM overcommit", line: "mmap 100t r shared anon", says: "more than all memory and swap together"},
	{row: "mmap ENOMEM no huge pages", line: "mmap 1t rw private anon hugetlb_2m", says: "524288 huge pages of 2 MiB would be needed"},
	{row: "mmap EINVAL otherwise", prepare: func(l *lab) { l.opens(btf, unix.O_RDONLY) }, needs: hasBTF, line: "mmap 1p r private fd=3 offset=1g", says: "driver"},
}

var rangeCases = []reasonCase{
	{row: "mincore EINVAL misaligned", setup: "a = mmap 4p rw private anon", line: "mincore a+1 1p", says: "a+1 is 0x"},
	{row: "mincore ENOMEM hole", setup: "a = mmap 4p rw private anon; munmap a+2p 1p", line: "mincore a", says: "nothing is mapped at a+2p"},
	{row: "mincore ENOMEM wraps", line: "mincore 0xffffffffffff0000 65535", says: "past the last address"},
	{row: "munmap EINVAL misaligned", setup: "a = mmap 4p rw private anon", line: "munmap a+1 1p", says: "a+1 is 0x"},
	{row: "munmap EINVAL past the end", line: "munmap 0xffffffffffff0000 0", says: "past 0x"},
	{row: "munmap EINVAL length", setup: "a = mmap 4p rw private anon", line: "munmap a 0", says: "the length is 0. Nothing has changed."},
	{row: "munmap EINVAL splits what is lent", needs: vdsoHasPages, line: "munmap vdso+1p 1p", says: "vdso is lent by the kernel"},
	{row: "munmap EINVAL splits a huge page", setup: "a = mmap 4m rw private anon hugetlb_2m noreserve", line: "munmap a+1p 2m", says: "between two of them"},
	{row: "munmap EPERM sealed", setup: "a = mmap 4p rw private anon; b = mmap 4p r private anon; mseal b", line: "munmap b 8p", says: "b is sealed"},
	{row: "mprotect EINVAL misaligned", setup: "a = mmap 4p rw private anon", line: "mprotect a+1p+7 1p r", says: "a+1p+7 is 0x"},
	{row: "mprotect EINVAL grows both ways", setup: "a = mmap 4p rw private anon", line: "mprotect a 0x3000001", says: "extended one way"},
	{row: "mprotect EINVAL unknown protection", setup: "a = mmap 4p rw private anon", line: "mprotect a 0x90", says: "0x"},
	{row: "mprotect EINVAL unknown protection", setup: "a = mmap 4p rw private anon", line: "mprotect a 0x100000043", says: "this kernel does not know the protection 0x100000040"},
	{row: "mprotect EINVAL does not grow down", setup: "a = mmap 4p rw private anon", line: "mprotect a 0x1000001", says: "a does not (VmFlags has no gd)"},
	{row: "mprotect EINVAL does not grow up", setup: "a = mmap 4p rw private anon", line: "mprotect a 0x2000001", says: "on this processor none does"},
	{row: "mprotect EINVAL splits what is lent", needs: vdsoHasPages, line: "mprotect vdso 1p r", says: "vdso is lent by the kernel"},
	{row: "mprotect EINVAL splits a huge page", setup: "a = mmap 4m rw private anon hugetlb_2m noreserve", line: "mprotect a+1p 2m r", says: "between two of them"},
	{row: "mprotect ENOMEM wraps", line: "mprotect 0xffffffffffff0000 65535 r", says: "past the last address"},
	{row: "mprotect EACCES file not writable", prepare: readOnly, setup: "a = mmap 1p r shared fd=3", line: "mprotect a rw", says: "a is a shared mapping of a file that was not opened for writing"},
	{row: "mprotect EACCES never executable", needs: hasBTF, prepare: func(l *lab) { l.opens(btf, unix.O_RDONLY) }, setup: "a = mmap 1p r private fd=3", line: "mprotect a rx", says: "no me"},
	{row: "mprotect EPERM sealed", setup: "a = mmap 4p rw private anon; mseal a", line: "mprotect a r", says: "a is sealed"},
	{row: "mprotect EACCES mdwe", setup: "a = mmap 1p r private anon; prctl mdwe", line: "mprotect a rx", says: "A new mapping may be, without w."},
	{row: "mprotect EACCES mdwe", setup: "a = mmap 1p rwx private anon; prctl mdwe", line: "mprotect a rwx", says: "be writable and executable"},
	{row: "mprotect ENOMEM RLIMIT_DATA", setup: "a = mmap 1m r private anon", limit: func(l *lab) { l.limits(unix.RLIMIT_DATA, 64<<10) }, line: "mprotect a rw", says: "RLIMIT_DATA allows 64 KiB"},
	{row: "mprotect ENOMEM overcommit", setup: "a = mmap " + beyondMemory() + " r private anon", line: "mprotect a rw", says: "are more than all memory"},
	{row: "mprotect ENOMEM hole", setup: "a = mmap 4p rw private anon; munmap a+2p 1p", line: "mprotect a r", says: "nothing is mapped at a+2p. Yet a+0 (2 pages) changed already: rw-p → r--p."},
	{row: "mprotect ENOMEM hole", line: "mprotect 0x10000 1p rw", says: "nothing is mapped at 0x10000. Nothing has changed."},
	{row: "msync EINVAL unknown flags", setup: "a = mmap 4p rw private anon", line: "msync a+1 flags=8", says: "flag 0x8 is not known to this kernel"},
	{row: "msync EINVAL sync and async", setup: "a = mmap 4p rw private anon", line: "msync a sync flags=1", says: "only one"},
	{row: "msync EINVAL misaligned", setup: "a = mmap 4p rw private anon", line: "msync a+1", says: "a+1 is 0x"},
	{row: "msync EINVAL sync and async", setup: "a = mmap 4p rw private anon", line: "msync a sync async", says: "only one"},
	{row: "msync ENOMEM wraps", line: "msync 0xffffffffffff0000 65535", says: "past the last address"},
	{row: "msync EBUSY locked", setup: "a = mmap 4p rw shared anon; mlock a", line: "msync a invalidate", says: "a is locked"},
	{row: "msync ENOMEM hole", setup: "a = mmap 4p rw private anon; munmap a+2p 1p", line: "msync a", says: "nothing is mapped at a+2p"},
	{row: "mseal EINVAL unknown flags", setup: "a = mmap 4p rw private anon", line: "mseal a flags=1", says: "mseal has none"},
	{row: "mseal EINVAL misaligned", setup: "a = mmap 4p rw private anon", line: "mseal a+1", says: "a+1 is 0x"},
	{row: "mseal EINVAL wraps", line: "mseal 0xffffffffffff0000 65535", says: "past the last address"},
	{row: "mseal EINVAL splits what is lent", needs: vdsoHasPages, line: "mseal vdso 1p", says: "vdso is lent by the kernel"},
	{row: "mseal EINVAL splits a huge page", setup: "a = mmap 4m rw private anon hugetlb_2m noreserve", line: "mseal a+1p 2m", says: "between two of them"},
	{row: "mseal ENOMEM hole", setup: "a = mmap 4p rw private anon; munmap a+2p 1p", line: "mseal a", says: "nothing is mapped at a+2p. Nothing has changed."},
	{row: "brk ENOMEM below the heap", setup: "brk +1p", line: "brk 0x1000", says: "0x1000 lies below 0x"},
	{row: "mmap ENOMEM RLIMIT_DATA", setup: "a = mmap 2p r private anon; mmap 4p rw private anon; setrlimit data 5000", line: "mmap 2p rw private anon fixed addr=a", says: "RLIMIT_DATA allows"},
	{row: "brk ENOMEM RLIMIT_DATA", setup: "brk +1p", limit: func(l *lab) { l.limits(unix.RLIMIT_DATA, 64<<10) }, line: "brk +1m", says: "RLIMIT_DATA allows 64 KiB. The end of the heap stays where it is."},
	{row: "brk ENOMEM sealed", setup: "brk +4p; mseal heap", line: "brk -1p", says: "the heap is sealed"},
	{row: "brk ENOMEM past the end", line: "brk 0x100000000000000", says: "lies past 0x"},
	{row: "brk ENOMEM locked memory", setup: "mlockall future; brk +2p", limit: fourLocks, line: "brk +4p", says: pages(4) + " more would be locked, " + pages(2) + " are"},
	{row: "brk ENOMEM in the way", setup: "brk +1p; a = mmap 1p r private anon fixed addr=heap+16p", line: "brk +15p", says: "a at 0x"},
	{row: "brk ENOMEM RLIMIT_AS", limit: func(l *lab) { l.limits(unix.RLIMIT_AS, 1<<20) }, line: "brk +1m", says: "RLIMIT_AS allows 1 MiB"},
	{row: "brk ENOMEM data", setup: "brk +1p; mmap 15p rw private anon", limit: func(l *lab) { l.limits(unix.RLIMIT_DATA, 16*ps) }, line: "brk +8p", says: "RLIMIT_DATA allows " + pages(16)},
	{row: "brk ENOMEM overcommit", line: "brk +100t", says: "100 TiB are more"},
	{row: "mprotect EACCES file sealed", setup: "memfd m 2p sealing; seal m future_write; a = mmap 2p r shared file=m", line: "mprotect a+1p rw", says: "a is a shared mapping of m that may never have w (VmFlags has no mw): m has the seal future_write"},
	{row: "mprotect EACCES file not writable", setup: "memfd m 2p sealing; a = mmap 2p r shared file=m rdonly", line: "mprotect a rw", says: "was not opened for writing"},
}

var mremapCases = []reasonCase{
	{row: "mremap EINVAL unknown flags", setup: "a = mmap 4p rw private anon", line: "mremap a+1 2p maymove flags=0x18", says: "the flags 0x18 are not known to this kernel"},
	{row: "mremap EINVAL without maymove", setup: "a = mmap 4p rw private anon", line: "mremap a 4p flags=2", says: "maymove"},
	{row: "mremap EINVAL misaligned", setup: "a = mmap 4p rw private anon", line: "mremap a+1 1p 2p", says: "a+1 is 0x"},
	{row: "mremap EINVAL new size 0", setup: "a = mmap 4p rw private anon", line: "mremap a 0", says: "the new size is 0"},
	{row: "mremap EINVAL too large", needs: looksFirst, setup: "a = mmap 4p rw private anon", line: "mremap a 100000t maymove", says: "97.7 PiB do not fit"},
	{row: "mremap EINVAL past the end", setup: "a = mmap 4p rw private anon", line: fmt.Sprintf("mremap a 4p maymove fixed=0x%x", kernel.UserTop()), says: fmt.Sprintf("0x%x and %s more", kernel.UserTop(), pages(4))},
	{row: "mremap EINVAL fixed address", setup: "a = mmap 4p rw private anon", line: "mremap a 4p maymove fixed=0x10000001", says: "0x10000001"},
	{row: "mremap EINVAL without maymove", setup: "a = mmap 4p rw private anon", line: "mremap a 4p fixed=0x10000000", says: "maymove"},
	{row: "mremap EINVAL dontunmap rounds", needs: comparesBytes, setup: "a = mmap 1p rw private anon", line: "mremap a 1p 100 maymove dontunmap", says: "this kernel compares before it rounds"},
	{row: "mremap EINVAL dontunmap resizes", setup: "a = mmap 4p rw private anon", line: "mremap a 8p maymove dontunmap", says: pages(4) + " cannot become " + pages(8)},
	{row: "mremap EINVAL overlap", setup: "a = mmap 4p rw private anon", line: "mremap a 4p maymove fixed=a+1p", says: "overlaps"},
	{row: "mremap EINVAL duplicate of private", setup: "a = mmap 4p rw private anon", line: "mremap a 0 4p maymove", says: "only shared memory"},
	{row: "mremap ENOMEM copy without maymove", setup: "a = mmap 4p rw shared anon", line: "mremap a 0 4p", says: "needs maymove"},
	{row: "mremap EINVAL lent by the kernel", line: fmt.Sprintf("mremap vvar %dp maymove dontunmap", lentPages("[vvar]")), says: "vvar is lent"},
	{row: "mremap EINVAL huge pages of the pool", setup: "a = mmap 2m rw private anon hugetlb_2m noreserve", line: "mremap a 8m maymove", says: "cannot grow"},
	{row: "mremap EINVAL splits what is lent", needs: vdsoHasPages, line: "mremap vdso 1p", says: "vdso is lent by the kernel, which"},
	{row: "mremap EINVAL moves part of what is lent", needs: vdsoHasPages, line: "mremap vdso 1p 1p maymove fixed=0x10000000", says: "vdso is lent by the kernel, which"},
	{row: "mremap EINVAL replaces part of what is lent", needs: vdsoHasPages, setup: "a = mmap 1p rw private anon", line: "mremap a 1p maymove fixed=vdso", says: "vdso is lent by the kernel, which"},
	{row: "mremap EINVAL cuts a huge page", setup: "h = mmap 2m rw private anon noreserve hugetlb_2m fixed addr=0x20000000; a = mmap 4p rw private anon fixed addr=0x20000000-4p",
		line: "mremap a 8p 2p", says: "h is made of huge pages of the pool"},
	{row: "mremap EINVAL splits a huge page", setup: "a = mmap 2m rw private anon hugetlb_2m noreserve; b = mmap 1p rw private anon", line: "mremap b 1p maymove fixed=a", says: "a is made of huge pages"},
	{row: "mremap EFAULT replaces itself", setup: "a = mmap 2p rw shared anon", line: "mremap a 0 2p maymove fixed=a", says: "would replace the mapping"},
	{row: "mremap EPERM sealed", setup: "a = mmap 4p rw private anon; mseal a", line: "mremap a 8p maymove", says: "a is sealed"},
	{row: "mremap EPERM cuts a sealed one", setup: "a = mmap 4p rw private anon; mseal a+3p", line: "mremap a 2p", says: "a+3p is sealed"},
	{row: "mremap EPERM target sealed", setup: "a = mmap 4p rw private anon; b = mmap 4p r private anon; mseal b", line: "mremap a 4p maymove fixed=b", says: "b is sealed"},
	{row: "mremap EPERM too low", setup: "a = mmap 1p rw private anon", limit: (*lab).ordinary, line: "mremap a 1p maymove fixed=0x0", says: "mmap_min_addr"},
	{row: "mremap EFAULT nothing there", line: "mremap 0x10000 8p maymove", says: "nothing is mapped at 0x10000"},
	{row: "mremap EFAULT past the mapping", setup: "a = mmap 4p rw private anon; mprotect a+2p r", line: "mremap a 8p maymove", says: "one mapping can be resized at a time"},
	{row: "mremap EFAULT cannot grow", line: "mremap vdso 8p maymove", says: "vdso is lent by the kernel"},
	{row: "mremap EAGAIN locked memory", setup: "a = mmap 2p rw private anon; mlock a", limit: fourLocks, line: "mremap a 6p maymove", says: pages(4) + " more would be locked, " + pages(2) + " are already"},
	{row: "mremap ENOMEM RLIMIT_AS", setup: "a = mmap 4p r private anon", limit: func(l *lab) { l.limits(unix.RLIMIT_AS, 1<<20) }, line: "mremap a 2m maymove", says: "RLIMIT_AS allows 1 MiB"},
	{row: "mremap ENOMEM RLIMIT_AS", setup: "a = mmap 64p r private anon", limit: func(l *lab) { l.limits(unix.RLIMIT_AS, 128*ps) }, line: "mremap a 64p maymove dontunmap", says: pages(64) + " more"},
	{row: "mremap ENOMEM RLIMIT_DATA", setup: "a = mmap 4p rw private anon", limit: func(l *lab) { l.limits(unix.RLIMIT_DATA, 64<<10) }, line: "mremap a 2m maymove", says: "RLIMIT_DATA allows 64 KiB"},
	{row: "mremap ENOMEM overcommit", setup: "a = mmap 4p rw private anon", line: "mremap a 100t maymove", says: "more than all memory and swap"},
	{row: "mremap ENOMEM may not move", setup: "b = mmap 4p r private anon; a = mmap 4p rw private anon", line: "mremap a 8p", says: "b follows at 0x"},
	{row: "mremap ENOMEM no hole", setup: halfWay + "; a = mmap 1p rw private anon noreserve", line: "mremap a " + nearlyAll + " maymove", says: "the largest between the mappings has"},
}

// inSmallPages are lines that a block of a gets no huge page by, until it is collapsed.
func inSmallPages(lines string) string {
	return "a = mmap " + blocks(1) + " rw private anon" + onBlock + "; madvise a nohugepage; " + lines + "; madvise a hugepage"
}

var collapsesWritable = both(hasFeature("collapse"), until(6, 18))

var madviseCases = []reasonCase{
	{row: "madvise EINVAL misaligned", setup: "a = mmap 4p rw private anon", line: "madvise a+1 1p dontneed", says: "a+1 is 0x"},
	{row: "madvise EINVAL wraps", line: "madvise 0xffffffffffff0000 65535 dontneed", says: "past the last address"},
	{row: "madvise EINVAL locked", setup: "a = mmap 4p rw private anon; mlock a", line: "madvise a dontneed", says: "a is locked"},
	{row: "madvise EINVAL locked", setup: "a = mmap 4p rw private anon; mlock a", line: "madvise a guard_install", says: "a is locked"},
	{row: "madvise EINVAL huge pages of the pool", setup: "a = mmap 2m rw private anon noreserve hugetlb_2m", line: "madvise a cold", says: "hugetlb"},
	{row: "madvise EINVAL lent by the kernel", line: "madvise vvar dontneed", says: "vvar is lent"},
	{row: "madvise EINVAL special", line: "madvise vdso dodump", says: "vdso is lent"},
	{row: "madvise EINVAL droppable", needs: hasFeature("droppable"), setup: "a = mmap 4p rw droppable anon", line: "madvise a keeponfork", says: "a is droppable (VmFlags dp)"},
	{row: "madvise EINVAL droppable", needs: hasFeature("droppable"), setup: "a = mmap 4p rw droppable anon", line: "madvise a dodump", says: "a is droppable (VmFlags dp)"},
	{row: "madvise EINVAL not anonymous", setup: "a = mmap 4p rw shared anon", line: "madvise a free", says: "a is not private anonymous"},
	{row: "madvise EINVAL unknown advice", setup: "a = mmap 4p rw private anon", line: "madvise a 0x12345", says: "this kernel does not know advice 0x12345"},
	{row: "madvise EINVAL no file", setup: "a = mmap 4p rw private anon", line: "madvise a 9", says: "a has no file"},
	{row: "madvise EINVAL not private anonymous", prepare: readOnly, setup: "a = mmap 1p r private fd=3", line: "madvise a wipeonfork", says: "wiped in a child"},
	{row: "madvise EINVAL no file", setup: "a = mmap 4p rw private anon", line: "madvise a remove", says: "a has no file"},
	{row: "madvise EINVAL no whole huge page", setup: "a = mmap 4p rw private anon", line: "madvise a collapse", says: "no aligned block of " + amount.Size(huge)},
	{row: "madvise EINVAL no huge pages wanted", setup: "a = mmap " + blocks(2) + " rw private anon" + onBlock + "; madvise a nohugepage", line: "madvise a collapse", says: "VmFlags nh"},
	{row: "madvise EINVAL empty block", setup: "a = mmap " + blocks(1) + " rw private anon fixed addr=0x20000000", line: "madvise a collapse", says: "the " + amount.Size(huge) + " at a have no page yet"},
	{row: "madvise EINVAL guard in a huge page", needs: hasFeature("collapse"), setup: inSmallPages("write a 1; madvise a+3p 1p guard_install"), line: "madvise a collapse", says: "a+3p is a guard page, and a huge page cannot contain one"},
	{row: "madvise EINVAL zero pages", needs: hasFeature("collapse"), setup: inSmallPages("touch a read"), line: "madvise a collapse", says: "the " + amount.Size(huge) + " at a show the kernel's page of zeros"},
	{row: "madvise EINVAL nothing may be written", needs: collapsesWritable, setup: inSmallPages("write a 1; mprotect a r"), line: "madvise a collapse", says: "all pages of the " + amount.Size(huge) + " at a are write-protected"},
	{row: "madvise EINVAL nothing may be written", needs: collapsesWritable, setup: inSmallPages("write a 1; fork"), line: "madvise a collapse", says: "may write to one of them"},
	{row: "madvise EINVAL nothing may be written", needs: collapsesWritable, setup: inSmallPages("write a 1; fork; @p2 kill"), line: "madvise a collapse", says: "before Linux 6.18"},
	{row: "madvise EINVAL otherwise", needs: noSharedHugePages, setup: "a = mmap " + blocks(2) + " rw shared anon" + onBlock, line: "madvise a collapse", says: "not for a mapping of this kind, or for pages like these"},
	{row: "madvise EINVAL splits what is lent", needs: vdsoHasPages, line: "madvise vdso 1p dontfork", says: "vdso is lent by the kernel"},
	{row: "madvise EFAULT pool empty", needs: emptyPool, setup: "a = mmap 2m rw private anon hugetlb_2m noreserve", line: "madvise a populate_write", says: "the pool gave none"},
	{row: "madvise EINVAL splits a huge page", setup: "a = mmap 4m rw private anon hugetlb_2m noreserve", line: "madvise a+1p 2m dontneed", says: "between two of them"},
	{row: "madvise EINVAL not readable", setup: "a = mmap 4p none private anon", line: "madvise a populate_read", says: "a does not have the letter r"},
	{row: "madvise EINVAL not writable", setup: "a = mmap 4p r private anon", line: "madvise a populate_write", says: "a does not have the letter w"},
	{row: "madvise EFAULT guarded", setup: "a = mmap 4p rw private anon; madvise a+2p 1p guard_install", line: "madvise a populate_read", says: "a+2p is a guard page"},
	{row: "madvise EFAULT past the file", prepare: readOnly, setup: "a = mmap 4p r private fd=3", line: "madvise a populate_read", says: "the file has " + pages(2) + " and ends before a+2p"},
	{row: "madvise EFAULT otherwise", needs: asUser, setup: "a = mmap 1p rw shared anon; mremap a 4p maymove", line: "madvise a populate_read", says: "past the end of its file"},
	{row: "madvise EACCES not shared and writable", prepare: readOnly, setup: "a = mmap 1p r shared fd=3", line: "madvise a remove", says: "punching a hole counts as a write"},
	{row: "madvise EPERM sealed", setup: "a = mmap 4p r private anon; mseal a", line: "madvise a dontneed", says: "a is sealed"},
	{row: "madvise EPERM otherwise", prepare: func(l *lab) {
		l.lend([]byte("sealed\x00"), func(at uint64) { l.raw(unix.SYS_MEMFD_CREATE, at, unix.MFD_ALLOW_SEALING) })
		l.raw(unix.SYS_FTRUNCATE, 3, 2*ps)
	}, setup: "a = mmap 2p rw shared fd=3", limit: func(l *lab) { l.raw(unix.SYS_FCNTL, 3, unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE) },
		line: "madvise a remove", says: "a seal"},
	{row: "madvise ENOMEM hole", setup: "a = mmap 4p rw private anon; fill a 1; munmap a+2p 1p", line: "madvise a dontneed",
		says: "nothing is mapped at a+2p. Yet a+0 (2 pages) changed already: anon → none, and more."},
}

var lockCases = []reasonCase{
	{row: "mlock EPERM may lock nothing", setup: "a = mmap 1p rw private anon", limit: noLocks, line: "mlock a", says: "RLIMIT_MEMLOCK is 0"},
	{row: "mlock ENOMEM RLIMIT_MEMLOCK", setup: "a = mmap 16p rw private anon; mlock a 3p", limit: fourLocks, line: "mlock a+3p 2p", says: pages(2) + " more would be locked, " + pages(3) + " are already, and RLIMIT_MEMLOCK allows " + pages(4)},
	{row: "mlock ENOMEM no access", needs: hasFeature("droppable"), setup: "b = mmap 4p none private anon; mlock b onfault; a = mmap 4p none droppable anon", line: "mlock a onfault", says: "a allows no access"},
	{row: "mlock ENOMEM guarded", needs: both(hasFeature("droppable"), hasFeature("guard")), setup: "b = mmap 4p rw private anon; madvise b guard_install; mlock b onfault; a = mmap 4p rw droppable anon; madvise a+1p 1p guard_install",
		line: "mlock a onfault", says: "a+1p is a guard page"},
	{row: "mlock EINVAL unknown flags", setup: "a = mmap 4p rw private anon", line: "mlock a onfault flags=4", says: "flag 0x4 is not known to this kernel: mlock2 has onfault"},
	{row: "mlock EINVAL wraps", line: "mlock 0xffffffffffff0000 65535", says: "past the last address"},
	{row: "mlock ENOMEM hole", setup: "a = mmap 4p rw private anon; munmap a+2p 1p", line: "mlock a", says: "nothing is mapped at a+2p. Yet a+0 (2 pages) changed already: VmFlags gained lo."},
	{row: "mlock ENOMEM no access", setup: "a = mmap 1p none private anon", line: "mlock a", says: "a allows no access, so its pages cannot be brought in. Yet a+0 changed already: VmFlags gained lo."},
	{row: "mlock ENOMEM past the file", prepare: readOnly, setup: "a = mmap 4p r private fd=3", line: "mlock a", says: "ends before a+2p"},
	{row: "mlock ENOMEM guarded", setup: "a = mmap 2p rw private anon; madvise a+1p 1p guard_install", line: "mlock a", says: "a+1p is a guard page"},
	{row: "mlock ENOMEM pool empty", needs: emptyPool, setup: "a = mmap 2m rw private anon hugetlb_2m noreserve", line: "mlock a", says: "the pool gave none"},
	{row: "mlock ENOMEM otherwise", needs: asUser, setup: "a = mmap 1p rw shared anon; mremap a 4p maymove", line: "mlock a", says: "cannot be brought in"},
	{row: "munlock EINVAL wraps", line: "munlock 0xffffffffffff0000 65535", says: "past the last address"},
	{row: "munlock ENOMEM hole", setup: "a = mmap 4p rw private anon; munmap a+2p 1p", line: "munlock a", says: "nothing is mapped at a+2p"},
	{row: "mlockall EINVAL no flags", line: "mlockall", says: "what to lock"},
	{row: "mlockall EINVAL unknown flags", line: "mlockall current flags=0xfffffff8", says: "the flags 0xfffffff8 are not known"},
	{row: "mlockall EINVAL onfault alone", line: "mlockall flags=4", says: "but not what"},
	{row: "mlockall EINVAL onfault alone", line: "mlockall onfault", says: "but not what"},
	{row: "mlockall EPERM may lock nothing", limit: noLocks, line: "mlockall current", says: "RLIMIT_MEMLOCK is 0"},
	{row: "mlockall ENOMEM RLIMIT_MEMLOCK", limit: fourLocks, line: "mlockall current", says: "and RLIMIT_MEMLOCK allows " + pages(4)},
}

// limitCases are those of setrlimit, and of what it brings about.
var limitCases = []reasonCase{
	{row: "setrlimit EINVAL soft above hard", line: "setrlimit as 2m 1m", says: "the soft limit would be 2 MiB, and may not be above the hard one, 1 MiB. Nothing has changed."},
	{row: "setrlimit EINVAL soft above hard", setup: "setrlimit stack 1m 1m", line: "setrlimit stack unlimited",
		says: "would be unlimited, and may not be above the hard one, 1 MiB. The hard limit stays as it is if only one is given."},
	{row: "setrlimit EPERM raises the hard one", setup: "setrlimit data 1m 2m", limit: (*lab).ordinary, line: "setrlimit data 1m unlimited",
		says: "the hard limit of RLIMIT_DATA is 2 MiB, and only a process with CAP_SYS_RESOURCE may raise it"},
	{row: "mmap ENOMEM RLIMIT_AS", setup: "setrlimit as 1m", line: "mmap 1m rw private anon", says: "RLIMIT_AS allows 1 MiB"},
	{row: "mmap ENOMEM RLIMIT_AS", setup: "setrlimit as 0 0", limit: (*lab).ordinary, line: "mmap 1p r private anon", says: "RLIMIT_AS allows 0 bytes"},
	{row: "mmap ENOMEM RLIMIT_DATA", setup: "setrlimit data 0 64k", line: "mmap 1m rw private anon", says: "private writable memory"},
	{row: "mmap ENOMEM RLIMIT_DATA", setup: "setrlimit data 1", line: "mmap 1p rw private anon", says: "RLIMIT_DATA allows 1 byte"},
	{row: "brk ENOMEM RLIMIT_DATA", setup: "setrlimit data 0; mmap 4p rw private anon", line: "brk +1p", says: "RLIMIT_DATA allows 0 bytes"},
	{row: "mmap ENOMEM RLIMIT_AS", setup: "setrlimit as 1m; fork; use p2", line: "mmap 1m r private anon", says: "RLIMIT_AS allows 1 MiB"},
	{row: "mlock EPERM may lock nothing", setup: "a = mmap 1p rw private anon; setrlimit memlock 0", limit: (*lab).ordinary, line: "mlock a", says: "RLIMIT_MEMLOCK is 0"},
	{row: "mmap EAGAIN locked memory", setup: "setrlimit memlock 4p", limit: (*lab).ordinary, line: "mmap 5p rw private anon locked", says: "and RLIMIT_MEMLOCK allows " + pages(4)},
	{row: "signal SIGSEGV/MAPERR RLIMIT_AS", setup: "setrlimit as 1m", line: "write stack-2m 1", says: "with 2 MiB more the process would have"},
	{row: "signal SIGSEGV/MAPERR RLIMIT_STACK", setup: "setrlimit stack 0", line: "write stack-1p 1", says: "RLIMIT_STACK allows 0 bytes"},
	{row: "signal SIGSEGV/MAPERR RLIMIT_MEMLOCK", setup: "setrlimit memlock 1p; mlock stack 1p", limit: (*lab).ordinary, line: "write stack-2p 1", // the locked page is a mapping of its own, and not called stack any more
		says: "and it is locked: " + pages(1) + " more would be locked, " + pages(1) + " are already"},
}

// prctlCases are those of prctl, and of what it brings about.
var prctlCases = []reasonCase{
	{row: "prctl mdwe EPERM set already", setup: "prctl mdwe", line: "prctl mdwe no_inherit", says: "it is set already, and children inherit it"},
	{row: "prctl mdwe EPERM set already", setup: "prctl mdwe no_inherit", line: "prctl mdwe", says: "and children do not inherit it"},
	{row: "mmap EACCES mdwe", setup: "prctl mdwe; mmap 1p rx private anon", line: "mmap 1p wx private anon", says: "p1 has asked that no memory be writable and executable"},
	{row: "mmap EACCES mdwe", setup: "prctl mdwe; fork; use p2", line: "mmap 1p rwx private anon", says: "p2 has asked"},

	{row: "madvise EINVAL no huge pages at all", needs: hasFeature("collapse"), setup: "a = mmap " + blocks(1) + " rw private anon" + onBlock + "; write a 1; prctl thp off", line: "madvise a collapse",
		says: "p1 gets no huge pages (prctl thp off)"},
}

var processCases = []reasonCase{
	{row: "fork EAGAIN RLIMIT_NPROC", limit: func(l *lab) {
		l.limits(unix.RLIMIT_NPROC, 1)
		l.ordinary()
	}, line: "fork", says: "RLIMIT_NPROC allows 1. There is no child."},
	{row: "vfork EAGAIN RLIMIT_NPROC", limit: func(l *lab) {
		l.limits(unix.RLIMIT_NPROC, 1)
		l.ordinary()
	}, line: "vfork", says: "RLIMIT_NPROC allows 1. There is no child."},
	{row: "thread EAGAIN RLIMIT_NPROC", limit: func(l *lab) {
		l.limits(unix.RLIMIT_NPROC, 1)
		l.ordinary()
	}, line: "thread", says: "RLIMIT_NPROC allows 1. There is no thread."},
	{row: "wait ECHILD no child", line: "wait", says: "p1 has no child to wait for"},
}

// growsDown makes a mapping that grows as a stack does.
const growsDown = "a = mmap 4p rw private anon growsdown fixed addr=0x40000000"

var signalCases = []reasonCase{
	{row: "signal SIGSEGV/MAPERR guard", setup: "a = mmap 2p rw private anon; madvise a+1p 1p guard_install", line: "read a+1p", says: "a+1p is a guard page"},
	{row: "signal SIGSEGV/MAPERR NULL", line: "read 0x8", says: "0x8 is a NULL pointer"},
	{row: "signal SIGSEGV/MAPERR kernel's half", line: "read 0xffff800000000000", says: "the kernel's"},
	{row: "signal SIGSEGV/MAPERR unmapped before", setup: "a = mmap 4p rw private anon; munmap a+1p 1p", line: "write a+1p 1", says: "Nothing is mapped at a+1p any more: step 2 (munmap a+1p 1p) removed the mapping."},
	{row: "signal SIGSEGV/MAPERR stack near a mapping", setup: "a = mmap 1p rw private anon fixed addr=stack-20p", line: "write stack-10p 1", says: "256 pages from a"},
	{row: "signal SIGSEGV/MAPERR RLIMIT_STACK", limit: func(l *lab) { l.limits(unix.RLIMIT_STACK, 1<<20) }, line: "write stack-2m 1", says: "RLIMIT_STACK allows 1 MiB"},
	{row: "signal SIGSEGV/MAPERR near a mapping", line: "read 0x10000", says: "text, begins 4032 KiB after it"},
	{row: "signal SIGSEGV/MAPERR near a mapping", setup: "a = mmap 4p rw private anon fixed addr=0x10000000", line: "write a+4p 1", says: "a, ends just there"},
	{row: "signal SIGSEGV/ACCERR stack grew", line: "exec stack-2p", says: "the stack grew, and then"},
	{row: "signal SIGSEGV/ACCERR stack grew", setup: growsDown, line: "exec a-2p", says: "a, which grows downwards (VmFlags gd), grew, and"},
	{row: "signal SIGSEGV/MAPERR stack near a mapping", setup: growsDown + "; b = mmap 1p rw private anon fixed addr=a-20p", line: "write a-10p 1", says: "a, which grows downwards (VmFlags gd), would have to grow, but it keeps 256 pages from b"},
	{row: "signal SIGSEGV/MAPERR RLIMIT_STACK", setup: growsDown + "; setrlimit stack 8p", line: "read a-20p", says: "a, which grows downwards (VmFlags gd), would have to grow to " + pages(24)},
	{row: "signal SIGSEGV/MAPERR RLIMIT_AS", setup: growsDown + "; setrlimit as 1m", line: "write a-2m 1", says: "a, which grows downwards (VmFlags gd), would have to grow: with 2 MiB more"},
	{row: "signal SIGSEGV/MAPERR RLIMIT_MEMLOCK", setup: growsDown + "; setrlimit memlock 4p; mlock a", limit: (*lab).ordinary, line: "write a-1p 1", says: "a, which grows downwards (VmFlags gd), would have to grow, and it is locked"},
	{row: "signal SIGSEGV/ACCERR no letters", setup: "a = mmap 1p none private anon", line: "read a", says: "a is mapped ---p, which does not allow reading, nor"},
	{row: "signal SIGSEGV/ACCERR not executable", setup: "a = mmap 1p rw private anon", line: "exec a", says: "a is mapped rw-p, which does not allow executing"},
	{row: "signal SIGSEGV/ACCERR not writable", setup: "a = mmap 1p r private anon", line: "fill a 1", says: "a is mapped r--p, which does not allow writing."},
	{row: "signal SIGBUS/ADRERR pool empty", needs: emptyPool, setup: "a = mmap 60g rw private anon noreserve hugetlb_2m", line: "write a 1", says: "HugePages_Free is 0"},
	{row: "signal SIGBUS/ADRERR past the file", prepare: readOnly, setup: "a = mmap 4p r private fd=3", line: "read a+2p+5", says: fmt.Sprintf("has %d bytes, and this is byte %d", 2*ps, 2*ps+5)},
	{row: "signal SIGBUS/ADRERR lent by the kernel", line: "touch vvar", says: "no page for this place of [vvar"},
	{row: "signal SIGBUS/ADRERR past some end", needs: asUser, setup: "a = mmap 1p rw shared anon; mremap a 4p maymove", line: "read a+1p", says: "could not be read"},
}

// appendOnly is FS_APPEND_FL (include/uapi/linux/fs.h).
const appendOnly = 0x20
