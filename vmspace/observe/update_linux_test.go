package observe

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

const arenaPages = 1100 // two huge blocks and a bit

var arenaRange = vmspace.Range{Start: arena, End: arena + arenaPages*pg}

// inArena is what a process has in the arena. Only the arena stands still: the puppet's own runtime
// lives elsewhere.
func inArena(p *vmspace.Process) (maps []vmspace.Mapping, runs []vmspace.Run) {
	lo, hi := p.Mappings.Overlap(arenaRange)
	for _, m := range p.Mappings.Slice(lo, hi) {
		m.Smaps = nil
		maps = append(maps, m)
	}
	lo, hi = p.Pages.Overlap(arenaRange)
	return maps, p.Pages.Slice(lo, hi)
}

// TestUpdateIsRead does random things to the arena of a process and its child, and holds that a
// partial reading says what a full one says, that a simple reader agrees, and that the diff is
// empty just when nothing differs.
func TestUpdateIsRead(t *testing.T) {
	for name, o := range map[string]Options{"all": {}, "no query": {NoQuery: true}, "no scan": {NoScan: true}, "no frames": {NoFrames: true},
		"sparse": {NoScan: true, NoQuery: true, SparseSize: 1}} {
		t.Run(name, func(t *testing.T) {
			if o.SparseSize == 0 {
				o.SmallMappings = -1
			}
			o.KPageBudget = 1 << 20 // with a budget that ends, the two ways look up other frames
			updateIsRead(t, o)
		})
	}
}

func updateIsRead(t *testing.T, o Options) {
	file := filepath.Join(publicDir(t), "file")
	if err := os.WriteFile(file, make([]byte, 64*pg), 0o666); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := startPuppet(t)
		defer p.stop()
		p.t = rt
		r, full := newReader(t, o), newReader(t, o)
		defer r.Close()
		defer full.Close()
		p.mmap(arena, 8*pg, rw, private)
		s := read(t, r, p.family())
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			what, touched := randomStep(rt, p, file)
			if o.SparseSize != 0 && strings.HasPrefix(what, "guard") { // kernels with guard pages, which take no fault, have the scan
				touched = []Touched{{"p1", vmspace.Everything}}
			}
			next, err := r.Observe(ctx, p.family(), Within(touched...))
			if err != nil {
				rt.Fatal(err)
			}
			want := read(t, full, p.family())
			for i, q := range next.Processes {
				compareArena(rt, what, q, want.Processes[i])
				simplyRead(rt, q, r.Features())
			}
			checkDiff(rt, s, next)
			s = next
		}
	})
}

// TestOnlyLeavesNothingOut holds that what is read of one of many events in a row tells the states of
// all pages, of relatives too. Counters, and how often a frame is mapped, it may leave as they were.
func TestOnlyLeavesNothingOut(t *testing.T) {
	file := filepath.Join(publicDir(t), "file")
	if err := os.WriteFile(file, make([]byte, 64*pg), 0o666); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := startPuppet(t)
		defer p.stop()
		p.t = rt
		r, full := newReader(t, Options{}), newReader(t, Options{})
		defer r.Close()
		defer full.Close()
		p.mmap(arena, 8*pg, rw, private)
		read(t, r, p.family())
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			what, touched := randomStep(rt, p, file)
			scope := Within(touched...)
			for _, access := range []string{"store", "load", "childstore", "childload"} {
				if strings.HasPrefix(what, access) {
					scope = Only(touched...)
				}
			}
			next, err := r.Observe(ctx, p.family(), scope)
			if err != nil {
				rt.Fatal(err)
			}
			for _, c := range vmspace.Diff(next, read(t, full, p.family())) {
				if c.Range.Intersect(arenaRange).Empty() { // the puppet's own
					continue
				}
				switch c.Kind {
				case vmspace.ChangeFlags, vmspace.ChangeCount, vmspace.ChangeWord:
				case vmspace.ChangeAttrs:
					if c.Attrs&^(vmspace.Dirty|vmspace.Referenced) != 0 {
						rt.Fatalf("after %s: %+v", what, c)
					}
				default:
					rt.Fatalf("after %s: %+v", what, c)
				}
			}
		}
	})
}

