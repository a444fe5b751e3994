package explain

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What happened to the pages of a range, as counts and claims.

// claim records what the explanation says about a range of the owner's memory.
func (e *evidence) claim(kind history.ClaimKind, r vmspace.Range, count uint64) {
	if !r.Empty() {
		e.st.Claims = append(e.st.Claims, history.Claim{Kind: kind, Process: e.owner, Range: r, Count: count})
	}
}

// pageCounts are the numbers of pages that changed.
type pageCounts struct {
	came    uint64 // were not present, and are
	owned   uint64 // were present but not the process's own, and are
	dropped uint64 // were present or in swap, and are neither
}

// countPages counts what happened to the pages of r, and claims it.
func (e *evidence) countPages(r vmspace.Range) (b pageCounts) {
	for _, ch := range changesOf(e.st.Changes, e.owner, vmspace.ChangePage) {
		n := ch.Range.Intersect(r).Pages(e.pageSize())
		switch was, is := present(ch.Was), present(ch.Is); {
		case !was && is:
			b.came += n
		case was && is && ch.Is == vmspace.Anon:
			b.owned += n
		case (was || ch.Was == vmspace.Swapped) && !is && ch.Is != vmspace.Swapped:
			b.dropped += n
		}
	}
	e.claim(history.ClaimCame, r, b.came)
	e.claim(history.ClaimOwned, r, b.owned)
	e.claim(history.ClaimDropped, r, b.dropped)
	return b
}

// splitZeroText says that a huge zero page was split, part of which was in r before the step and is
// at to now. Other huge pages become small entries of the same frames; this one is replaced by the
// small zero page (__split_huge_zero_page_pmd in mm/huge_memory.c).
func (e *evidence) splitZeroText(r vmspace.Range, to uint64) string {
	huge := func(p vmspace.Run) bool { return p.State == vmspace.Zero && p.Attrs&vmspace.Huge != 0 }
	now := e.st.After.Process(e.owner)
	for was := range e.before.PagesIn(r) {
		if !huge(was) {
			continue
		}
		at := was.Start - r.Start + to
		for is := range now.PagesIn(vmspace.Range{Start: at, End: at + was.Bounds().Len()}) {
			if is.State == vmspace.Zero && !huge(is) {
				return " The huge zero page was split: the small zero page is there now, and reads the same."
			}
		}
	}
	return ""
}

// present says whether a page in that state has a frame.
func present(s vmspace.State) bool {
	switch s {
	case vmspace.Zero, vmspace.Anon, vmspace.COW, vmspace.File, vmspace.Shared:
		return true
	}
	return false
}

// broughtIn says which pages came, and which became pages of the process alone; "" if none did.
func (b pageCounts) broughtIn() string {
	var parts []string
	if b.came > 0 {
		parts = append(parts, pagesWere(b.came)+" brought in at once")
	}
	if b.owned > 0 {
		parts = append(parts, fmt.Sprintf("%s that it shared %s its own now, as if it had been written to", amount.Of(b.owned, "page"), isAre(b.owned)))
	}
	return strings.Join(parts, ", and ")
}

func isAre(n uint64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
