package actions

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"cowscope/actions/kernel"
	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// uffdLines are the requests to userfaultfd, with % for a range.
var uffdLines = []string{"uffd_register % missing", "uffd_unregister %", "uffd_copy % 7", "uffd_zeropage %", "uffd_wp %", "uffd_unwp %", "uffd_continue %", "uffd_poison %", "uffd_move % 0x50000000"}

func uffdVerb(line string) string { return strings.Fields(line)[0] }

func uffdOf(line, r string) string { return strings.Replace(line, "%", r, 1) }

// uffdCases are those of userfaultfd.
func uffdCases() []reasonCase {
	const four, registered = "a = mmap 4p rw private anon", "a = mmap 4p rw private anon; uffd_register a missing"
	const pool = "a = mmap 4m rw private anon hugetlb_2m noreserve"
	wp := hasFeature("uffd-wp")
	out := []reasonCase{
		{row: "uffd_register EINVAL no mode", setup: four, line: "uffd_register a", says: "missing, wp, minor"},
		{row: "uffd_register EINVAL neither anonymous nor shared memory", line: "uffd_register vdso missing", says: "vdso is neither anonymous nor shared memory"},
		{row: "uffd_register EINVAL neither anonymous nor shared memory", needs: hasFeature("disk"), setup: "file f 2p; a = mmap 2p rw private file=f",
			line: "uffd_register a missing", says: "a is neither"},
		{row: "uffd_register EINVAL no write protection", needs: lacks("uffd-wp"), setup: four, line: "uffd_register a wp", says: "added in Linux 6.10 for arm64"},
		{row: "uffd_register EPERM file not writable", prepare: inMemory(unix.O_RDONLY), setup: "a = mmap 2p r shared fd=3", line: "uffd_register a missing", says: "VmFlags has no mw"},
		{row: "uffd_unregister EINVAL neither anonymous nor shared memory", line: "uffd_unregister vdso", says: "vdso is neither"},
		{row: "uffd_copy EINVAL not registered for wp", setup: registered, line: "uffd_copy a 7 wp", says: "a is not registered for wp"},
		{row: "uffd_wp ENOENT not registered for wp", needs: wp, setup: four + "; uffd_register a 2p wp", line: "uffd_wp a", says: "a+2p is not registered for wp"},
		{row: "uffd_unwp ENOENT not registered for wp", setup: registered, line: "uffd_unwp a", says: "a is not registered for wp"},
		{row: "mlock ENOMEM userfaultfd", setup: registered + "; uffd_copy a 1p 7", line: "mlock a", says: "a+1p is missing, and userfaultfd handles that"},
		{row: "mlock ENOMEM userfaultfd", needs: wp, setup: four + "; fill a 1; uffd_register a wp; uffd_wp a+2p", line: "mlock a", says: "a+2p is write-protected with userfaultfd"},
		{row: "madvise EFAULT userfaultfd", needs: hasFeature("populate-advice"), setup: registered, line: "madvise a populate_read", says: "a is missing"},
		{row: "madvise EINVAL userfaultfd", needs: both(wp, hasFeature("collapse")), setup: "a = mmap " + blocks(1) + " rw private anon" + onBlock + "; write a 1; uffd_register a wp; uffd_wp a 1p",
			line: "madvise a collapse", says: "a is registered with userfaultfd"},
		{row: "mremap EFAULT userfaultfd", setup: four + "; uffd_register a 2p missing", line: "mremap a 4p maymove fixed=0x20000000", says: "a is registered with userfaultfd, and such a mapping is moved alone"},
		{row: "signal SIGBUS/ADRERR missing", setup: registered, line: "read a+1p", says: "a+1p is missing, and userfaultfd handles that (VmFlags um)"},
		{row: "signal SIGBUS/ADRERR missing", setup: "uffd_register stack missing", line: "write stack-2p 1", says: "is missing"},
		{row: "signal SIGBUS/ADRERR write-protected", needs: wp, setup: four + "; write a 1; uffd_register a wp; uffd_wp a", line: "write a 1",
			says: "a is write-protected with userfaultfd (uffd-wp)"},
		{row: "signal SIGBUS/ADRERR write-protected", needs: hasFeature("uffd-markers"), setup: four + "; uffd_register a wp; uffd_wp a", line: "write a+1p 1",
			says: "a+1p is write-protected with userfaultfd (uffd-wp), whose descriptor answers with SIGBUS, whatever the letters allow. Before that the page came in"},
	}
	out = append(out, uffdMoveCases()...)
	for _, line := range uffdLines {
		verb := uffdVerb(line)
		out = append(out,
			reasonCase{row: verb + " EMFILE open files", setup: four, limit: func(l *lab) { l.limits(unix.RLIMIT_NOFILE, 0) }, line: uffdOf(line, "a"), says: "RLIMIT_NOFILE allows 0 open files"},
			reasonCase{row: verb + " EINVAL misaligned", setup: four, line: uffdOf(line, "a+1 1p"), says: "a+1 is 0x"},
			reasonCase{row: verb + " EINVAL misaligned length", setup: four, line: uffdOf(line, "a 100"), says: "the length, 100 bytes, is not a multiple"},
			reasonCase{row: verb + " EINVAL length", setup: four, line: uffdOf(line, "a 0"), says: "the length is 0"},
			reasonCase{row: verb + " EINVAL past the end", line: uffdOf(line, "0xfffffffffff00000 1p"), says: "the end of the user's addresses"},
		)
		switch verb {
		case "uffd_register", "uffd_unregister":
			out = append(out,
				reasonCase{row: verb + " EINVAL droppable", needs: both(hasFeature("droppable"), uffdRefusesDroppable), setup: "a = mmap 4p rw droppable anon", line: uffdOf(line, "a"), says: "a is droppable (VmFlags dp)"},
				reasonCase{row: verb + " EINVAL nothing mapped", line: uffdOf(line, "0x10000000 1p"), says: "nothing is mapped from 0x10000000"},
				reasonCase{row: verb + " EINVAL splits a huge page", setup: pool, line: uffdOf(line, "a+1p 2m"), says: "only between two of them"})
		case "uffd_copy", "uffd_zeropage":
			out = append(out,
				reasonCase{row: verb + " ENOENT not registered", setup: four, line: uffdOf(line, "a"), says: "a is not registered with userfaultfd"},
				reasonCase{row: verb + " ENOENT not registered", line: uffdOf(line, "0x10000000 1p"), says: "nothing is mapped at 0x10000000"},
				reasonCase{row: verb + " ENOENT past the mapping", setup: four + "; uffd_register a 2p missing", line: uffdOf(line, "a"), says: "one mapping at a time"},
				reasonCase{row: verb + " EEXIST page there", setup: four + "; write a 1; uffd_register a missing", line: uffdOf(line, "a"), says: "a is not missing: it is anon"},
				reasonCase{row: verb + " EEXIST page there", setup: "a = mmap 2p rw shared anon; write a 1; fork; @p2 uffd_register a missing; use p2", line: uffdOf(line, "a"),
					says: "the shared memory has it"},
				reasonCase{row: verb + " EAGAIN page there", setup: four + "; write a+2p 1; uffd_register a missing", line: uffdOf(line, "a"),
					says: "2 pages were brought in, and then a+2p is not missing: it is anon. What was done before counts, so the answer is not EEXIST. Yet a+0 (2 pages) changed already"},
				reasonCase{row: verb + " EFAULT past the file", prepare: inMemory(unix.O_RDWR), setup: "a = mmap 4p rw shared fd=3; uffd_register a missing", line: uffdOf(line, "a+2p"), says: "ends before a+2p"},
				reasonCase{row: verb + " EFAULT otherwise", needs: asUser, setup: "a = mmap 1p rw shared anon; mremap a 4p maymove; uffd_register a missing", line: uffdOf(line, "a+1p"), says: "ends before"},
				reasonCase{row: verb + " EINVAL splits a huge page", setup: pool + "; uffd_register a missing", line: uffdOf(line, "a+1p 1p"), says: "only between two of them"},
				reasonCase{row: verb + " EINVAL huge pages of the pool", setup: pool + "; uffd_register a missing", line: uffdOf(line, "a"), says: "brought in whole"})
		case "uffd_continue", "uffd_move", "uffd_poison":
		default:
			out = append(out,
				reasonCase{row: verb + " ENOENT nothing mapped", line: uffdOf(line, "0x10000000 1p"), says: "nothing is mapped from 0x10000000"},
				reasonCase{row: verb + " EINVAL splits a huge page", needs: hasFeature("uffd-markers"), setup: pool + "; uffd_register a wp", line: uffdOf(line, "a+1p 1p"), says: "only between two of them"})
		}
	}
	return out
}