func compareArena(t *rapid.T, what string, got, want *vmspace.Process) {
	gm, gr := inArena(got)
	wm, wr := inArena(want)
	if !slices.Equal(gm, wm) {
		t.Fatalf("after %s, mappings of %s:\nupdate %+v\nread   %+v", what, got.Label, gm, wm)
	}
	if !slices.Equal(gr, wr) {
		t.Fatalf("after %s, pages of %s:\nupdate %+x\nread   %+x\n%+v", what, got.Label, gr, wr, gm)
	}
}

// randomStep does one thing and says where.
func randomStep(t *rapid.T, p *puppet, file string) (string, []Touched) {
	at := uint64(rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, arenaPages-1)).Draw(t, "page"))
	n := uint64(rapid.OneOf(rapid.IntRange(1, 8), rapid.IntRange(1, 600)).Draw(t, "pages"))
	n = min(n, arenaPages-at)
	r := vmspace.Range{Start: arena + at*pg, End: arena + (at+n)*pg}
	touched := []Touched{{"p1", r}}
	op := rapid.SampledFrom([]string{"anon", "shared", "file", "sharedfile", "unmap", "protect", "store", "store", "load", "load",
		"dontneed", "huge", "guard", "childstore", "childstore", "childload", "fork", "move", "exit", "childunmap"}).Draw(t, "op")
	what := fmt.Sprintf("%s %d+%d", op, at, n)
	switch op {
	case "anon":
		p.mmap(r.Start, r.Len(), rw, private)
	case "shared":
		p.mmap(r.Start, r.Len(), rw, shared)
	case "file":
		p.mmapFile(r.Start, min(r.Len(), 64*pg), rw, unix.MAP_PRIVATE, file)
	case "sharedfile":
		p.mmapFile(r.Start, min(r.Len(), 64*pg), rw, unix.MAP_SHARED, file)
	case "unmap":
		p.must("call %d %d %d", unix.SYS_MUNMAP, r.Start, r.Len())
	case "protect":
		p.ask("call %d %d %d %d", unix.SYS_MPROTECT, r.Start, r.Len(), rapid.SampledFrom([]int{0, 1, rw}).Draw(t, "prot"))
	case "dontneed", "huge", "guard":
		p.ask("call %d %d %d %d", unix.SYS_MADVISE, r.Start, r.Len(), map[string]int{"dontneed": 4, "huge": 14, "guard": 102}[op])
	case "store":
		for _, a := range accessible(p.cmd.Process.Pid, r, "rw") {
			p.store(a, byte(a>>12))
		}
	case "load":
		for _, a := range accessible(p.cmd.Process.Pid, r, "r") {
			p.load(a)
		}
	case "move":
		to := arena + uint64(rapid.IntRange(0, arenaPages-1).Draw(t, "to"))*pg
		n := min(r.Len(), arenaRange.End-to)
		p.ask("call %d %d %d %d %d %d", unix.SYS_MREMAP, r.Start, n, n, 3, to)
		touched = append(touched, Touched{"p1", vmspace.Range{Start: to, End: to + n}})
	case "fork":
		if len(p.child) < 2 {
			p.fork()
			touched = []Touched{{"p1", vmspace.Everything}}
		}
	default:
		touched = childStep(p, op, r)
	}
	return what, touched
}

