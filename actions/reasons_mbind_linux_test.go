package actions

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// mbindCases need no second node: what a policy cannot be, the kernel refuses with one node too.
func mbindCases() []reasonCase {
	const four = "a = mmap 4p rw private anon"
	out := []reasonCase{
		{row: "mbind EINVAL unknown mode", needs: until(6, 9), setup: four, line: "mbind a weighted_interleave 0", says: "does not know MPOL_WEIGHTED_INTERLEAVE"},
		{row: "mbind EINVAL node too large", needs: fewNodes, setup: four, line: "mbind a bind 0,1023", says: "and 1023 is larger"},
		{row: "mbind EFAULT own memory", needs: hasFeature("pkeys"), setup: four + "; pkey_set 0 access", line: "mbind a bind 0", says: "(PKRU 0x55555555) forbid"},
		{row: "mbind EINVAL misaligned", setup: four, line: "mbind a+1 1p bind 0", says: "a+1 is 0x"},
		{row: "mbind EINVAL wraps", line: "mbind 0xffffffffffff0000 65535 bind 0", says: "past the last address"},
		{row: "mbind EINVAL no nodes wanted", setup: four, line: "mbind a default 0", says: "MPOL_DEFAULT takes no nodes"},
		{row: "mbind EINVAL no nodes wanted", needs: since(5, 14), setup: four, line: "mbind a local 0", says: "MPOL_LOCAL takes no nodes"},
		{row: "mbind EINVAL no nodes named", setup: four, line: "mbind a bind", says: "MPOL_BIND needs nodes"},
		{row: "mbind EINVAL no nodes named", setup: four, line: "mbind a interleave move", says: "MPOL_INTERLEAVE needs nodes"},
		{row: "mbind EINVAL no memory there", setup: four, line: "mbind a bind 3", says: "none of the nodes has memory for p1: that lies in node"},
		{row: "mbind EINVAL splits what is lent", needs: vdsoHasPages, line: "mbind vdso 1p bind 0", says: "vdso is lent by the kernel"},
		{row: "mbind EINVAL splits a huge page", setup: "a = mmap 4m rw private anon hugetlb_2m noreserve", line: "mbind a+1p 2m bind 0", says: "between two of them"},
		{row: "mbind EFAULT hole", line: "mbind 0x10000 default", says: "nothing is mapped at 0x10000"},
		{row: "mbind EFAULT hole", setup: four + "; munmap a+2p 1p", line: "mbind a bind 0", says: "nothing is mapped at a+2p"},
	}
	for i := range out {
		out[i].needs = both(out[i].needs, hasFeature("mbind"))
	}
	return out
}

// movePagesCases need no second node either.
func movePagesCases() []reasonCase {
	const four = "a = mmap 4p rw private anon"
	out := []reasonCase{
		{row: "move_pages EINVAL unknown flags", setup: four, line: "move_pages a flags=1", says: "flag 0x1 is not known to this kernel: move_pages has MPOL_MF_MOVE (2)"},
		{row: "move_pages EINVAL unknown flags", setup: four, line: "move_pages a node=5 flags=0x18", says: "the flags 0x18 are not known"},
		{row: "move_pages EPERM CAP_SYS_NICE", prepare: (*lab).ordinary, setup: four, line: "move_pages a node=0 all", says: "takes CAP_SYS_NICE, which p1 does not have"},
		{row: "move_pages EPERM CAP_SYS_NICE", prepare: (*lab).ordinary, setup: four, line: "move_pages a flags=4", says: "takes CAP_SYS_NICE"},
		{row: "move_pages EFAULT own memory", needs: hasFeature("pkeys"), setup: four + "; pkey_set 0 access", line: "move_pages a node=0", says: "(PKRU 0x55555555) forbid"},
		{row: "move_pages EFAULT own memory", needs: hasFeature("pkeys"), setup: four + "; pkey_set 0 access", line: "move_pages a", says: "(PKRU 0x55555555) forbid"},
		{row: "move_pages ENODEV no memory there", setup: four, line: "move_pages a node=1000", says: "there is no node 1000 with memory: memory lies in node"},
		{row: "move_pages ENODEV no memory there", setup: four, line: "move_pages a node=-1", says: "there is no node -1 with memory"},
	}
	for i := range out {
		out[i].needs = both(out[i].needs, hasFeature("move-pages"))
	}
	return out
}

