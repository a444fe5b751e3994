package actions

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/kernel"

	"golang.org/x/sys/unix"
)

// processMadviseCases are those of the caller and of the process that is advised, and all that
// madvise refuses.
func processMadviseCases() []reasonCase {
	const two = "a = mmap 4p rw private anon; fork"
	out := []reasonCase{
		{row: "process_madvise EINVAL length", setup: two, line: "process_madvise p1 a 0x8000000000000000 cold", says: "0x8000000000000000 is negative"},
		{row: "process_madvise EFAULT past the end", line: "process_madvise p1 0xffff800000000000 1p cold", says: "the end of the user's addresses"},
		{row: "process_madvise EFAULT own memory", needs: hasFeature("pkeys"), setup: two + "; pkey_set 0 access", line: "process_madvise p2 a cold", says: "(PKRU 0x55555555) forbid"},
		{row: "process_madvise EINVAL thread", needs: until(6, 16), setup: "a = mmap 1p rw private anon; thread", line: "process_madvise p2 a cold", says: "p2 is another thread: p1 has the same memory"},
		{row: "process_madvise ENOENT thread", needs: since(6, 16), setup: "a = mmap 1p rw private anon; thread", line: "process_madvise p2 a cold", says: "p2 is another thread: p1 has the same memory"},
		{row: "process_madvise EMFILE descriptors", setup: two, limit: func(l *lab) { l.limits(unix.RLIMIT_NOFILE, 0) }, line: "process_madvise p2 a cold", says: "RLIMIT_NOFILE"},
		{row: "process_madvise ESRCH ended", setup: two + "; @p2 kill", line: "process_madvise p2 a cold", says: "p2 has ended"},
		{row: "process_madvise EINVAL not of another", setup: two, line: "process_madvise p2 a dontneed", says: "MADV_DONTNEED is not for the memory of another process: the advices for that are "},
		{row: "process_madvise EINVAL not by this call", needs: until(6, 13), setup: two, line: "process_madvise p1 a dontneed", says: "through madvise only"},
		{row: "process_madvise EACCES other user", needs: asRoot, setup: two, limit: (*lab).ordinary, line: "process_madvise p2 a cold", says: "p1 may not look into p2"},
		{row: "process_madvise EPERM CAP_SYS_NICE", prepare: dumpable, setup: two, line: "process_madvise p2 a cold", says: "takes CAP_SYS_NICE, which p1 does not have"},
		{row: "process_madvise EPERM CAP_SYS_NICE", needs: until(6, 2), prepare: dumpable, setup: two, line: "process_madvise p1 a cold", says: "even to itself"},
		{row: "process_madvise ENOMEM hole", needs: hasFeature("process-madvise"), setup: two + "; munmap a+1p 1p; @p2 munmap a+2p 1p", line: "process_madvise p2 a cold",
			says: "the range has a hole: nothing is mapped at a+2p. Nothing has changed."},
		{row: "process_madvise EINVAL no huge pages at all", needs: both(hasFeature("process-madvise"), hasFeature("collapse")), setup: "a = mmap " + blocks(1) + " rw private anon" + onBlock + "; write a 1; fork; @p2 prctl thp off",
			line: "process_madvise p2 a collapse", says: "p2 gets no huge pages"},
		{row: "process_madvise EINVAL locked", needs: hasFeature("process-madvise"), setup: two + "; @p2 mlock a", line: "process_madvise p2 a cold", says: "a is locked"},
	}
	for _, c := range slices.Concat(madviseCases, keyCases(), prctlCases, fileCases(), uffdCases()) {
		if strings.HasPrefix(c.row, "madvise ") && c.row != "madvise EINVAL wraps" {
			c.row, c.line = "process_"+c.row, "process_madvise p1"+strings.TrimPrefix(c.line, "madvise")
			c.needs = both(c.needs, advisesItself)
			out = append(out, c)
		}
	}
	return out
}

func advisesItself() error {
	if !kernel.AdvisesProcesses(unix.MADV_NORMAL) {
		return fmt.Errorf("needs Linux 6.13: this process_madvise takes less of one's own memory than madvise")
	}
	return nil
}

// dumpable makes an ordinary user of the current process, into whose children it may look.
func dumpable(l *lab) {
	l.ordinary()
	l.raw(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1)
}

// Every advice that the kernel takes through process_madvise of a process's own memory does there what
// madvise does, and what it takes of another's leaves the contents of it alone.
func TestProcessMadvise(t *testing.T) {
	if err := hasFeature("process-madvise")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.all("a = mmap 4p rw private anon", "fill a 1", "b = mmap 4p rw shared anon", "fill b 1", "fork", "@p2 fill a 2", "@p2 touch b")
	for _, advice := range []string{"cold", "pageout", "willneed"} {
		for _, name := range []string{"a", "b"} {
			l.want("ok", "process_madvise p2 "+name+" "+advice)
			l.want("ok", "@p2 process_madvise p1 "+name+" "+advice)
		}
	}
	l.all("@p2 read a 4p")
	if got := l.s.last().Bytes; got[0] != 2 {
		t.Errorf("p2 reads %d", got[0])
	}
	if kernel.AdvisesProcesses(unix.MADV_DONTNEED) {
		l.all("process_madvise p1 a dontneed")
		l.states("p1", "a", "none none none none")
		l.states("p2", "a", "anon anon anon anon")
	}
	l.all("g = mmap 4g r private anon noreserve")
	st := l.want("ok", "process_madvise p1 g cold")
	if most := 1<<31 - ps; st.Value != most || !strings.Contains(st.Why, "one call takes no more") {
		t.Errorf("0x%x bytes advised, want 0x%x: %s", st.Value, most, st.Why)
	}
	l.all("@p2 exit 3", "wait")
	l.want("refused", "process_madvise p2 a cold")
}