func childStep(p *puppet, op string, r vmspace.Range) []Touched {
	if len(p.child) == 0 {
		return nil
	}
	i := len(p.child) - 1
	switch op {
	case "childstore":
		for _, a := range accessible(p.child[i], r, "rw") {
			p.inChild(i, 's', a, 7)
		}
	case "childload":
		for _, a := range accessible(p.child[i], r, "r") {
			p.inChild(i, 'l', a, 0)
		}
	case "childunmap":
		p.inChild(i, 'u', r.Start, r.Len())
	case "exit":
		p.inChild(i, 'x', 0, 0)
		p.must("wait %d", p.child[i])
		p.child = p.child[:i]
	}
	return []Touched{{fmt.Sprintf("p%d", i+2), r}}
}

// accessible finds the pages of r that may be touched, by itself and simply: the puppet does not
// survive a signal. perms are the first letters that the mapping must have.
func accessible(pid int, r vmspace.Range, perms string) (pages []uint64) {
	words := simpleWords(pid, r)
	for _, m := range simpleMaps(pid) {
		for a := max(m.Start, r.Start); a < min(m.End, r.End); a += pg {
			beyond := m.Inode != 0 && !strings.Contains(m.Path, "/dev/zero") && m.Offset+a-m.Start >= 64*pg
			if strings.HasPrefix(m.Path, perms) && !beyond && words[(a-r.Start)/pg]>>58&1 == 0 {
				pages = append(pages, a)
			}
		}
	}
	return pages
}

// simpleMaps is a second, plain parser; the letters stand before the path.
func simpleMaps(pid int) (out []vmspace.Mapping) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var m vmspace.Mapping
		var perms string
		fmt.Sscanf(sc.Text(), "%x-%x %s %x %x:%x %d", &m.Start, &m.End, &perms, &m.Offset, &m.Major, &m.Minor, &m.Inode)
		if i := strings.IndexAny(sc.Text(), "/["); i >= 0 {
			m.Path = sc.Text()[i:]
		}
		m.Path = perms + m.Path
		out = append(out, m)
	}
	return out
}

func simpleWords(pid int, r vmspace.Range) []uint64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	out := make([]uint64, r.Len()/pg)
	f.Seek(int64(r.Start/pg*8), 0)
	binary.Read(f, binary.NativeEndian, out)
	return out
}

// simplyRead checks every page of the arena by itself.
func simplyRead(t *rapid.T, p *vmspace.Process, f Features) {
	words := simpleWords(p.PID, arenaRange)
	var maps []string
	var arenaMaps []vmspace.Mapping
	for _, m := range simpleMaps(p.PID) {
		if m.End > arena && m.Start < arenaRange.End {
			maps = append(maps, fmt.Sprintf("%x-%x %s", m.Start, m.End, m.Path))
			arenaMaps = append(arenaMaps, m)
		}
	}
	got, _ := inArena(p)
	for i, m := range got {
		if s := fmt.Sprintf("%x-%x %s%s", m.Start, m.End, m.Perms, m.Path); i >= len(maps) || maps[i] != s {
			t.Fatalf("mapping %d is %s, not one of %q", i, s, maps)
		}
	}
	if len(got) != len(maps) {
		t.Fatalf("%d mappings, want %q", len(got), maps)
	}
	for _, m := range arenaMaps {
		for a := max(m.Start, arena); a < min(m.End, arenaRange.End); a += pg {
			w := words[(a-arena)/pg]
			if w&(vmspace.WordPresent|vmspace.WordSwapped|vmspace.WordGuard) == 0 {
				w &^= vmspace.WordSoftDirty // of a mapping that is new, where no page is: of such a page nothing is kept
			}
			run := p.PageAt(a, pg)
			if run.Word != w&^vmspace.WordFrame || f.Frames && w>>63 == 1 && run.Frame != w&vmspace.WordFrame {
				t.Fatalf("%s page %x is %+x, its word %x", p.Label, a, run, w)
			}
			if want := simpleState(m, w); want != run.State && !openQuestion(want, run, f) {
				t.Fatalf("%s page %x is %v, its word %x says %v", p.Label, a, run.State, w, want)
			}
		}
	}
}