// fewNodes wants a kernel that is built for fewer nodes than any can be.
func fewNodes() error {
	text, err := os.ReadFile("/proc/self/status")
	if words := kernel.FieldsOf(string(text), "Mems_allowed"); err == nil && (len(words) == 0 || strings.Count(words[0], ",") >= 31) {
		err = fmt.Errorf("needs a kernel that is built for fewer than 1024 nodes")
	}
	return err
}

// A mapping has one policy: mbind of a part splits it, and the same policy again puts it together.
// The sentence names the policy as numa_maps does.
func TestMbind(t *testing.T) {
	if err := hasFeature("mbind")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.all("a = mmap 4p rw private anon", "fill a 1")
	for _, c := range []struct {
		line string
		vmas int
		says []string
	}{
		{"mbind a+1p 1p bind 0", 3, []string{"The policy of the range is bind:0 now", "Pages that are there stay", "split it into 3"}},
		{"mbind a+1p 1p interleave 0 move", 3, []string{"interleave:0", "No page had to be moved."}},
		{"mbind a+1p 1p local", 3, []string{"local"}},
		{"mbind a+1p 1p default", 1, []string{"The policy of the range is default now", "3 neighbours now have the same policy"}},
		{"mbind a 0 bind 3", 1, []string{"The range is empty"}},
	} {
		st := l.want("ok", c.line)
		for _, says := range c.says {
			if !strings.Contains(st.Why, says) {
				t.Errorf("%s: %s\nwant something of %q", c.line, st.Why, says)
			}
		}
		if lo, hi := st.After.Process("p1").Mappings.Overlap(bound(st.Names, "p1", "a").Range); hi-lo != c.vmas {
			t.Errorf("%s: %d mappings, want %d", c.line, hi-lo, c.vmas)
		}
		l.states("p1", "a", "anon anon anon anon")
	}
	l.all("munmap a+1p 1p")
	l.want("ok", "mbind a default") // goes over holes, as no other mode does
	l.want("ok", "mbind a+1p 2p default")
}

// With two nodes pages come from the one that is named, and are moved to the other.
func TestMbindMoves(t *testing.T) {
	if err := hasFeature("numa")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.all("a = mmap 4p rw private anon", "mbind a bind 1", "fill a 1")
	if got := nodesOf(l); got != "N1=4" {
		t.Errorf("the pages lie in %s, want N1=4", got)
	}
	l.all("mbind a bind 0")
	if got := nodesOf(l); got != "N1=4" {
		t.Errorf("the pages lie in %s, and were not to be moved", got)
	}
	st := l.want("ok", "mbind a bind 0 move")
	if got := nodesOf(l); got != "N0=4" {
		t.Errorf("the pages lie in %s, want N0=4", got)
	}
	if st.After.Frames && !strings.Contains(st.Why, "4 pages were moved") {
		t.Error(st.Why)
	}
	l.all("read a")
	if got := l.s.last().Bytes[0]; got != 1 {
		t.Errorf("a holds %d", got)
	}
	st = l.want("EINVAL", "mbind a bind 3")
	if !strings.Contains(st.Why, "that lies in nodes 0, 1 ") {
		t.Error(st.Why)
	}
}

// nodesOf is where the pages of a lie, as numa_maps says.
func nodesOf(l *lab) string {
	l.Helper()
	st := l.s.last()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/numa_maps", st.After.Process("p1").PID))
	if err != nil {
		l.Fatal(err)
	}
	var nodes []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, fmt.Sprintf("%x ", bound(st.Names, "p1", "a").Start)) {
			for _, w := range strings.Fields(line) {
				if w[0] == 'N' {
					nodes = append(nodes, w)
				}
			}
		}
	}
	return strings.Join(nodes, " ")
}

