package observe

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// hugeState adds two blocks behind the arena's first pages: a huge page that the child has split by
// a write, and a huge zero page.
func hugeState(p *puppet) (r vmspace.Range, ok bool) {
	r = vmspace.Range{Start: arena + 2*block, End: arena + 4*block}
	p.mmap(r.Start, r.Len(), rw, private)
	p.must("call %d %d %d %d", unix.SYS_MADVISE, r.Start, r.Len(), 14) // hugepage
	p.store(r.Start, 1)
	p.load(r.Start + block)
	errno, _ := p.ask("call %d %d %d %d", unix.SYS_MADVISE, r.Start, block, 25) // collapse
	return r, errno == 0
}

// everyWay are all ways of reading.
func everyWay() (all []Options) {
	for i := range 48 {
		o := Options{NoScan: i&1 != 0, NoQuery: i&2 != 0, NoFrames: i&4 != 0, NoKPage: i&8 != 0, NoNodes: i&32 != 0, KPageBudget: 1 << 20}
		if i&16 != 0 {
			o.SmallMappings = -1
		}
		all = append(all, o)
	}
	return all
}

// The kernel's newer calls and root make looking cheaper and surer, and never different: each way
// of reading a live family says of every page what the best one says, or that it does not know,
// where these two cannot be told apart.
func TestFastAndSlowSayTheSame(t *testing.T) {
	p := startPuppet(t)
	huge, haveHuge := hugeState(p)
	pages, _, _ := everyState(t, p)
	p.inChild(0, 's', huge.Start, 9) // copies one small page of the huge one, and splits the child's mapping of it
	best := read(t, newReader(t, Options{KPageBudget: 1 << 20}), p.family())
	spans := []vmspace.Range{{Start: arena, End: arena + pages*pg}}
	if haveHuge {
		spans = append(spans, huge)
	}
	for _, o := range everyWay() {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			r := newReader(t, o)
			s := read(t, r, p.family())
			w := way{r.Features(), o, 0, 0}
			for i, q := range s.Processes {
				for _, span := range spans {
					for at := span.Start; at < span.End; at += pg {
						w.compare(t, best.Processes[i].PageAt(at, pg), q.PageAt(at, pg), q.Label)
					}
				}
			}
			w.unknowns(t)
		})
	}
}

// way is one way of reading, and how much it did not know.
type way struct {
	Features
	o                 Options
	unknown, mistaken int
}

func (w *way) compare(t *testing.T, want, got vmspace.Run, label string) {
	if w.mistaken > 5 {
		return
	}
	alike := got.State == vmspace.Unknown && (want.State == vmspace.Zero || want.State == vmspace.COW) && !w.Scan && !w.KPage
	if alike {
		w.unknown++
	}
	if want.State != got.State && !alike {
		w.mistaken++
		t.Errorf("%s %x is %s (word %x, scan %x, frame %x), want %s", label, got.Start, got.State, got.Word, got.Scan, got.Frame, want.State)
	}
	// Who has no scan knows what is huge from kpageflags, which speak of the frame: a part that is
	// mapped by itself counts too, unless smaps counts nothing huge there, which it does of
	// anonymous memory.
	counted := w.KPage && w.o.SmallMappings == 0 && (want.State == vmspace.Anon || want.State == vmspace.COW)
	if both := want.Attrs & vmspace.Huge; (w.Scan || counted) && got.Attrs&vmspace.Huge != both || w.KPage && both != 0 && got.Attrs&vmspace.Huge == 0 {
		w.mistaken++
		t.Errorf("%s %x: huge %v, want %v", label, got.Start, got.Attrs&vmspace.Huge != 0, both != 0)
	}
	if w.KPage && (got.Mapcount != want.Mapcount || got.KFlags != want.KFlags) || w.Frames && got.Frame != want.Frame {
		w.mistaken++
		t.Errorf("%s %x: %+v, want %+v", label, got.Start, got, want)
	}
}

// unknowns holds that only who has neither scan nor frames, and may not ask move_pages, knows less
// of small pages, and that this one does.
func (w *way) unknowns(t *testing.T) {
	if blind := !w.Scan && !w.Frames && !w.Nodes; blind != (w.unknown > 0) && !(w.unknown > 0 && !w.Scan && !w.KPage) {
		t.Errorf("%d pages are unknown with %+v", w.unknown, w.Features)
	}
	if os.Geteuid() == 0 && !w.o.NoFrames && !w.Frames {
		t.Error("root sees no frames")
	}
}

