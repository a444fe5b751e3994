package actions

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/verb"

	"golang.org/x/sys/unix"
)

// Reasons are rules of the kernel, so they are held against it both ways: a call that is refused
// has a reason that names the argument or the rule, and where a call is well no reason for a
// refusal holds.

// byElimination are the rows that speak only because the kernel has refused and nothing else can be
// the cause: their predicates may hold of a call that is well.
var byElimination = map[string]string{
	"prctl mdwe EINVAL no_inherit unknown":     "only the kernel knows",
	"mmap EACCES not readable":                 "the kernel looks at the file only if everything else is well",
	"mmap EEXIST taken":                        "a mere hint may lie in a mapping",
	"mmap ENODEV unmappable":                   "only the driver knows",
	"mmap EPERM file sealed":                   "seals are not read",
	"mmap EPERM noexec":                        "not every noexec file system can be told",
	"mmap EOPNOTSUPP sync":                     "only the file knows",
	"madvise EFAULT pool empty":                "the page may be there",
	"process_madvise EPERM CAP_SYS_NICE":       "since some Linux after 6.1 none needs it for its own memory",
	"mlock ENOMEM pool empty":                  "the page may be there",
	"madvise EAGAIN pages in use":              "only the kernel knows",
	"madvise ENOMEM no huge page":              "only the kernel knows",
	"mremap EINVAL huge pages of the pool":     "whole huge pages are well",
	"madvise EINVAL no whole huge page":        "where the range touches the edge of a block, the kernel finds nothing to do",
	"madvise EINVAL guard in a huge page":      "a block of a file is made a huge page in another way",
	"madvise EINVAL zero pages":                "Linux 6.18 takes them where the mapping was written to before",
	"madvise EINVAL nothing may be written":    "of a page that was shared only a write tells whether it may be",
	"madvise EINVAL splits a huge page":        "most advice does not split",
	"madvise EINVAL splits what is lent":       "advice that changes no flag does not split",
	"mprotect EINVAL splits what is lent":      "letters that are there already do not split",
	"munmap EINVAL splits a huge page":         "between two of them is well",
	"mremap EINVAL splits a huge page":         "between two of them is well",
	"mmap EINVAL splits a huge page":           "between two of them is well",
	"mmap ENOMEM splits a huge page":           "between two of them is well",
	"mprotect EINVAL splits a huge page":       "between two of them is well",
	"pkey_mprotect EINVAL splits what is lent": "letters and a key that are there already do not split",
	"pkey_mprotect EINVAL splits a huge page":  "between two of them is well",
	"mbind EINVAL splits what is lent":         "a policy that is there already does not split",
	"mbind EINVAL splits a huge page":          "between two of them is well",
	"mseal EINVAL splits a huge page":          "between two of them is well",

	"mremap EINVAL cuts a huge page":             "between two of them is well",
	"remap_file_pages EINVAL splits a huge page": "between two of them is well",

	"mlock ENOMEM userfaultfd":                  "shared memory may have the page",
	"madvise EFAULT userfaultfd":                "shared memory may have the page",
	"madvise EBUSY userfaultfd":                 "pages that are there make a huge one",
	"madvise EINVAL userfaultfd":                "pages that are there make a huge one",
	"uffd_register EINVAL splits a huge page":   "between two of them is well",
	"uffd_unregister EINVAL splits a huge page": "between two of them is well",
	"uffd_copy EINVAL splits a huge page":       "between two of them is well",
	"uffd_zeropage EINVAL splits a huge page":   "the mapping may not be registered",
	"uffd_wp EINVAL splits a huge page":         "between two of them is well",
	"uffd_unwp EINVAL splits a huge page":       "between two of them is well",
	"uffd_copy EINVAL huge pages of the pool":   "whole huge pages are well",
	"uffd_register EINVAL no write protection":  "a kernel that has it",
	"mremap EFAULT userfaultfd":                 "a mapping that moves alone is well",
}

// foreseen are the rows that hold of a line before it runs.
func (l *lab) foreseen(cmd *lang.Command) (held []string) {
	l.Helper()
	now := l.s.last()
	m := l.s.f.Member(now.Current)
	st := &history.Step{Process: m.Label, PID: m.PID, Before: now.After, After: now.After, Names: now.Names}
	c := &verb.Call{F: l.s.f, Doing: family.Doing{P: m}, Cmd: cmd, Action: actionOf(cmd.Verb.Name), Names: now.Names}
	c.Args = c.Arguments()
	if c.Action.Name == "brk" {
		st.Value = l.raw(unix.SYS_BRK, 0) // what a refusal gives back
		c.HeapEnd(st.Value)               // an unknown name is the line's mistake
	}
	for row, text := range explain.Holding(st, c.Args, l.s.surroundings(st, c)) {
		if byElimination[strings.TrimPrefix(row.String(), "process_")] == "" && byElimination[row.String()] == "" {
			held = append(held, row.String()+": "+text)
		}
	}
	return held
}