// What move_pages answers for a page is told by what is there.
func TestMovePages(t *testing.T) {
	for _, name := range []string{"move-pages", "zero-page"} {
		if err := hasFeature(name)(); err != nil {
			t.Skip(err)
		}
	}
	l := open(t)
	l.all("a = mmap 6p rw private anon", "fill a 2p 1", "read a+2p", "munmap a+5p 1p")
	node := strings.TrimSuffix(strings.TrimPrefix(nodesOf(l), "N"), "=2") // both lie in one, or the test says so
	for _, c := range []struct{ line, statuses, says string }{
		{"move_pages a", node + "," + node + ",EFAULT,ENOENT|EFAULT,ENOENT|EFAULT,EFAULT",
			"2 pages: in node " + node + "; 1 page: the zero page, which everybody shares (EFAULT); 2 pages: not in the page table ("},
		{"move_pages a+5p 1p", "EFAULT", "1 page: nothing is mapped there (EFAULT)."},
		{"move_pages a+1p+5 1", node, "1 page: in node " + node + "."},
		{"move_pages a+1p-1 2", node + "," + node, "2 pages: in node"},
		{"move_pages a 2p node=" + node, node + "," + node, "2 pages: in node"},
		{"move_pages vvar 1p", "EFAULT|ENOENT", "1 page: lent by the kernel ("},
	} {
		st := l.want("ok", c.line)
		if !strings.Contains(st.Why, c.says) {
			t.Errorf("%s: %s\nwant something of %q", c.line, st.Why, c.says)
		}
		l.all("expect value 0", "expect move_pages "+c.statuses)
	}
	if st := l.want("ok", "move_pages a 0"); !strings.Contains(st.Why, "The range is empty") {
		t.Error(st.Why)
	}
	if st := l.want("ok", "move_pages 0xffffffffffff0000 65535"); !strings.Contains(st.Why, amount.Of(64<<10/ps, "page")+": nothing is mapped there") {
		t.Error(st.Why)
	}
	if st := l.want("refused", "move_pages 0x0 1t"); !strings.Contains(st.Why, "memory for 65536") {
		t.Error(st.Why)
	}
	l.states("p1", "a", "anon anon zero none none")
	l.all("b = mmap 2000p rw private anon", "touch b write")
	if st := l.want("ok", "move_pages b"); !strings.HasPrefix(st.Why, "Of the first 1024 pages: 1024 pages: in node") {
		t.Error(st.Why)
	}
}

// With two nodes pages are moved to the one that is named; what two processes map only with all.
func TestMovePagesMoves(t *testing.T) {
	if err := hasFeature("numa")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	l.all("a = mmap 4p rw private anon", "mbind a bind 0", "fill a 1", "move_pages a", "expect move_pages 0,0,0,0")
	st := l.want("ok", "move_pages a 2p node=1")
	l.all("expect value 0", "expect move_pages 1,1")
	if got := nodesOf(l); got != "N0=2 N1=2" {
		t.Errorf("the pages lie in %s, want N0=2 N1=2", got)
	}
	if st.After.Frames && !strings.Contains(st.Why, "2 pages were moved: the contents are in other frames now.") {
		t.Error(st.Why)
	}
	l.all("read a", "expect bytes a 1", "fork")
	if st := l.want("ok", "move_pages a node=1"); !strings.Contains(st.Why, "2 pages: in node 1; 2 pages: mapped more than once, so that only `all` moves it (EACCES)") {
		t.Error(st.Why)
	}
	l.all("expect move_pages 1,1,EACCES,EACCES")
	if asRoot() != nil {
		return
	}
	st = l.want("ok", "move_pages a node=1 all")
	l.all("expect move_pages 1,1,1,1", "expect same-frame p1:a+3p p2:a+3p", "@p2 expect page a cow")
	if st.After.Frames && !slices.ContainsFunc(st.Changes, func(ch vmspace.Change) bool { return ch.Process == "p2" && ch.Kind == vmspace.ChangeFrame }) {
		t.Error("the pages of p2 were moved, and no change says so")
	}
}
