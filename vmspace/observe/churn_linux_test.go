package observe

import (
	"runtime"
	"sync/atomic"
	"testing"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// churner is a thread of the puppet that maps, splits, replaces and unmaps the same eight pages as
// fast as it can.
type churner struct {
	at     atomic.Uint64 // 0: stand still
	rounds atomic.Uint64
}

var churn churner

// order starts the thread at addr, or stops it where addr is 0, and says how many rounds it made.
func (c *churner) order(addr uint64) uint64 {
	if old := c.at.Swap(addr); old == 0 && addr != 0 {
		go c.run()
	}
	return c.rounds.Load()
}

func (c *churner) run() {
	runtime.LockOSThread()
	for addr := c.at.Load(); addr != 0; addr = c.at.Load() {
		if mapAt(addr, 8*pg, rw, private, -1, 0) != nil {
			return
		}
		*at(addr), *at(addr + 5*pg) = 1, 1
		protect(addr+4*pg, pg, unix.PROT_READ)
		if mapAt(addr+2*pg, 6*pg, rw, shared, -1, 0) != nil {
			return
		}
		*at(addr + 2*pg), *at(addr + 7*pg) = 1, 1
		unix.Syscall(unix.SYS_MUNMAP, uintptr(addr), uintptr(8*pg), 0)
		c.rounds.Add(1)
	}
}

// churned is what pages of the churned place may be read as, by the letters of the mapping: what it
// is there, or that it is not known. The zero page belongs to it: a Go program may load from an
// address before it stores, to find a nil pointer.
var churned = map[string]map[vmspace.State]bool{
	"rw-p": {vmspace.None: true, vmspace.Zero: true, vmspace.Anon: true, vmspace.Unknown: true},
	"r--p": {vmspace.None: true, vmspace.Zero: true, vmspace.Anon: true, vmspace.Unknown: true},
	"rw-s": {vmspace.None: true, vmspace.Shared: true, vmspace.Unknown: true},
}

// TestChanging reads a process while it changes: what stands still is read right, and what does not
// is never read wrong.
func TestChanging(t *testing.T) {
	rounds, atLeast := uint64(8000), 30
	if testing.Short() {
		rounds, atLeast = 400, 5
	}
	for name, o := range map[string]Options{"small": {}, "large": {SmallMappings: -1}, "gentle": {SmallMappings: -1, Gentle: true},
		"no query": {NoQuery: true, SmallMappings: -1}} {
		t.Run(name, func(t *testing.T) {
			p := startPuppet(t)
			many(p, 600)
			busy := vmspace.Range{Start: arena + 200*pg, End: arena + 208*pg}
			p.must("churn %d", busy.Start)
			r := newReader(t, o)
			reads, sure := 0, 0
			for p.must("churn %d", busy.Start) < rounds || reads < atLeast {
				s, err := r.Observe(ctx, p.family(), Scope{})
				if err != nil {
					t.Fatal(err)
				}
				reads++
				if q := s.Processes[0]; q.Err == "" {
					holdChanging(t, q, busy)
					if len(q.Changed) == 0 {
						sure++
					}
				} else if q.Err != errChanged.Error() {
					t.Fatal(q.Err)
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d reads, %d of them of one moment", reads, sure)
			p.must("churn 0")
			for _, x := range read(t, r, p.family()).Processes[0].Changed {
				if x.Overlaps(vmspace.Range{Start: arena, End: arena + 600*pg}) {
					t.Errorf("nothing of the arena changes, and %v is said to", x)
				}
			}
		})
	}
}

func holdChanging(t *testing.T, p *vmspace.Process, busy vmspace.Range) {
	t.Helper()
	if !ordered(p.Mappings) {
		t.Errorf("mappings overlap: %v", p.Mappings.Slice(0, p.Mappings.Len()))
	}
	for i := range uint64(600) {
		addr := arena + i*pg
		m, ok := p.MappingAt(addr)
		page := p.PageAt(addr, pg)
		if busy.Contains(addr) {
			if ok && !churned[m.Perms.String()][page.State] {
				t.Errorf("changing page %d of a mapping %v is %v, word %x", i, m.Perms, page.State, page.Word)
			}
			if page.State == vmspace.Shared && page.Word&vmspace.WordFile == 0 { // the next mapping there has another inode
				t.Errorf("changing page %d is called shared, its word %x is of the private mapping before or after", i, page.Word)
			}
			continue
		}
		wrote := i%2 == 0
		if !ok || m.Perms&vmspace.Write != 0 != wrote || page.State != vmspace.Anon && !(page.State == vmspace.Unknown && besides(p.Changed, addr)) {
			t.Errorf("page %d, which stands still, is %v in %v %v, changed %v", i, page.State, m.Range, m.Perms, p.Changed)
		}
	}
}

// besides says whether addr lies in one of the ranges.
func besides(ranges []vmspace.Range, addr uint64) bool {
	for _, r := range ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}