// uffdUnreachable are the rows of userfaultfd that this machine cannot be brought to, and why.
func uffdUnreachable() map[string]string {
	out := map[string]string{
		"madvise EBUSY userfaultfd":                  "a kernel that answers EINVAL; see TestCollapseOfMissingPages",
		"uffd_register EPERM otherwise":              "a snapshot without smaps",
		"uffd_zeropage EINVAL not registered for wp": "no copy",
	}
	for _, line := range uffdLines {
		verb := uffdVerb(line)
		out[verb+" ENFILE open files"] = "a system at fs.file-max"
		out[verb+" EPERM no descriptor"] = "a kernel before Linux 5.11, or a filter"
		out[verb+" EINVAL otherwise"] = "a file that an ordinary user cannot find"
		out[verb+" ENOMEM otherwise"] = "a kernel without memory"
		switch verb {
		case "uffd_register", "uffd_unregister":
			out[verb+" ENOMEM nothing mapped"] = "a kernel without a maple tree of mappings"
		case "uffd_copy", "uffd_zeropage":
			out[verb+" ENOENT otherwise"] = "a snapshot without smaps"
			out[verb+" EAGAIN otherwise"] = "another thread that changes the mappings"
		case "uffd_continue":
			out[verb+" ENOENT otherwise"] = "a snapshot without smaps"
			out[verb+" EAGAIN otherwise"] = "another thread that changes the mappings"
			out[verb+" EINVAL wp unknown"] = "a kernel before Linux 6.4"
		case "uffd_poison":
			out[verb+" ENOENT otherwise"] = "a snapshot without smaps"
			out[verb+" EAGAIN otherwise"] = "another thread that changes the mappings"
			out[verb+" EINVAL unknown"] = "a kernel before Linux 6.6; see TestUffdMoveUnknown"
		case "uffd_move":
			out[verb+" EAGAIN otherwise"] = "another thread that changes the mappings"
			out[verb+" EINVAL unknown"] = "a kernel before Linux 6.8; see TestUffdMoveUnknown"
		default:
			out[verb+" ENOENT past the mapping"] = "a kernel that write-protects one mapping at a time"
			out[verb+" EAGAIN otherwise"] = "another thread that changes the mappings"
		}
	}
	return out
}