// Update says what Read says also where a huge page is split by one process and seen as a whole by
// its relatives.
func TestUpdateOfAHugePage(t *testing.T) {
	for _, o := range []Options{{}, {NoFrames: true}, {NoFrames: true, NoScan: true}, {NoKPage: true, NoScan: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			o.SmallMappings, o.KPageBudget = -1, 1<<20
			p := startPuppet(t)
			huge, ok := hugeState(p)
			if !ok {
				t.Skip("needs thp: the kernel had no huge page to give")
			}
			p.fork()
			p.fork()
			r, full := newReader(t, o), newReader(t, o)
			read(t, r, p.family())
			for _, step := range []struct {
				child int
				page  uint64
			}{{0, 0}, {0, 7}, {1, 0}, {1, block/pg - 1}, {-1, 9}, {0, block/pg + 88}, {-1, 0}} {
				before := collapses(t)
				at := huge.Start + step.page*pg
				label := fmt.Sprintf("p%d", step.child+2)
				if step.child < 0 {
					p.store(at, 5)
				} else {
					p.inChild(step.child, 's', at, 5)
				}
				next, err := r.Observe(ctx, p.family(), Within(Touched{label, vmspace.Range{Start: at, End: at + 1}}))
				if err != nil {
					t.Fatal(err)
				}
				if want := read(t, full, p.family()); collapses(t) == before {
					sameIn(t, fmt.Sprintf("%+v", step), huge, next, want)
				} else {
					read(t, r, p.family()) // khugepaged came by, of which the update could not know
				}
			}
		})
	}
}

// collapses is how many huge pages khugepaged has made so far (proc_vmstat(5)).
func collapses(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "thp_collapse_alloc ") {
			return line
		}
	}
	return ""
}

// sameIn compares two snapshots page by page.
func sameIn(t *testing.T, after string, r vmspace.Range, got, want *vmspace.Snapshot) {
	t.Helper()
	for i, q := range got.Processes {
		for at := r.Start; at < r.End; at += pg {
			if a, b := q.PageAt(at, pg), want.Processes[i].PageAt(at, pg); a != b {
				t.Fatalf("after %s, %s %x:\nupdate %+v\nread   %+v", after, q.Label, at, a, b)
			}
		}
	}
}

// A huge page that is split hands on to its frames what only the entry of the whole knew, such as
// that it was written: also to those far from where it was split, whose words stay as they are.
func TestUpdateOfAHoleInAHugePage(t *testing.T) {
	for _, o := range []Options{{}, {NoScan: true}, {NoScan: true, NoQuery: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			o.SmallMappings, o.KPageBudget = -1, 1<<20
			p := startPuppet(t)
			p.mmap(arena, block, rw, private)
			p.must("call %d %d %d %d", unix.SYS_MADVISE, arena, block, unix.MADV_HUGEPAGE)
			p.load(arena)
			p.store(arena, 1)
			r, full := newReader(t, o), newReader(t, o)
			read(t, r, p.family())
			for _, hole := range []uint64{block / pg / 2, block/pg - 1, block / pg / 4} {
				at := arena + hole*pg
				p.must("call %d %d %d", unix.SYS_MUNMAP, at, pg)
				next, err := r.Observe(ctx, p.family(), Within(Touched{"p1", vmspace.Range{Start: at, End: at + pg}}))
				if err != nil {
					t.Fatal(err)
				}
				sameIn(t, fmt.Sprintf("a hole at page %d", hole), vmspace.Range{Start: arena, End: arena + block}, next, read(t, full, p.family()))
			}
		})
	}
}

// Without the scan and without root smaps says that pages are huge, where all of a mapping are.
func TestHugeWithoutScan(t *testing.T) {
	p := startPuppet(t)
	at := arena + 8*block
	p.mmap(at, block, rw, private)
	p.must("call %d %d %d %d", unix.SYS_MADVISE, at, block, unix.MADV_HUGEPAGE)
	p.store(at, 1)
	if errno, _ := p.ask("call %d %d %d %d", unix.SYS_MADVISE, at, block, unix.MADV_COLLAPSE); errno != 0 {
		t.Skip("needs thp: the kernel had no huge page to give")
	}
	r := newReader(t, Options{NoScan: true, NoFrames: true, SmallMappings: 1 << 20, SmallPages: 1 << 30})
	for _, want := range []vmspace.Attrs{vmspace.Huge, 0} {
		q := read(t, r, p.family()).Processes[0]
		for page := range block / pg {
			if run := q.PageAt(at+page*pg, pg); run.State != vmspace.Anon || run.Attrs&vmspace.Huge != want {
				t.Fatalf("page %d: %s %q, want %q", page, run.State, run.Attrs.Names(), want.Names())
			}
		}
		// The letters of one page change and come back: the entry was split for it, and nothing is
		// huge any more.
		p.must("call %d %d %d %d", unix.SYS_MPROTECT, at+pg, pg, unix.PROT_READ)
		p.must("call %d %d %d %d", unix.SYS_MPROTECT, at+pg, pg, unix.PROT_READ|unix.PROT_WRITE)
	}
}
