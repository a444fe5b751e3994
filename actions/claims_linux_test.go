package actions

import (
	"fmt"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// What the sentences of a step claim, held against its two snapshots page by page. The snapshots
// themselves are held against /proc by checkSnapshot.

// checkClaims says which claim of a step is refuted, and by what.
func checkClaims(st *history.Step) string {
	for _, c := range st.Claims {
		if wrong := refuted(st, c); wrong != "" {
			return fmt.Sprintf("%q claims %s of %s %s (%d): %s", st.Why, c.Kind, c.Process, c.Range, c.Count, wrong)
		}
	}
	return ""
}

func refuted(st *history.Step, c history.Claim) string {
	was, is := st.Before.Process(c.Process), st.After.Process(c.Process)
	if c.Kind == history.ClaimShared && is != nil && is.Alive() {
		return notShared(c, is, st.After.Process(st.Process))
	}
	if c.Kind == history.ClaimOneSpace && is != nil && is.Alive() {
		return notOne(is, st.After.Process(st.Process))
	}
	if was == nil || is == nil || !is.Alive() {
		return ""
	}
	switch c.Kind {
	case history.ClaimCame:
		return counted(c, is, was, func(now, before vmspace.Run) bool { return here(now) && !here(before) })
	case history.ClaimDropped:
		return counted(c, was, is, func(before, now vmspace.Run) bool { return held(before) && !held(now) })
	case history.ClaimOwned:
		return counted(c, is, was, func(now, before vmspace.Run) bool {
			return here(before) && now.State == vmspace.Anon && before.State != vmspace.Anon
		})
	case history.ClaimKept:
		c.Count = 0
		return counted(c, was, is, func(before, now vmspace.Run) bool {
			return here(before) && !alike(before, now)
		})
	case history.ClaimPresent:
		if n := is.Resident(c.Range); n != c.Count {
			return fmt.Sprintf("%d pages are present", n)
		}
	case history.ClaimMoved:
		return counted(c, was, is, func(before, _ vmspace.Run) bool {
			now := is.PageAt(before.Start-c.Range.Start+c.To, before.PageSize())
			return here(before) && !alike(before, now)
		})
	case history.ClaimLocked:
		return flagged(is, c.Range, "lo", true)
	case history.ClaimUnlocked:
		return flagged(is, c.Range, "lo", false)
	case history.ClaimSealed:
		return flagged(is, c.Range, "sl", true)
	case history.ClaimJoined:
		if m, ok := is.MappingAt(c.Range.Start); !ok || !m.Covers(c.Range) || m.Range == c.Range {
			return fmt.Sprintf("the mapping there is %s", m.Range)
		}
	case history.ClaimMapped, history.ClaimUnmapped:
		want := uint64(0)
		if c.Kind == history.ClaimMapped {
			want = c.Range.Len()
		}
		if n := overlap(is, c.Range); n != want {
			return fmt.Sprintf("%d bytes are mapped", n)
		}
	case history.ClaimRefused, history.ClaimGrows:
		can := st.Predict(c.Process, c.Range.Start, vmspace.Load).Can
		if len(can) != 1 || c.Kind == history.ClaimRefused && !can[0].Refused() || c.Kind == history.ClaimGrows && can[0] != vmspace.Grow {
			return fmt.Sprintf("it can be %v", can)
		}
	case history.ClaimUntouched:
		text, size := subject.Text() // which the calls themselves may bring back
		own := vmspace.Range{Start: text, End: text + size}
		for _, ch := range st.Changes {
			if ch.Process == c.Process && ch.Range.Overlaps(c.Range) && !own.Covers(ch.Range) {
				return fmt.Sprint(ch)
			}
		}
	case history.ClaimWaits:
		if is.State != vmspace.Running {
			return "it is " + is.State.String()
		}
	default:
		return "no test knows such a claim"
	}
	return ""
}

// flagged says which mapping of r has a VmFlag, or has it not, against what was claimed.
func flagged(p *vmspace.Process, r vmspace.Range, flag string, has bool) string {
	for _, m := range p.Mappings.All() {
		if m.Overlaps(r) && m.Smaps != nil && m.Smaps.HasFlag(flag) != has {
			return fmt.Sprintf("%s has the VmFlags %v", m.Range, m.Smaps.VMFlags)
		}
	}
	return ""
}

// notShared says what is wrong with the pages that a child shares with its parent.
func notShared(c history.Claim, child, parent *vmspace.Process) string {
	return counted(c, child, parent, func(page, of vmspace.Run) bool {
		return page.State == vmspace.COW && of.State == vmspace.COW && page.Frame == of.Frame
	})
}

// notOne says where two processes do not have one memory.
func notOne(p, o *vmspace.Process) string {
	a, b := p.Mappings.Slice(0, p.Mappings.Len()), o.Mappings.Slice(0, o.Mappings.Len())
	if !slices.EqualFunc(a, b, func(x, y vmspace.Mapping) bool { return x.Range == y.Range && x.Perms == y.Perms }) {
		return fmt.Sprintf("%s has the mappings %v, and %s has %v", p.Label, a, o.Label, b)
	}
	wrong := ""
	vmspace.PairRuns(p.Pages.Slice(0, p.Pages.Len()), o.Pages.Slice(0, o.Pages.Len()), func(x, y vmspace.Run) {
		// Of a large family the flags of some frames are not read, and attributes rest on them.
		alike := (x.Mapcount < 0) == (y.Mapcount < 0)
		if x.State != y.State || x.Frame != y.Frame || alike && x.Attrs != y.Attrs {
			wrong = fmt.Sprintf("at 0x%x %s has %s in frame 0x%x, and %s has %s in frame 0x%x", x.Start, p.Label, x.State, x.Frame, o.Label, y.State, y.Frame)
		}
	})
	return wrong
}

// counted holds the count of a claim against the pages of p that lie in its range, each with what o
// has in its place.
func counted(c history.Claim, p, o *vmspace.Process, is func(page, other vmspace.Run) bool) string {
	n, size := uint64(0), uint64(0)
	first := ""
	for _, run := range p.Pages.All() {
		size = run.PageSize()
		part := run.Clip(c.Range)
		for i := range part.Pages {
			at := part.Start + i*size
			page, other := p.PageAt(at, size), o.PageAt(at, size)
			if is(page, other) {
				if n++; first == "" {
					first = fmt.Sprintf(", the first at 0x%x: %s, and in the other picture %s", at, page.State, other.State)
				}
			}
		}
	}
	if n != c.Count {
		return fmt.Sprintf("it is so of %d pages%s", n, first)
	}
	return ""
}

// alike says whether a page can be the one that it was. Of one in state Unknown nobody knows more than
// that it is present, and one zero page is as good as another: the huge one is not kept when it is cut.
func alike(before, now vmspace.Run) bool {
	switch now.State {
	case vmspace.Unknown:
		return now.Word&vmspace.WordPresent != 0 && now.Frame == before.Frame
	case vmspace.Zero:
		return before.State == vmspace.Zero
	}
	return now.State == before.State && now.Frame == before.Frame
}

func here(r vmspace.Run) bool { return r.State != vmspace.Special && r.HasFrame() }

func held(r vmspace.Run) bool { return here(r) || r.State == vmspace.Swapped }

func overlap(p *vmspace.Process, r vmspace.Range) (n uint64) {
	for _, m := range p.Mappings.All() {
		n += m.Intersect(r).Len()
	}
	return n
}