// In a space too large for smaps nothing is said of what is registered already, and a touch may be
// told to userfaultfd.
func TestUffdOfALargeSpace(t *testing.T) {
	if err := hasFeature("uffd")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.all("a = mmap 1t rw private anon noreserve", fmt.Sprintf("touch a %dp write", 20000))
	if m, _ := l.s.last().After.Process("p1").MappingAt(bound(l.s.last().Names, "p1", "a").Start); m.Smaps != nil {
		t.Fatal("smaps was read")
	}
	for _, line := range []string{"uffd_register a missing", "uffd_unregister a", "uffd_register a missing"} {
		if st := l.want("ok", line); strings.Contains(st.Why, "already") || strings.Contains(st.Why, "Nothing of it") {
			t.Errorf("%s: %s", line, st.Why)
		}
	}
	if st := l.want("SIGBUS/ADRERR", "read a+512g"); checkPrediction(st) != "" {
		t.Error(checkPrediction(st))
	}
	l.all("uffd_zeropage a+512g 512m", "read a+512g")
	l.want("refused", "uffd_copy a+768g 2g 1")
	l.want("refused", "uffd_zeropage a+768g 2g")
	l.all(`uffd_copy a+768g 3m "text"`, "expect bytes a+768g \"text\\x00\"", "expect bytes a+768g+2m 0", "uffd_copy a+769g 3m 7", "expect bytes a+769g+2m 7")
}

// What is write-protected and moves loses the mark, and its first write takes a fault all the same.
func TestUffdMoved(t *testing.T) {
	if err := hasFeature("uffd-wp")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.all("a = mmap 2p rw private anon", "fill a 1", "uffd_register a wp", "uffd_wp a", "mremap a 2p 2p maymove fixed=0x10000000")
	if l.page("p1", "a", 0).Attrs&vmspace.UffdWP != 0 {
		t.Skip("needs a kernel that takes the mark away when a page moves, as Linux 6.18 does")
	}
	st := l.want("ok", "write a 2")
	if wrong := checkPrediction(st); wrong != "" {
		t.Error(wrong)
	}
	if st.Minor != 1 || !strings.Contains(st.Why, "still write-protected since userfaultfd protected it, but nobody else has it") && !strings.Contains(st.Why, "before Linux 6.2") {
		t.Errorf("%d minor faults: %s", st.Minor, st.Why)
	}
}

// A huge page is not made of pages that are missing, whatever kernels call that.
func TestCollapseOfMissingPages(t *testing.T) {
	if err := both(hasFeature("uffd"), hasFeature("collapse"))(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.all("a = mmap "+blocks(1)+" rw private anon"+onBlock, "uffd_register a missing", "uffd_copy a 1p 1")
	st := l.do("madvise a collapse")
	if st.Reason != "madvise EBUSY userfaultfd" && st.Reason != "madvise EINVAL userfaultfd" || !strings.Contains(st.Why, "a is registered with userfaultfd") {
		t.Errorf("%s: %s", st.Result, st.Why)
	}
}

// lacks is why a machine that has the feature cannot do a case that is about its absence.
func lacks(name string) func() error {
	return func() error {
		if hasFeature(name)() == nil {
			return fmt.Errorf("needs a kernel without %s", name)
		}
		return nil
	}
}

// inMemory makes a file of two pages that lies in memory and opens it in the current process.
func inMemory(flags int) func(*lab) {
	return func(l *lab) {
		f, err := os.CreateTemp("/dev/shm", "cowscope-test")
		if err != nil {
			l.Skip("needs a file system in memory: ", err)
		}
		defer f.Close()
		l.Cleanup(func() { _ = os.Remove(f.Name()) })
		if err := f.Truncate(2 * int64(ps)); err != nil {
			l.Fatal(err)
		}
		l.opens(f.Name(), flags)
	}
}

func uffdRefusesDroppable() error {
	if kernel.UffdRefusesDroppable() {
		return nil
	}
	return errors.New("needs a kernel that keeps userfaultfd from droppable memory, as Linux 6.12 does not")
}