// hidden are the rows for a page past the end of shared memory, whose size an ordinary user cannot
// read.
var hidden = map[string]bool{"mlock ENOMEM otherwise": true, "madvise EFAULT otherwise": true}

// life makes up command lines.
type life struct{ *rand.Rand }

func (r life) of(words ...string) string { return words[r.IntN(len(words))] }

func (r life) some(words string) string {
	var out []string
	for _, w := range strings.Fields(words) {
		if r.IntN(6) == 0 {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

func (r life) prot() string { return r.of("none", "r", "rw", "rw", "rx", "w", "rwx") }

func (r life) place() string {
	return r.of("a", "b", "c", "d", "e", "vvar", "vdso") + r.of("", "", "", "+1p", "+2p", "+1", "-1p", "+3p+7")
}

func (r life) rng() string {
	return r.of(r.place(), r.place(), r.place(), r.of("0x0", "0x10000", "0x10000000", "0xffffffffffff0000")) + r.of("", "", " 0", " 1p", " 2p", " 100", " 8p", " 65535")
}

// key is seldom everybody's: without it next to nothing can be done.
func (r life) key() string { return r.of("1", "1", "1", "2", "2", "3", "9") }

// size is never so large that bringing it in would hurt the machine.
func (r life) size() string {
	return r.of("0", "1", "1p", "2p", "4p", "8p", "1p+900", "2m", "100000t", "0xffffffffffffffff")
}

// part is a size of a file, or a place in it.
func (r life) part() string {
	return r.of("0", "1p", "2p", "100", "1p+900", "8p", "0x7fffffffffffffff", "0x8000000000000000")
}

func (r life) file() string { return r.of("x", "m", "m", "n", "y") }

func (r life) line() string {
	switch r.IntN(15) {
	case 0, 1, 2:
		return fmt.Sprintf("%s = mmap %s %s %s %s %s %s %s %s", r.of("a", "b", "c", "d", "e"), r.size(), r.prot(),
			r.of("private", "private", "droppable", "private droppable", "shared", "shared_validate", ""), r.of("anon", "anon", ""),
			r.some("fixed_noreplace fixed populate locked growsdown stack hugetlb_2m 32bit denywrite nonblock sync noreserve"),
			r.of("", "", "", "", "flags=0x8", "flags=0xc", "flags=0x1000000", "flags=0x2100", "flags=0x54040000"), r.of("", "", "fd=2", "fd=3", "fd=4", "fd=5", "fd=9"), r.of("", "", "offset=1p", "offset=100", "addr=0x10000000", "addr=0x10000001", "addr="+r.place()))
	case 3:
		return "munmap " + r.rng()
	case 4:
		return "mprotect " + r.rng() + " " + r.of(r.prot(), r.prot(), r.prot(), "0x8", "0x10", "0x1000001", "0x2000003", "0x3000000")
	case 5:
		return fmt.Sprintf("mremap %s %s %s %s", r.rng(), r.size(), strings.TrimSpace(r.of("", "maymove", "maymove ")+r.of("", "", " dontunmap")), r.of("", "", "", "fixed=0x20000000", "fixed=0x20000001", "flags=1", "flags=0x10", "flags=5"))
	case 6:
		if r.IntN(3) == 0 {
			return r.process()
		}
		return r.of("msync "+r.rng()+" "+r.some("sync async invalidate")+r.of("", "", " flags=4", " flags=0x10"), "mlock "+r.rng()+r.of("", "", " flags=1", " flags=6"), "munlock "+r.rng(), "mlockall", "munlockall",
			"pkey_alloc"+r.of("", " access", " write"), "pkey_free "+r.key(), "pkey_set "+r.key()+r.of("", " access", " write"),
			"process_madvise p1 "+r.rng()+" "+verb.Advices[r.IntN(len(verb.Advices))].Word,
			"remap_file_pages "+r.rng()+" "+r.of("0", "1", "3", "-1", "9007199254740992"),
			"mbind "+r.rng()+" "+r.of("default", "bind 0", "preferred 0", "preferred", "interleave 0-3 move", "local", "local 0", "bind 3", "bind"),
			"move_pages "+r.rng()+r.of("", " node=0", " node=1", " node=-1", " node=0 all", " all", " flags=1", " node=0 flags=2"),
			"pkey_mprotect "+r.rng()+" "+r.prot()+" "+r.key(), "mseal "+r.of("e", "e+1p", "e 1p"))
	case 11:
		return r.of("uffd_register "+r.rng()+r.of(" missing", " wp", " missing wp", ""), "uffd_register "+r.rng()+r.of(" missing", " missing wp", " minor", " missing minor wp"), "uffd_unregister "+r.rng(),
			"uffd_poison "+r.rng(), "uffd_continue "+r.rng()+r.of("", " wp"), "uffd_move "+r.rng()+" "+r.place()+r.of("", " allow_src_holes"),
			"uffd_copy "+r.rng()+r.of(" 7", " 7 wp"), "uffd_zeropage "+r.rng(), "uffd_wp "+r.rng(), "uffd_unwp "+r.rng())
	case 7:
		return "brk " + r.of("+1p", "-1p", "+100", "+64k", "0x1000", "heap+1p")
	case 9:
		return r.of("file x "+r.part(), "memfd m "+r.part()+" sealing", "memfd m 2p sealing", "memfd n 2p", "link x y", "rename y x", "rm m", "seal m "+r.of("write", "future_write", "grow", "shrink grow", "exec", "seal"), "seal n write",
			"truncate "+r.file()+" "+r.part(), "fwrite "+r.file()+" "+r.part()+` "text"`, "cat "+r.file()+" "+r.part(), "fallocate "+r.file()+" "+r.part()+" "+r.part()+" "+r.of("", "punch", "zero", "keep"))
	case 10:
		return fmt.Sprintf("%s = mmap %s %s %s file=%s %s", r.of("a", "b", "c", "d"), r.of("1p", "2p", "4p"), r.prot(), r.of("private", "shared", "shared", "shared_validate"), r.file(), r.of("", "", "rdonly", "offset=1p"))
	case 8:
		return r.of("read "+r.place(), "write "+r.place()+" 1", "touch "+r.rng(), "touch "+r.rng()+" write", "exec "+r.place(), "read stack-3m", "write 0x8 1")
	}
	if r.IntN(8) == 0 {
		return "madvise " + r.rng() + " " + r.of("0", "4", "8", "9", "20", "22", "25", "100", "102", "0x7fffffff", "0xffffffff")
	}
	return "madvise " + r.rng() + " " + verb.Advices[r.IntN(len(verb.Advices))].Word
}

// process changes what holds of the process as a whole. A limit is lifted as often as it is set.
func (r life) process() string {
	return r.of("setrlimit "+r.of("as", "data", "stack", "memlock")+" "+r.of("unlimited", "unlimited", "unlimited", "0", "1", "5000", "10p", "300k", "3m")+r.of("", "", "", " 4m", " unlimited"),
		"prctl ksm "+r.of("on", "off"), "prctl thp "+r.of("on", "off"), "prctl mdwe"+r.of("", " no_inherit"))
}

func TestReasonsInRandomLives(t *testing.T) {
	lives := uint64(16)
	if testing.Short() {
		lives = 4
	}
	for seed := range lives {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := life{rand.New(rand.NewPCG(seed, 1))}
			l := open(t)
			for _, flags := range []int{unix.O_RDONLY, unix.O_RDWR, unix.O_WRONLY} {
				l.file(6000, flags)
			}
			l.opens("/", unix.O_RDONLY)
			for _, name := range strings.Fields("a b c d e") {
				l.all(name + " = mmap 4p rw private anon")
			}
			for range 250 {
				line := strings.Join(strings.Fields(r.line()), " ")
				cmd, err := l.s.grammar.Parse(line)
				if err != nil {
					t.Fatal(line, err)
				}
				held := l.foreseen(cmd)
				st, err := l.s.Do(l.Context(), line)
				switch {
				case err != nil: // a name that is not there
				case st.OK() && len(held) > 0:
					l.Errorf("%s went well, and yet there was %s", line, held)
				case st.OK(), st.Result == history.Refused: // that was cowscope's, not the kernel's
				case strings.HasSuffix(st.Reason, "madvise EINVAL otherwise") && cmd.Has("collapse"): // of shared memory: its rules are many
				case asUser() == nil && hidden[st.Reason]:
				case st.Reason == "" || strings.HasSuffix(st.Reason, " otherwise"):
					l.Errorf("%s: %s\n%s", line, st.Why, mapsAround(st))
				}
			}
		})
	}
}

// mapsAround lists the mappings before a step with their flags, for whoever has to find a reason.
func mapsAround(st *history.Step) string {
	var b strings.Builder
	for _, m := range st.Before.Process(st.Process).Mappings.All() {
		fmt.Fprintln(&b, m.Range, m.Perms, m.Offset, m.Path, m.Smaps.VMFlags)
	}
	return b.String()
}