// openQuestion says whether the word alone leaves it open that the page is what run says.
func openQuestion(want vmspace.State, run vmspace.Run, f Features) bool {
	huge := run.Attrs&vmspace.Huge != 0
	switch want {
	case vmspace.COW:
		return run.State == vmspace.Zero || run.State == vmspace.Unknown
	case vmspace.Anon: // by the relatives' frames, or a huge page, which has the bit of its first small page
		return run.State == vmspace.COW && (f.Frames || huge) || run.State == vmspace.Unknown && !f.Scan && !f.Frames
	case vmspace.File: // the huge zero page has that bit too; that it is huge, only the scan and kpageflags tell
		return run.State == vmspace.Zero && (huge || !f.Scan && !f.KPage) || run.State == vmspace.Unknown && !f.Scan && !f.KPage
	}
	return false
}

func simpleState(m vmspace.Mapping, w uint64) vmspace.State {
	switch {
	case w>>58&1 == 1:
		return vmspace.Guard
	case w>>63 == 0:
		return vmspace.None
	case m.Path[3] == 's':
		return vmspace.Shared
	case w>>61&1 == 1:
		return vmspace.File
	case w>>56&1 == 1:
		return vmspace.Anon
	}
	return vmspace.COW
}

// checkDiff holds that a diff speaks just when something differs.
func checkDiff(t *rapid.T, a, b *vmspace.Snapshot) {
	if d := vmspace.Diff(b, b); len(d) != 0 {
		t.Fatalf("a snapshot differs from itself: %+v", d)
	}
	d := vmspace.Diff(a, b)
	named := func(label string) (out []vmspace.Change) {
		for _, c := range d {
			if c.Process == label && c.Kind != vmspace.ChangeFlags && (c.Range.Empty() || c.Range.Overlaps(arenaRange)) {
				out = append(out, c)
			}
		}
		return out
	}
	for _, q := range b.Processes {
		p := a.Process(q.Label)
		if p == nil {
			if len(named(q.Label)) == 0 {
				t.Fatalf("%s was born, and the diff does not say so", q.Label)
			}
			continue
		}
		am, ar := inArena(p)
		bm, br := inArena(q)
		if differs := !slices.Equal(am, bm) || !slices.Equal(ar, br); differs != (len(named(q.Label)) > 0) {
			t.Fatalf("%s differs: %v, and the diff says %+v\n%+v\n%+v\n%+x\n%+x", q.Label, differs, named(q.Label), am, bm, ar, br)
		}
	}
}

// A mapping that replaces one of two mappings of the same page of a file leaves the other one
// exclusive: the change lies elsewhere.
func TestUpdateFollowsAReplacedAlias(t *testing.T) {
	file := filepath.Join(publicDir(t), "file")
	if err := os.WriteFile(file, make([]byte, 64*pg), 0o666); err != nil {
		t.Fatal(err)
	}
	p := startPuppet(t)
	defer p.stop()
	r, full := newReader(t, Options{SmallMappings: -1, KPageBudget: 1 << 20}), newReader(t, Options{SmallMappings: -1, KPageBudget: 1 << 20})
	far := arena + 700*pg
	p.mmapFile(arena, 8*pg, rw, unix.MAP_PRIVATE, file)
	p.mmapFile(far, 8*pg, rw, unix.MAP_PRIVATE, file)
	p.load(arena + 3*pg)
	p.load(far + 3*pg)
	read(t, r, p.family())
	p.mmap(arena+3*pg, pg, rw, private)
	got, err := r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: arena + 3*pg, End: arena + 4*pg}}))
	if err != nil {
		t.Fatal(err)
	}
	want := read(t, full, p.family())
	_, a := inArena(got.Processes[0])
	_, b := inArena(want.Processes[0])
	if !slices.Equal(a, b) {
		t.Errorf("update %+x\nread   %+x", a, b)
	}
}
