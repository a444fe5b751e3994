package vmspace

// Rules of this file: a diff names everything that a person can see differ between two snapshots, and nothing else: a mapping by
// its ranges, a page by its state, its frame and its attributes. Parts that both snapshots share are never looked at.

// ChangeKind says what a Change is about.
type ChangeKind uint8

// The kinds of change.
const (
	ChangeBorn     ChangeKind = iota // a process is new
	ChangeEnded                      // a process became a zombie or is gone
	ChangeMapped                     // a range is mapped that was not
	ChangeUnmapped                   // a range is mapped no more
	ChangePerms                      // other letters
	ChangeBacking                    // another file or offset behind it
	ChangeSplit                      // one mapping became several
	ChangeMerged                     // several became one
	ChangePage                       // pages went to another state
	ChangeFrame                      // the same state in another frame
	ChangeAttrs                      // other attributes, or mapped more or less often
)

// String is the word in the JSON.
func (k ChangeKind) String() string {
	return [...]string{"born", "ended", "mapped", "unmapped", "perms", "backing", "split", "merged", "page", "frame", "attrs"}[k]
}

// Change is one difference between two snapshots.
type Change struct {
	Kind      ChangeKind
	Process   string
	Range     Range
	Pages     uint64
	From, To  string // states, letters, or counts of mappings
	FromFrame uint64 // of the first page; 0 where there is none or it is hidden
	ToFrame   uint64
}

// Diff lists what changed from a to b, process by process, mappings before pages, by address.
func Diff(a, b *Snapshot) []Change {
	if a == nil || a == b {
		return nil
	}
	var out []Change
	for _, y := range b.Processes {
		x := a.Process(y.Label)
		if x == y {
			continue
		}
		d := differ{label: y.Label, size: b.PageSize}
		switch {
		case x == nil || x.PID != y.PID:
			d.add(Change{Kind: ChangeBorn, To: y.State.String()})
		case dead(y) && !dead(x):
			d.add(Change{Kind: ChangeEnded, From: x.State.String(), To: y.State.String()})
		case !dead(y):
			d.mappings(x, y)
			d.pages(x, y)
		}
		out = append(out, d.out...)
	}
	for _, x := range a.Processes {
		if b.Process(x.Label) == nil {
			out = append(out, Change{Kind: ChangeEnded, Process: x.Label, From: x.State.String(), To: Gone.String()})
		}
	}
	return out
}

func dead(p *Process) bool { return p.State == Zombie || p.State == Gone }

// differ gathers the changes of one process.
type differ struct {
	label string
	size  uint64
	out   []Change
}

func (d *differ) add(c Change) {
	c.Process, c.Pages = d.label, c.Range.Pages(d.size)
	d.out = append(d.out, c)
}

// extend adds c to the change before it where the two are one: alike, neighbours, and with frames that follow one another.
func (d *differ) extend(c Change) {
	if n := len(d.out); n > 0 {
		l := &d.out[n-1]
		if l.Kind == c.Kind && l.From == c.From && l.To == c.To && l.Range.End == c.Range.Start &&
			follows(l.FromFrame, c.FromFrame, l.Pages) && follows(l.ToFrame, c.ToFrame, l.Pages) {
			l.Range.End = c.Range.End
			l.Pages = l.Range.Pages(d.size)
			return
		}
	}
	d.add(c)
}

func follows(a, b, n uint64) bool { return a == 0 && b == 0 || a != 0 && a+n == b }

// mappings compares the lists of mappings where they are not the same chunks.
func (d *differ) mappings(x, y *Process) {
	unshared(x.Mappings, y.Mappings, func(alo, ahi, blo, bhi int) {
		olds, news := x.Mappings.Slice(alo, ahi), y.Mappings.Slice(blo, bhi)
		eachPart(olds, news, func(r Range, o, n *Mapping) {
			switch {
			case o == nil:
				d.extend(Change{Kind: ChangeMapped, Range: r, To: n.Perms.String()})
			case n == nil:
				d.extend(Change{Kind: ChangeUnmapped, Range: r, From: o.Perms.String()})
			case o.Inode != n.Inode || o.Path != n.Path || o.Major != n.Major || o.Minor != n.Minor || o.Offset-o.Start != n.Offset-n.Start && (o.Inode|n.Inode) != 0:
				d.extend(Change{Kind: ChangeBacking, Range: r, From: o.Path, To: n.Path})
			case o.Perms != n.Perms:
				d.extend(Change{Kind: ChangePerms, Range: r, From: o.Perms.String(), To: n.Perms.String()})
			}
		})
		d.cuts(olds, news, ChangeSplit)
		d.cuts(news, olds, ChangeMerged)
	})
}

