package actions

import (
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"

	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/verb"
	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// float is machine code of amd64 that unmasks one exception in MXCSR and then runs the
// instructions.
func float(mxcsr uint32, code string) string {
	return fmt.Sprintf(`"\x68\x%02x\x%02x\x00\x00\x0f\xae\x14\x24\x58`, mxcsr&0xff, mxcsr>>8) + code + `\xc3"`
}

const (
	oneToXmm0  = `\xb8\x01\x00\x00\x00\xf3\x0f\x2a\xc0`
	zeroToXmm0 = `\x0f\x57\xc0`
	threeXmm1  = `\xb8\x03\x00\x00\x00\xf3\x0f\x2a\xc8`
	zeroToXmm1 = `\x0f\x57\xc9`
	divide     = `\xf3\x0f\x5e\xc1`
)

// faultyCode is machine code that raises a signal, by the row that explains it.
var faultyCode = map[string]map[string]string{
	"amd64": {
		"signal SIGILL/ILLOPN instruction":   `"\x0f\x0b"`,
		"signal SIGSEGV/KERNEL privileged":   `"\xf4"`,
		"signal SIGFPE/INTDIV arithmetic":    `"\x31\xc9\xf7\xf1"`,
		"signal SIGFPE/FLTDIV arithmetic":    float(0x1d80, oneToXmm0+zeroToXmm1+divide),
		"signal SIGFPE/FLTINV arithmetic":    float(0x1f00, zeroToXmm0+zeroToXmm1+divide),
		"signal SIGFPE/FLTRES arithmetic":    float(0x0f80, oneToXmm0+threeXmm1+divide),
		"signal SIGFPE/FLTOVF arithmetic":    float(0x1b80, `\xb8\xff\xff\x7f\x7f\x66\x0f\x6e\xc0\xf3\x0f\x58\xc0`),
		"signal SIGFPE/FLTUND arithmetic":    float(0x1780, `\xb8\x00\x00\x80\x00\x66\x0f\x6e\xc0\xf3\x0f\x59\xc0`),
		"signal SIGBUS/KERNEL stack address": `"\x48\xbc\x00\x00\x00\x00\x78\x56\x34\x12\x50"`,
		"signal SIGBUS/ADRALN alignment":     `"\x9c\x81\x0c\x24\x00\x00\x04\x00\x9d\x8b\x44\x24\x01"`, // the AC flag, then a load from rsp+1
		"signal SIGSEGV/ACCERR not writable": `"\xc6\x05\x00\x01\x00\x00\x01"`,                         // a store to a+0x107
	},
	"arm64": {
		"signal SIGILL/ILLOPC instruction":   `"\x00\x00\x00\x00"`,                                 // udf #0
		"signal SIGBUS/ADRALN alignment":     `"\xe0\x03\x00\x91\x00\x30\x00\x91\x01\x7c\x5f\xc8"`, // mov x0, sp; add x0, x0, #12; ldxr x1, [x0]
		"signal SIGSEGV/ACCERR not writable": `"\x00\x08\x00\x10\x00\x00\x00\x39"`,                 // adr x0, 0x100 bytes further on; strb w0, [x0]
	},
}[runtime.GOARCH]

func codeCases() []reasonCase {
	var out []reasonCase
	for row, text := range faultyCode {
		out = append(out, reasonCase{row: row, setup: "a = mmap 1p rw private anon; write a " + text + "; mprotect a rx", line: "exec a", says: "a"})
	}
	if runtime.GOARCH == "amd64" {
		out = append(out,
			reasonCase{row: "signal SIGSEGV/KERNEL non-canonical", line: "read 0x100000000000000", says: fmt.Sprintf("0x100000000000000 is not a canonical address: the upper %d bits", 64-kernel.AddressBits())},
			reasonCase{row: "signal SIGSEGV/KERNEL non-canonical", line: "exec 0x1234567800000000", says: "canonical"},
			reasonCase{row: "signal SIGSEGV/ACCERR foreign access", says: "whether it was to read", line: "exec a+4095", // the instruction reaches into b
				setup: `a = mmap 2p rw private anon; write a+4095 "\xb8"; mprotect a 1p rx`},
			reasonCase{row: "mmap ENOMEM 32bit", line: "mmap 2g rw private anon 32bit noreserve", says: "the largest hole there has 1 GiB"},
		)
	}
	if runtime.GOARCH == "arm64" {
		out = append(out, reasonCase{row: "signal SIGSEGV/ACCERR not readable", setup: "a = mmap 1p x private anon", line: "read a",
			says: "a is mapped --xp, which does not allow reading.", needs: hasExecuteOnly})
	}
	return out
}

// hasExecuteOnly is why page tables cannot forbid to read what may be executed.
func hasExecuteOnly() error {
	if can := kernel.ExecOnly(); can != vmspace.AccErr {
		return fmt.Errorf("needs page tables that forbid to read what may only be executed, as those of arm64 with FEAT_PAN3: here it is %s", can)
	}
	return nil
}

// unreachable are the rows that this machine cannot be brought to, and why.
func unreachable() map[string]string {
	out := map[string]string{
		"mmap EINVAL huge page size":           "a kernel without huge pages of 2 MiB and 1 GiB",
		"mmap ENODEV otherwise":                "/proc/PID/fd that cannot be read",
		"mmap EEXIST otherwise":                "a snapshot without mappings",
		"mmap EOPNOTSUPP otherwise":            "a driver with flags of its own",
		"mmap ETXTBSY swap file":               "a file in use as swap",
		"mmap ENFILE open files":               "hugetlb on a system at fs.file-max",
		"mmap EAGAIN otherwise":                "mandatory file locks, which left with Linux 5.15",
		"mmap EPERM otherwise":                 "a security module that forbids it",
		"mmap ENOMEM otherwise":                "a kernel without memory",
		"mincore EAGAIN otherwise":             "a kernel without memory",
		"munmap ENOMEM otherwise":              "a kernel without memory",
		"mprotect EACCES otherwise":            "a security module that forbids it",
		"mprotect EPERM otherwise":             "a security module that forbids it",
		"mprotect ENOMEM otherwise":            "a kernel without memory",
		"mremap EINVAL otherwise":              "an offset near 2^64",
		"mremap EPERM otherwise":               "a security module that forbids it",
		"mremap EFAULT otherwise":              "a driver that chooses addresses by itself",
		"mremap EAGAIN otherwise":              "a snapshot without smaps",
		"mremap ENOMEM otherwise":              "a kernel without memory",
		"madvise EACCES otherwise":             "a snapshot without smaps",
		"madvise EBADF no file":                "a kernel without swap",
		"madvise EOPNOTSUPP no holes":          "a file system without fallocate",
		"madvise EIO device":                   "a broken device",
		"madvise EAGAIN pages in use":          "another user of the pages at the same moment",
		"madvise EAGAIN otherwise":             "a kernel without memory",
		"madvise EBUSY control group":          "a control group at its limit",
		"madvise ENOMEM no huge page":          "fragmented memory",
		"madvise ENOMEM otherwise":             "a kernel without memory",
		"mbind EINVAL otherwise":               "status or has_memory that cannot be read",
		"mbind ENOMEM otherwise":               "a kernel without memory",
		"move_pages ENODEV otherwise":          "has_memory that cannot be read",
		"move_pages EACCES cpuset":             "a second node, which a cpuset excludes",
		"move_pages ENOMEM otherwise":          "a node without memory",
		"remap_file_pages EAGAIN otherwise":    "a snapshot without smaps",
		"remap_file_pages EACCES otherwise":    "a security module that forbids it",
		"remap_file_pages ENOMEM otherwise":    "a kernel without memory",
		"msync EIO device":                     "a broken device",
		"msync ENOSPC full":                    "a full file system that allocates late",
		"msync EDQUOT quota":                   "a file system with quotas",
		"mseal ENOMEM otherwise":               "a kernel without memory",
		"memfd ENOSYS no huge pages":           "a kernel without huge pages",
		"memfd ENOENT no huge pages":           "a kernel without huge pages",
		"memfd EMFILE open files":              "a cowscope that may open no more files",
		"memfd ENFILE open files":              "a system at fs.file-max",
		"memfd ENOMEM no memory":               "a kernel without memory",
		"seal EBUSY otherwise":                 "a device that writes to the pages",
		"fallocate ENOMEM no memory":           "a kernel without memory",
		"brk ENOMEM otherwise":                 "a kernel without memory",
		"mlock EAGAIN otherwise":               "a kernel without memory",
		"munlock ENOMEM otherwise":             "a kernel without memory",
		"mlockall ENOMEM otherwise":            "/proc/PID/status that cannot be read",
		"fork EAGAIN otherwise":                "kernel.threads-max or pids.max reached, which would hurt others",
		"fork ENOMEM otherwise":                "vm.overcommit_memory 2, or a kernel without memory",
		"vfork EAGAIN otherwise":               "kernel.threads-max or pids.max reached, which would hurt others",
		"vfork ENOMEM otherwise":               "a kernel without memory",
		"thread EAGAIN otherwise":              "kernel.threads-max or pids.max reached, which would hurt others",
		"thread ENOMEM otherwise":              "a kernel without memory",
		"any ENOSYS unknown call":              "an older kernel; see TestUnknownCall",
		"any EINTR interrupted":                "a call that blocks",
		"signal SIGSEGV/MAPERR otherwise":      "a snapshot without mappings",
		"signal SIGSEGV/KERNEL otherwise":      "an access of cowscope's own that is refused at a canonical address",
		"signal SIGSEGV/PKUERR otherwise":      "rights that were not read",
		"pkey_alloc EINVAL no keys":            "a kernel that finds key 0 without keys; see askFirstKey",
		"signal SIGSEGV/ACCERR otherwise":      "an access that the letters allow: userfaultfd, a shadow stack",
		"signal SIGSEGV/ACCERR not readable":   "x86 reads what it may write or execute",
		"signal SIGBUS/OBJERR otherwise":       "a device that fails",
		"signal SIGBUS/MCEERR_AR otherwise":    "broken memory",
		"signal SIGFPE/INTOVF arithmetic":      "an instruction that 64-bit x86 has no more",
		"setrlimit EINVAL otherwise":           "/proc/PID/limits that cannot be read",
		"setrlimit EPERM otherwise":            "a security module that forbids it",
		"prctl ksm EINVAL unknown":             "a kernel older than 6.4, or without KSM",
		"prctl ksm ENOMEM otherwise":           "a kernel without memory",
		"prctl mdwe EINVAL unknown":            "a kernel older than 6.3",
		"prctl mdwe EINVAL no_inherit unknown": "a kernel older than 6.6",
	}
	for _, verb := range []string{"file", "fwrite", "fallocate"} {
		out[verb+" EIO device"] = "a broken device"
		out[verb+" EDQUOT quota"] = "a file system with quotas"
	}
	maps.Copy(out, uffdUnreachable())
	for row, why := range maps.Clone(out) {
		if strings.HasPrefix(row, "mprotect ") {
			out["pkey_"+row] = why
		}
		if strings.HasPrefix(row, "madvise ") {
			out["process_"+row] = why
		}
	}
	for _, code := range []string{"ILLOPC", "ILLOPN", "ILLTRP", "PRVOPC", "PRVREG", "COPROC", "BADSTK"} {
		out["signal SIGILL/"+code+" instruction"] = "another processor"
	}
	if runtime.GOARCH != "amd64" {
		for _, row := range []string{"signal SIGSEGV/KERNEL non-canonical", "signal SIGSEGV/KERNEL privileged", "signal SIGBUS/KERNEL stack address", "signal SIGSEGV/ACCERR foreign access", "mmap ENOMEM 32bit"} {
			out[row] = "x86 only"
		}
		for _, code := range []string{"INTDIV", "FLTDIV", "FLTOVF", "FLTUND", "FLTRES", "FLTINV"} {
			out["signal SIGFPE/"+code+" arithmetic"] = "arm64 traps no arithmetic"
		}
	}
	maps.DeleteFunc(out, func(row, _ string) bool { _, ok := faultyCode[row]; return ok })
	return out
}

// crowdedCases are the lines that fail at vm.max_map_count, by row: where the count of mappings is
// n below it.
var crowdedCases = map[string]struct {
	below int
	line  string
	says  string
}{
	"mremap ENOMEM no room to move":          {3, "mremap b 4p 8p maymove", "vm.max_map_count allows"},
	"mremap ENOMEM no room to move there":    {5, "mremap b 4p 4p maymove fixed=0x10000000", "vm.max_map_count allows"},
	"munmap ENOMEM too many mappings":        {0, "munmap b+1p 1p", "two mappings of one"},
	"mprotect ENOMEM too many mappings":      {0, "mprotect b+1p 1p r", "vm.max_map_count allows"},
	"pkey_mprotect ENOMEM too many mappings": {0, "pkey_mprotect b+1p 1p r -1", "vm.max_map_count allows"},
	"mlock ENOMEM too many mappings":         {0, "mlock b+1p 1p", "vm.max_map_count allows"},
	"munlock ENOMEM too many mappings":       {0, "munlock c+1p 1p", "vm.max_map_count allows"},
	"mseal ENOMEM too many mappings":         {0, "mseal b+1p 1p", "vm.max_map_count allows"},
	"madvise EAGAIN too many mappings":       {0, "madvise b+1p 1p dontfork", "EAGAIN where other calls"},
	"brk ENOMEM too many mappings":           {-1, "brk +1p", "vm.max_map_count allows"},
	"mmap ENOMEM too many mappings":          {-1, "mmap 1p rx private anon", "vm.max_map_count allows"},

	"mbind ENOMEM too many mappings":            {0, "mbind b+1p 1p local", "vm.max_map_count allows"},
	"remap_file_pages ENOMEM too many mappings": {0, "remap_file_pages s+1p 1p 0", "vm.max_map_count allows"},

	"uffd_register ENOMEM too many mappings":   {0, "uffd_register b+1p 1p missing", "vm.max_map_count allows"},
	"uffd_unregister ENOMEM too many mappings": {0, "uffd_unregister d+1p 1p", "vm.max_map_count allows"},

	"process_madvise EAGAIN too many mappings": {1, "process_madvise p1 b+1p 1p dontfork", "one more for its argument"},
}

func TestReasonsOfACrowd(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	l := open(t)
	most, known := (&kernel.Settings{}).Number("/proc/sys/vm/max_map_count")
	if !known {
		t.Fatal("vm.max_map_count cannot be read")
	}
	if most > 1<<17 {
		t.Skipf("needs vm.max_map_count of at most %d: to make %d mappings takes too long", 1<<17, most)
	}
	l.all("d = mmap 4p rw private anon")
	if hasFeature("uffd")() == nil {
		l.all("uffd_register d missing")
	}
	l.all("c = mmap 4p rw private anon", "mlock c", "s = mmap 4p rw shared anon", "b = mmap 4p rw private anon", "a = mmap 1g r private anon noreserve")
	at := bound(l.s.last().Names, "p1", "a").Start
	maps := l.s.last().After.Process("p1").Mappings
	have := maps.Len()
	if maps.At(have-1).Path == "[vsyscall]" { // is listed, and is none that the kernel counts
		have--
	}
	for _, below := range []int{5, 3, 1, 0, -1} {
		for ; have < int(most)-below; have++ {
			if int(most)-below-have == 1 { // one alone makes two, three of one; a new mapping one
				l.raw(unix.SYS_MMAP, 0x20000000+uint64(below+1)*0x100000, ps, uint64(1+(below+5)&2), unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE, ^uint64(0), 0)
				continue
			}
			l.raw(unix.SYS_MPROTECT, at+ps, ps, unix.PROT_NONE)
			at, have = at+2*ps, have+1
		}
		l.look()
		for row, c := range crowdedCases {
			if c.below != below || strings.HasPrefix(c.line, "process_madvise ") && advisesItself() != nil ||
				strings.HasPrefix(c.line, "mseal ") && hasFeature("mseal")() != nil || strings.HasPrefix(c.line, "uffd_") && hasFeature("uffd")() != nil {
				continue
			}
			l.reaches(row, c.line, c.says)
		}
	}
}

// An advice is unknown exactly where the kernel says so of no bytes at all.
func TestAdviceIsKnown(t *testing.T) {
	for _, a := range verb.Advices {
		if !kernel.KnowsAdvice(a.Value) && explain.AdviceSince[a.Name] == "" {
			t.Errorf("%s is not known here, and nothing says since when it should be", a.Name)
		}
	}
	if kernel.KnowsAdvice(99) {
		t.Error("the advice 99 is known")
	}
}

// What the kernel lacks is told apart from what it refuses.
func TestUnknownCall(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon")
	cmd, err := l.s.grammar.Parse("mseal a")
	if err != nil {
		t.Fatal(err)
	}
	c := &verb.Call{F: l.s.f, Doing: family.Doing{P: l.s.f.Member("p1")}, Cmd: cmd, Action: actionOf("mseal"), Names: l.s.f.Names}
	st := &history.Step{Process: "p1", Before: l.s.last().After, After: l.s.last().After, Names: l.s.f.Names, Outcome: history.Outcome{Call: "mseal(0x1000, 4096, 0)", Result: history.Errno("ENOSYS")}}
	if got := explain.Step(st, c.Arguments(), l.s.surroundings(st, c)); !strings.HasPrefix(got, "ENOSYS: this kernel does not know mseal (added in Linux 6.10)") {
		t.Error(got)
	}
}
