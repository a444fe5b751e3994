package observe

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// The page tables that the pages need are those that the kernel counts, so that nothing else need
// be read; and where a page came that nobody told of, they are more.
func TestReadLikely(t *testing.T) {
	if runtime.GOARCH == "arm64" && pg == 16<<10 {
		t.Skip("needs page tables as deep as the addresses are long: with pages of 16 KiB they are made for addresses of 52 bits, and nothing is proved")
	}
	ways := []Options{{NoScan: true, NoQuery: true}, {NoScan: true, NoQuery: true, NoFrames: true}}
	if testing.Short() {
		ways = ways[:1]
	}
	for _, o := range ways {
		p := startPuppet(t)
		const large uint64 = arena + 1<<40
		p.mmap(large, 8<<30, rw, private|unix.MAP_NORESERVE)
		p.must("call %d %d %d %d", unix.SYS_MADVISE, large, 8<<30, unix.MADV_NOHUGEPAGE)
		full := newReader(t, o)
		o.SparseSize = 1
		r := newReader(t, o)
		// The puppet is a Go program, which touches memory of its own at times: what is said of it
		// is asked again.
		likely := func(what string, yes bool) {
			t.Helper()
			said := !yes
			for try := 0; try < 10 && said != yes; try++ {
				said = true
				for _, g := range r.begin(r.last, p.family()) {
					err := g.files.need(&g.files.pagemap, "pagemap")
					if err == nil {
						g.maps, err = r.readMaps(g.files, vmspace.List[vmspace.Mapping]{}, g.stat)
					}
					all, err2 := r.readLikely(g)
					if err := errors.Join(err, err2); err != nil {
						t.Fatal(err)
					}
					said = said && (all || g.Label != "p1") // a child may have tables without pages: of what its parent has not handed on
				}
			}
			if said != yes {
				t.Errorf("%s: what is likely was all: %v", what, said)
			}
			got, want := read(t, r, p.family()), read(t, full, p.family())
			for i, q := range got.Processes {
				mine := func(q *vmspace.Process) []vmspace.Run {
					return runsIn(q.Pages, vmspace.Range{Start: large, End: large + 1<<40})
				}
				if a, b := mine(q), mine(want.Processes[i]); !slices.Equal(a, b) {
					t.Errorf("%s: %s: %+v, read whole %+v", what, q.Label, a, b)
				}
			}
		}
		likely("nothing was touched", true)
		p.store(large+5<<30, 1)
		likely("a page that nobody told of", false)
		likely("the same page again", true)
		p.load(large + 7<<30)
		likely("a zero page that nobody told of", false)
		p.store(large+5<<30+pg, 1)
		likely("a neighbour of what was there", true)
		p.fork()
		likely("a child", true)
		p.must("call %d %d %d %d", unix.SYS_MADVISE, large+7<<30, pg, unix.MADV_DONTNEED)
		likely("a table that is left over", false)
		p.must("call %d %d %d", unix.SYS_MUNMAP, large+6<<30, 2<<30)
		likely("the mapping ends before it", true)
		p.mmap(large+8<<30, 2*block, rw, private)
		p.must("call %d %d %d %d", unix.SYS_MADVISE, large+8<<30, 2*block, unix.MADV_HUGEPAGE)
		p.store(large+8<<30, 1)
		likely("a huge page", true)
		p.mmap(large+9<<30, 2*block, rw, shared)
		for at := uint64(large + 9<<30); at < large+9<<30+block+pg; at += pg {
			p.store(at, 1)
		}
		likely("a block of shared memory that may be one huge page", false)
	}
}

// With a context that is over nothing is read, however it is asked for.
func TestObserveTooLate(t *testing.T) {
	late, cancel := context.WithCancel(ctx)
	cancel()
	for _, o := range []Options{{}, {SmallMappings: -1}, {NoScan: true, NoQuery: true, SparseSize: 1}} {
		p := startPuppet(t)
		p.mmap(arena, 8*pg, rw, private)
		r := newReader(t, o)
		read(t, r, p.family())
		touched := Touched{"p1", vmspace.Range{Start: arena, End: arena + pg}}
		for _, may := range []Scope{{}, Within(touched), AtRest(touched, Held{})} {
			if s, err := r.Observe(late, p.family(), may); s != nil || err != context.Canceled {
				t.Errorf("%+v, %+v: %v, %v", o, may, s, err)
			}
		}
	}
}