// cuts finds items of whole that are several in parts: splits, or merges with the two lists the other way round.
func (d *differ) cuts(whole, parts []Mapping, kind ChangeKind) {
	j := 0
	for i := range whole {
		for j < len(parts) && parts[j].End <= whole[i].Start {
			j++
		}
		n := 0
		for k := j; k < len(parts) && parts[k].Start < whole[i].End; k++ {
			n++
		}
		if n > 1 {
			d.add(Change{Kind: kind, Range: whole[i].Range, From: countText(kind == ChangeMerged, n), To: countText(kind == ChangeSplit, n)})
		}
	}
}

func countText(many bool, n int) string {
	if !many {
		n = 1
	}
	return uitoa(uint64(n))
}

func uitoa(n uint64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return uitoa(n/10) + uitoa(n%10)
}

// pages compares the pages where they are not the same chunks. What an unmapped range lost is said by the range alone.
func (d *differ) pages(x, y *Process) {
	unshared(x.Pages, y.Pages, func(alo, ahi, blo, bhi int) {
		eachPart(x.Pages.Slice(alo, ahi), y.Pages.Slice(blo, bhi), func(r Range, o, n *Run) {
			from, to := part(o, r), part(n, r)
			c := Change{Range: r, From: from.State.String(), To: to.State.String(), FromFrame: from.Frame, ToFrame: to.Frame}
			switch {
			case from.State != to.State:
				if n == nil && !y.mapped(r) {
					return
				}
				c.Kind = ChangePage
			case from.Frame != to.Frame:
				c.Kind = ChangeFrame
			case from.Attrs != to.Attrs || from.Mapcount != to.Mapcount:
				c.Kind = ChangeAttrs
			default:
				return
			}
			d.extend(c)
		})
	})
}

func (p *Process) mapped(r Range) bool {
	lo, hi := p.Mappings.Overlap(r)
	return lo < hi
}

// part is what lies in r of a run; the zero Run, in state None, where there is no run.
func part(run *Run, r Range) Run {
	if run == nil {
		return Run{}
	}
	return run.Clip(r)
}

// eachPart cuts two lists at all boundaries of both and yields every part with the item of either that covers it.
func eachPart[T Item](a, b []T, yield func(r Range, x, y *T)) {
	i, j := 0, 0
	at := uint64(0)
	for i < len(a) || j < len(b) {
		var x, y *T
		var ra, rb Range
		if i < len(a) {
			x, ra = &a[i], a[i].Bounds()
		}
		if j < len(b) {
			y, rb = &b[j], b[j].Bounds()
		}
		start, end := edge(x != nil, ra, y != nil, rb, at)
		r := Range{start, end}
		cx, cy := x, y
		if x != nil && !ra.Contains(start) {
			cx = nil
		}
		if y != nil && !rb.Contains(start) {
			cy = nil
		}
		yield(r, cx, cy)
		at = end
		if x != nil && ra.End <= end {
			i++
		}
		if y != nil && rb.End <= end {
			j++
		}
	}
}

// edge is the next part from at on: where it starts and where the first boundary after that lies.
func edge(hasA bool, a Range, hasB bool, b Range, at uint64) (start, end uint64) {
	start, end = ^uint64(0), ^uint64(0)
	for _, x := range []struct {
		has bool
		r   Range
	}{{hasA, a}, {hasB, b}} {
		if x.has {
			start = min(start, max(x.r.Start, at))
		}
	}
	for _, x := range []struct {
		has bool
		r   Range
	}{{hasA, a}, {hasB, b}} {
		if x.has && x.r.Start > start {
			end = min(end, x.r.Start)
		}
		if x.has && x.r.End > start {
			end = min(end, x.r.End)
		}
	}
	return start, end
}
