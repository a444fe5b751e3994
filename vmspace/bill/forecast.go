package bill

import "cowscope/vmspace"

// Rules of this file: what a fork does to a mapping follows from its letters and its VmFlags (dup_mmap
// in kernel/fork.c, vma_needs_copy in mm/memory.c). Numbers of memory are pages, those of page tables
// bytes.

// Forecast is what a fork of a process would do, if it were now.
type Forecast struct {
	Process  string // label
	PageSize uint64 // bytes
	Shared   Count  // private anonymous pages that are present: shared copy-on-write
	Swapped  uint64 // private pages that are swapped out: each process has its own entry
	Mapped   uint64 // pages of MAP_SHARED mappings that are present: one memory before and after
	Files    uint64 // pages of private file mappings that were not written to: the page cache's
	LeftOut  uint64 // pages under MADV_DONTFORK that are present: the child does not get the mapping
	Emptied  uint64 // pages under MADV_WIPEONFORK that are present: the child gets the mapping without them
	// Tables is what the page tables take that are copied at once, at least: those that hold a page of a
	// mapping that is copied. Tables that are empty by now are copied too.
	Tables uint64
	// TablesMost is what all page tables of the process take (VmPTE in proc_pid_status(5)); 0 if not
	// read.
	TablesMost uint64
	Known      bool // the VmFlags of all mappings were read: otherwise LeftOut and Emptied are in Shared
}

// Later is what a fork costs at most: each page that was shared is copied once. In bytes.
func (f *Forecast) Later() uint64 { return f.Shared.Pages * f.PageSize }

// Foresee is the forecast for a process.
func Foresee(p *vmspace.Process, pageSize uint64) *Forecast {
	f := &Forecast{Process: p.Label, PageSize: pageSize, Known: true}
	t := tables{pageSize: pageSize}
	for at := p.Mappings.Walk(0); at.Item() != nil; at.Next() {
		m := at.Item()
		f.Known = f.Known && m.Smaps != nil
		n := f.mapping(p, m)
		flagged := m.Smaps.HasFlag("dc") || m.Smaps.HasFlag("wf")
		copied := n.own.Pages+n.swapped > 0 || m.Smaps.HasFlag("pf") || m.Smaps.HasFlag("mm") || m.Smaps.HasFlag("uw")
		if !flagged && copied && !m.Smaps.HasFlag("ht") {
			t.add(p, m.Range)
		}
	}
	f.Tables = t.bytes()
	return f
}

// contents are pages of a mapping.
type contents struct {
	own                             Count
	swapped, files, shared, present uint64
}

// mapping adds what a fork does to one mapping.
func (f *Forecast) mapping(p *vmspace.Process, m *vmspace.Mapping) (n contents) {
	for at := p.Pages.Walk(m.Start); at.Item() != nil && at.Item().Start < m.End; at.Next() {
		r := at.Item()
		if r.Word&vmspace.WordPresent != 0 {
			n.present += r.Pages
		}
		switch r.State {
		case vmspace.Anon, vmspace.COW:
			n.own.add(r.Pages, r.Attrs&vmspace.Huge != 0)
		case vmspace.Swapped:
			n.swapped += r.Pages
		case vmspace.File:
			n.files += r.Pages
		case vmspace.Shared:
			n.shared += r.Pages
		}
	}
	switch {
	case m.Smaps.HasFlag("dc"):
		f.LeftOut += n.present
	case m.Smaps.HasFlag("wf"):
		f.Emptied += n.present
	default:
		f.Shared.Pages, f.Shared.Huge = f.Shared.Pages+n.own.Pages, f.Shared.Huge+n.own.Huge
		f.Mapped, f.Files = f.Mapped+n.shared, f.Files+n.files
		if m.Private() {
			f.Swapped += n.swapped
		}
	}
	return n
}

// tables counts the page tables that hold pages, which are added by address. A huge page has a table
// too, in reserve (copy_huge_pmd in mm/huge_memory.c).
type tables struct {
	pageSize uint64
	count    uint64
	ends     [4]uint64 // by level: the end of what the last table counted spans
}

// userSpace is what the tables of the highest level but one span on no system: the highest one belongs
// to the process and is in no counter.
const userSpace = 1 << 47

func (t *tables) add(p *vmspace.Process, within vmspace.Range) {
	for at := p.Pages.Walk(within.Start); at.Item() != nil && at.Item().Start < within.End; at.Next() {
		r := at.Item().Bounds()
		span := t.pageSize
		for level := range t.ends {
			if span *= t.pageSize / 8; span >= userSpace {
				break
			}
			for first := max(r.Start, t.ends[level]); first < r.End; first = t.ends[level] {
				t.count++
				t.ends[level] = first - first%span + span
			}
		}
	}
}

func (t *tables) bytes() uint64 { return t.count * t.pageSize }
