package vmspace

import (
	"strconv"
	"strings"
)

// Rules of this file: pure. A diff names every difference between two snapshots once, except values
// that change by themselves or follow from a named difference: fault counters, resident sizes, the
// counters of smaps, and the pages of an unmapped range or of an ended process. What changed in an
// address space that several processes share is reported for one of them. The diff examines only what
// the two snapshots do not share.

// ChangeKind is the kind of a change.
type ChangeKind string

// The kinds of change.
const (
	ChangeBorn   ChangeKind = "born"   // a process appeared
	ChangeEnded  ChangeKind = "ended"  // a process is gone
	ChangeZombie ChangeKind = "zombie" // a process died and is not yet waited for
	ChangeState  ChangeKind = "state"  // running to stopped, or back
	// the reason why a process cannot be read appeared or is gone
	ChangeError    ChangeKind = "error"
	ChangeMapped   ChangeKind = "mapped"   // a new mapping at addresses that were free
	ChangeUnmapped ChangeKind = "unmapped" // addresses that were mapped are free
	ChangeGrown    ChangeKind = "grown"    // a mapping was extended by Range
	ChangeShrunk   ChangeKind = "shrunk"   // a mapping was cut by Range
	ChangeSplit    ChangeKind = "split"    // Range was one mapping and is now To mappings
	ChangeMerged   ChangeKind = "merged"   // Range was From mappings and is now one
	ChangePerms    ChangeKind = "perms"    // the permissions, From and To
	// the path, From and To: it was named, or its file was deleted
	ChangeRenamed ChangeKind = "renamed"
	ChangeFlags   ChangeKind = "flags" // the VmFlags, From and To
	ChangeKey     ChangeKind = "key"   // the protection key, From and To
	ChangePage    ChangeKind = "page"  // the state of pages, From and To
	ChangeFrame   ChangeKind = "frame" // another frame, in the same state
	ChangeAttrs   ChangeKind = "attrs" // the attributes of pages, From and To
	// ChangeCount: how many times the frame is mapped, or whether it is mapped only here.
	ChangeCount ChangeKind = "count"
	ChangeWord  ChangeKind = "word" // the kernel's words differ in none of the above
)

// Change is one difference.
type Change struct {
	Kind      ChangeKind
	Process   string // label of the process
	Range     Range
	Pages     uint64 // of Range; 0 for a change of a process
	From, To  string // as text for people
	Was, Is   State  // of a change of pages: the states before and after
	Attrs     Attrs  // of a change of attributes: those gained or lost
	FromFrame uint64 // of the first page, if visible
	ToFrame   uint64
	Perms     Perms // of the mapping: after the change or, if it is gone, before
}

// Diff lists the differences between a and b, by process and address. Either may be nil: then every
// process of the other has appeared or is gone.
func Diff(a, b *Snapshot) []Change { return DiffBy(a, b, "") }

// DiffBy is Diff after a command of the process label: changes in an address space that it shares are
// reported for it.
func DiffBy(a, b *Snapshot, label string) []Change {
	if a == b {
		return nil
	}
	if a == nil {
		a = &Snapshot{PageSize: b.PageSize}
	}
	if b == nil {
		b = &Snapshot{PageSize: a.PageSize}
	}
	var d differ
	d.size = max(b.PageSize, 1)
	for _, p := range a.Processes {
		if q := b.Process(p.Label); q == nil && p.State != Gone {
			d.add(Change{Kind: ChangeEnded, Process: p.Label, From: p.State.String(), To: Gone.String()})
		}
	}
	for _, q := range b.Processes {
		d.process(a.Process(q.Label), q, b.Teller(q, label) == q)
	}
	return d.changes
}

// differ collects the changes, one process after the other.
type differ struct {
	changes []Change
	label   string
	size    uint64
	p, q    *Process
}

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

// span adds a change of a range of the current process.
func (d *differ) span(kind ChangeKind, r Range, perms Perms, from, to string) {
	d.add(Change{Kind: kind, Process: d.label, Range: r, Pages: r.Pages(d.size), From: from, To: to, Perms: perms})
}

// process compares p before with q after, with their memory if memory says that it is reported for
// this process; p is nil for a process that appeared.
func (d *differ) process(p, q *Process, memory bool) {
	if p == q {
		return
	}
	d.label = q.Label
	if p == nil || p.PID != q.PID || p.Started != q.Started && q.Started != 0 && p.Started != 0 {
		if p != nil && p.State != Gone {
			d.add(Change{Kind: ChangeEnded, Process: d.label, From: p.State.String(), To: Gone.String()})
		}
		d.add(Change{Kind: ChangeBorn, Process: d.label, From: "", To: q.State.String()})
		p = &Process{}
	} else if p.State != q.State {
		kind := ChangeState
		switch q.State {
		case Gone:
			kind = ChangeEnded
		case Zombie:
			kind = ChangeZombie
		}
		d.add(Change{Kind: kind, Process: d.label, From: p.State.String(), To: q.State.String()})
	}
	if !q.Alive() {
		return
	}
	if p.Err != q.Err {
		d.add(Change{Kind: ChangeError, Process: d.label, From: p.Err, To: q.Err})
	}
	if !memory {
		return
	}
	d.p, d.q = p, q
	Unshared(p.Mappings, q.Mappings, func(alo, ahi, blo, bhi int) {
		d.mappings(trimCommon(p.Mappings.View(alo, ahi), q.Mappings.View(blo, bhi)))
	})
	maps := q.Mappings.Walk(0)
	Unshared(p.Pages, q.Pages, func(alo, ahi, blo, bhi int) {
		was, now := trimCommon(p.Pages.View(alo, ahi), q.Pages.View(blo, bhi))
		PairRuns(was, now, func(x, y Run) {
			if x != y {
				d.pages(x, y, &maps)
			}
		})
	})
}

