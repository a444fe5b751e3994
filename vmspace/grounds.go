package vmspace

import "fmt"

// Rules of this file: pure. The words of the kernel do not say everything: what is likely but was
// not read is listed as inferred, together with what would decide it.

// Grounds are what the state of a page rests on.
type Grounds struct {
	Seen []string // the words that were read: file, bits
	// what does not follow from them for certain, and why; empty if everything does
	Inferred []string
}

// Grounds lists the evidence for the state and the attributes of a page of p. page is a run of one
// page of the mapping m, as PageAt returns it.
func (s *Snapshot) Grounds(p *Process, m Mapping, page Run) Grounds {
	v := &view{s, p, m, page, m.Class()}
	var g Grounds
	for _, name := range append([]string{page.State.String()}, page.Attrs.Names()...) {
		if proof, ok := v.seen(name); ok {
			g.Seen = append(g.Seen, proof.From+" "+proof.Says)
		}
	}
	for _, d := range doubts {
		if d.state == page.State && d.holds(v) {
			if d.why != nil {
				g.Inferred = append(g.Inferred, d.why(v))
			}
			break
		}
	}
	for _, t := range tallies {
		if why := t.doubt(v); why != "" {
			g.Inferred = append(g.Inferred, why)
		}
	}
	return g
}

// doubt is a reason why a state is not certain.
type doubt struct {
	state State
	holds func(*view) bool
	why   func(*view) string // nil: it is certain
}

func say(text string) func(*view) string { return func(*view) string { return text } }

// doubts are tried in order; the first one that applies to the state is reported.
var doubts = []doubt{
	{COW, func(v *view) bool { return v.flags(KKSM) || v.merged() }, nil},
	{COW, func(v *view) bool { _, ok := v.partner(); return ok }, nil},
	{COW, func(v *view) bool { return v.counted() && v.r.Mapcount > 1 && (!v.flags(KTHP) || v.r.Attrs&Huge != 0) }, nil},
	{COW, func(v *view) bool { return v.word(WordExclusive) }, func(v *view) string {
		who, _ := v.relative(func(o Run) bool { return o.State == COW })
		return "bit 56 of a huge page is that of its first small page, and says exclusive; but " + who + " has a page here copy-on-write"
	}},
	{Anon, func(v *view) bool {
		return v.r.Attrs&Huge != 0 && !v.counted() && v.r.Start%HugeBlock(v.r.PageSize()) != 0
	},
		say("bit 56 of a huge page is that of its first small page; of this one the mapcount would tell, which needs root")},
	{COW, func(v *view) bool { return v.r.Frame != 0 },
		say("bit 56 is clear: the frame may be mapped elsewhere too, by a process that is not shown here")},
	{COW, func(v *view) bool { _, ok := v.relative(func(o Run) bool { return o.State == COW }); return ok }, func(v *view) string {
		who, _ := v.relative(func(o Run) bool { return o.State == COW })
		return "bit 56 is clear here and in " + who + ": one frame, most likely"
	}},
	{COW, always,
		say("bit 56 is clear: the frame may be mapped elsewhere too, since a fork or because it was merged (KSM)")},
	{None, func(v *view) bool { return v.r.Attrs&Poisoned != 0 }, say("bit 62 is set, smaps counts nothing swapped, and it is not a guard page: " +
		"so the page is broken, or UFFDIO_POISON made it so, unless it was being moved while it was read")},
	{Swapped, func(v *view) bool { return v.word(WordUffdWP) }, say("a marker of userfaultfd, with no page behind it, has these bits too")},
	{Swapped, func(v *view) bool { return v.c.noSwap }, say("smaps counts nothing swapped here: a marker or a page that is being moved has bit 62 too; " +
		"before Linux 6.15 a guard page has no other bit")},
	{Special, func(v *view) bool { return v.m.blind() }, say("pagemap says nothing about this mapping, whether it has pages or not")},
	{Unknown, func(v *view) bool { return v.changed() }, say("the mapping changed while it was read")},
	{Unknown, func(v *view) bool { return v.word(WordFile) }, say("pagemap has a page of a file here, and maps has no file: one of them was read too late, " +
		"or it is the huge zero page; PAGEMAP_SCAN (Linux 6.7) or root would tell")},
	{Unknown, func(v *view) bool { return v.word(WordExclusive) }, say("bit 56 says exclusive, but a relative has a page here that is not: " +
		"if this is a huge page they have one frame; PAGEMAP_SCAN (Linux 6.7) or root would tell")},
	{Unknown, always, say("the zero page and a page shared copy-on-write look alike here; PAGEMAP_SCAN (Linux 6.7), move_pages or root would tell")},
}

// changed reports whether the mappings around the page changed while they were read.
func (v *view) changed() bool {
	for _, r := range v.p.Changed {
		if r.Contains(v.r.Start) {
			return true
		}
	}
	return false
}

// tally is an attribute that smaps counts for a whole mapping without saying for which pages.
type tally struct {
	attr  Attrs
	what  string
	bytes func(*Counters) uint64
	alike string             // why more pages may look like it than are, "" where they cannot
	known func(*view) bool   // page by page, if more than smaps could be read
	could func(v *view) bool // whether the page can be one of those counted
}

var tallies = []tally{
	{LazyFree, "freed lazily (MADV_FREE)", func(c *Counters) uint64 { return c.LazyFree }, "one that was written to since looks the same",
		(*view).counted, isAnon},
	{KSM, "merged (KSM)", func(c *Counters) uint64 { return c.KSM }, "", (*view).showsMerged, isAnon},
	{Huge, "mapped huge", func(c *Counters) uint64 { return c.AnonHuge }, "",
		func(v *view) bool { return v.counted() || v.scan(ScanPresent) || v.r.Attrs&Huge != 0 }, isAnon},
}

// showsMerged reports whether the merged pages of the mapping are known: all of them are, or
// kpageflags can be trusted and at least one page that smaps counts has the flag.
func (v *view) showsMerged() bool {
	if v.merged() {
		return true
	}
	for run := range v.p.PagesIn(v.m.Range) {
		if run.KFlags&KKSM != 0 {
			return true
		}
	}
	return false
}

func isAnon(v *view) bool { return v.r.State == Anon || v.r.State == COW }

// doubt names the pages that smaps counts and nothing locates; "" if there are none.
func (t *tally) doubt(v *view) string {
	if v.m.Smaps == nil || t.bytes(v.m.Smaps) == 0 || !t.could(v) {
		return ""
	}
	counted := t.bytes(v.m.Smaps)
	if !t.known(v) {
		who := "only root can read (kpageflags)"
		if v.counted() {
			who = "this kernel does not tell"
		}
		return fmt.Sprintf("smaps counts %s of this mapping as %s; which pages, %s", kib(counted), t.what, who)
	}
	if t.alike == "" || v.r.Attrs&t.attr == 0 {
		return ""
	}
	marked := uint64(0)
	for run := range v.p.PagesIn(v.m.Range) {
		if run.Attrs&t.attr != 0 {
			marked += run.Bounds().Len()
		}
	}
	if marked <= counted {
		return ""
	}
	return fmt.Sprintf("%s of this mapping are marked, and smaps counts %s as %s: %s", kib(marked), kib(counted), t.what, t.alike)
}

func kib(n uint64) string { return fmt.Sprintf("%d KiB", n>>10) }
