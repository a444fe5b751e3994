package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// The explanation of changes that no command asked for.

// WorthTelling filters out changes that happen all the time and mean nothing: a page referenced
// again, or mapped once more elsewhere. A merged page may have been seen with its new frame before
// it was known why.
func WorthTelling(c vmspace.Change) bool {
	switch c.Kind {
	case vmspace.ChangeAttrs:
		return c.Attrs&vmspace.KSM != 0
	case vmspace.ChangeCount, vmspace.ChangeWord, vmspace.ChangeFlags:
		return false
	}
	return true
}

// Noticed describes changes that no command asked for.
func Noticed(cs []vmspace.Change, after *vmspace.Snapshot) string {
	for _, c := range cs {
		if c.Kind == vmspace.ChangePage {
			return fmt.Sprintf("%s: %s at 0x%x went from %s to %s.", c.Process, amount.Of(c.Pages, "page"), c.Range.Start, c.From, c.To)
		}
	}
	for _, c := range cs {
		if c.Attrs&vmspace.KSM == 0 {
			continue
		}
		if after.Process(c.Process).PageAt(c.Range.Start, after.PageSize).Attrs&vmspace.KSM != 0 {
			return fmt.Sprintf("%s: the kernel merged %s at 0x%x with equal ones (KSM).", c.Process, amount.Of(c.Pages, "page"), c.Range.Start)
		}
		return fmt.Sprintf("%s: %s at 0x%x %s no longer merged with others (KSM).", c.Process, amount.Of(c.Pages, "page"), c.Range.Start, isAre(c.Pages))
	}
	if len(cs) == 0 {
		return ""
	}
	c := cs[0]
	if c.Kind == vmspace.ChangeAttrs {
		return fmt.Sprintf("%s: %s at 0x%x went from %s to %s.", c.Process, amount.Of(c.Pages, "page"), c.Range.Start, cmp.Or(c.From, "no attribute"), cmp.Or(c.To, "no attribute"))
	}
	return fmt.Sprintf("%s: %s at 0x%x.", c.Process, c.Kind, c.Range.Start)
}

// mostNoticed is the maximum number of kinds of changes in a summary.
const mostNoticed = 4

// Summary lists the changes of a family that runs by itself, those of most pages first: p1: 512
// pages none → anon; p2: 4 pages unmapped.
func Summary(cs []vmspace.Change) string {
	type sort struct {
		process, what string
		pages         uint64
	}
	var all []*sort
	add := func(process, what string, pages uint64) {
		i := slices.IndexFunc(all, func(s *sort) bool { return s.process == process && s.what == what })
		if i < 0 {
			i, all = len(all), append(all, &sort{process, what, 0})
		}
		all[i].pages += pages
	}
	for _, c := range cs {
		switch c.Kind {
		case vmspace.ChangePage:
			add(c.Process, c.From+" → "+c.To, c.Pages)
		case vmspace.ChangeFrame:
			add(c.Process, "in another frame", c.Pages)
		case vmspace.ChangeMapped, vmspace.ChangeGrown:
			add(c.Process, "mapped", c.Pages)
		case vmspace.ChangeUnmapped, vmspace.ChangeShrunk:
			add(c.Process, "unmapped", c.Pages)
		case vmspace.ChangePerms:
			add(c.Process, c.From+" → "+c.To, c.Pages)
		}
	}
	slices.SortStableFunc(all, func(a, b *sort) int { return cmp.Compare(b.pages, a.pages) })
	var parts []string
	for _, s := range all[:min(len(all), mostNoticed)] {
		parts = append(parts, fmt.Sprintf("%s: %s %s", s.process, amount.Of(s.pages, "page"), s.what))
	}
	text := strings.Join(parts, "; ")
	if n := len(all) - mostNoticed; n > 0 {
		text += fmt.Sprintf("; and %s more", amount.Of(uint64(n), "kind"))
	}
	if text != "" {
		text += "."
	}
	return text
}