// trimCommon drops the common prefix and suffix of two lists.
func trimCommon[T comparable](a, b []T) ([]T, []T) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}

// pages lists the differences between x and y, the same pages before and after, mapping by mapping.
func (d *differ) pages(x, y Run, maps *Walker[Mapping]) {
	all := y.Bounds()
	if m := maps.Item(); m != nil && m.End <= all.Start {
		*maps = maps.l.Walk(all.Start)
	}
	for ; maps.Item() != nil && maps.Item().Start < all.End; maps.Next() {
		m := maps.Item()
		r := m.Intersect(all)
		if r.Empty() {
			continue
		}
		a, b := x.Clip(r), y.Clip(r)
		c := Change{Process: d.label, Range: r, Pages: b.Pages, Was: a.State, Is: b.State, FromFrame: a.Frame, ToFrame: b.Frame, Perms: m.Perms}
		c.Kind, c.From, c.To = pageChange(&a, &b)
		if c.Kind == ChangeAttrs {
			c.Attrs = a.Attrs ^ b.Attrs
		}
		if c.Kind != "" {
			d.page(c)
		}
		if c.Kind != ChangeAttrs && c.Kind != ChangePage && a.Attrs != b.Attrs {
			c.Kind, c.From, c.To, c.Attrs = ChangeAttrs, attrString(a.Attrs), attrString(b.Attrs), a.Attrs^b.Attrs
			d.page(c)
		}
		if m.End > all.End {
			return
		}
	}
}

// pageChange is the most important difference; "" if nothing that was known both times differs.
func pageChange(a, b *Run) (kind ChangeKind, from, to string) {
	switch {
	case a.State != b.State:
		return ChangePage, a.State.String(), b.State.String()
	case a.Frame != 0 && b.Frame != 0 && (a.Frame != b.Frame || a.FrameOf(a.Pages-1) != b.FrameOf(b.Pages-1)):
		return ChangeFrame, a.State.String(), b.State.String()
	case a.Attrs != b.Attrs:
		return ChangeAttrs, attrString(a.Attrs), attrString(b.Attrs)
	case a.Mapcount != b.Mapcount && a.Mapcount >= 0 && b.Mapcount >= 0:
		return ChangeCount, strconv.Itoa(int(a.Mapcount)), strconv.Itoa(int(b.Mapcount))
	case (a.Word^b.Word)&WordExclusive != 0:
		return ChangeCount, exclusiveString(a.Word), exclusiveString(b.Word)
	case a.Word != b.Word:
		return ChangeWord, hexString(a.Word), hexString(b.Word)
	case a.KFlags != b.KFlags && a.Mapcount >= 0 && b.Mapcount >= 0:
		return ChangeWord, "kpageflags " + hexString(a.KFlags), "kpageflags " + hexString(b.KFlags)
	case a.Scan != b.Scan && a.Scan != 0 && b.Scan != 0:
		return ChangeWord, "scan " + hexString(uint64(a.Scan)), "scan " + hexString(uint64(b.Scan))
	}
	return "", "", ""
}

// page appends c, or extends the previous change by it.
func (d *differ) page(c Change) {
	if n := len(d.changes); n > 0 {
		l := &d.changes[n-1]
		if l.Kind == c.Kind && l.Process == c.Process && l.Range.End == c.Range.Start && l.From == c.From && l.To == c.To && l.Was == c.Was && l.Is == c.Is &&
			l.Perms == c.Perms && (l.FromFrame == 0) == (c.FromFrame == 0) && (l.ToFrame == 0) == (c.ToFrame == 0) &&
			d.oneMapping(c.Range.Start) {
			l.Range.End = c.Range.End
			l.Pages += c.Pages
			return
		}
	}
	d.add(c)
}

// oneMapping reports whether no mapping begins at addr.
func (d *differ) oneMapping(addr uint64) bool {
	m, ok := d.q.MappingAt(addr)
	return ok && m.Start != addr
}

func attrString(a Attrs) string { return strings.Join(a.Names(), " ") }

func hexString(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }

func exclusiveString(word uint64) string {
	if word&WordExclusive != 0 {
		return "exclusive"
	}
	return "not exclusive"
}
