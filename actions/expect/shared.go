package expect

import (
	"fmt"
	"strings"

	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// How much of the private memory of a process is still one with a relative's: what a fork shared,
// and no write has parted.

var expectShared = ofMemory("shared", "so much of the second process's private anonymous pages that are present is in the frames of the first, at the same addresses", []lang.Param{
	{Name: "one", Kind: lang.KindProcess, Help: "such as p1, the parent"},
	{Name: "other", Kind: lang.KindProcess, Help: "such as p2, its child"},
	paramComparison,
	{Name: "share", Kind: lang.KindPercent, Help: "how much: 80%"}}, checkShared)

func checkShared(c *verb.Call) (finding, error) {
	var spaces [2]*vmspace.Process
	for i, param := range []string{"one", "other"} {
		label, _ := c.Cmd.Word(param)
		if c.F.Member(label) == nil {
			return finding{}, c.Cmd.ErrorIn(param, "there is no process "+label, "there are: "+c.F.Labels())
		}
		spaces[i] = c.F.Now.Process(label)
		if spaces[i] == nil || !spaces[i].Alive() {
			return finding{want: shareWanted(c), got: label + " is gone"}, nil
		}
	}
	s := sharing(spaces[0], spaces[1])
	f := finding{want: shareWanted(c), evidence: fmt.Sprintf("pagemap: %s of %s", amount.Of(s.same, "frame"), amount.Of(s.own, "page"))}
	switch {
	case s.unknown > 0:
		f.got = "unknown: " + amount.Of(s.unknown, "page") + " could not be read"
	case s.own == 0:
		f.got = spaces[1].Label + " has no private anonymous page"
	case !c.F.Now.Frames:
		f.got = "unknown: frame numbers are hidden from this user, and without them nothing tells with whom a page is shared"
		f.evidence = fmt.Sprintf("pagemap, without CAP_SYS_ADMIN: %s of %d are in state cow, shared with anyone", amount.Of(s.cow, "page"), s.own)
	default:
		f.got = fmt.Sprintf("%.1f%%", 100*float64(s.same)/float64(s.own))
		comparison, _ := c.Cmd.Word("comparison")
		want, _ := c.Cmd.Number("share")
		f.holds = lang.Compare(100*s.same, comparison, uint64(want)*s.own)
	}
	return f, nil
}

func shareWanted(c *verb.Call) string {
	comparison, _ := c.Cmd.Word("comparison")
	n, _ := c.Cmd.Number("share")
	return strings.TrimSpace(fmt.Sprintf("%s %d%%", comparison, n))
}

// shares counts pages.
type shares struct {
	own     uint64 // private, anonymous and present
	cow     uint64 // of them, those in state cow
	same    uint64 // of them, those in the frames of the relative
	unknown uint64 // of private anonymous memory or not: nobody can say
}

// sharing counts the pages of p that are one with those of its relative q.
func sharing(q, p *vmspace.Process) (s shares) {
	theirs := q.Pages.Walk(0)
	for _, r := range p.Pages.All() {
		switch r.State {
		case vmspace.Unknown:
			s.unknown += r.Pages
			continue
		case vmspace.COW:
			s.cow += r.Pages
		case vmspace.Anon:
		default:
			continue
		}
		s.own += r.Pages
		for theirs.Item() != nil && theirs.Item().Bounds().End <= r.Start {
			theirs.Next()
		}
		for at := theirs; at.Item() != nil && at.Item().Start < r.Bounds().End; at.Next() {
			both := at.Item().Bounds().Intersect(r.Bounds())
			mine, other := r.Clip(both), at.Item().Clip(both)
			if mine.Frame != 0 && mine.Frame == other.Frame && (other.State == vmspace.Anon || other.State == vmspace.COW) {
				s.same += mine.Pages
			}
		}
	}
	return s
}
