package expect

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Expectations about mappings, pages and their content.

func stateWords() []lang.Word {
	var out []lang.Word
	for _, s := range vmspace.States {
		out = append(out, lang.Word{Name: s.Name, Help: s.Sentence})
	}
	return out
}

func attrWords() []lang.Word {
	var out []lang.Word
	for i, n := range vmspace.AttrNames {
		out = append(out, lang.Word{Name: n, Help: vmspace.AttrSentences[i]}, lang.Word{Name: "!" + n, Help: "not " + n})
	}
	return out
}

// flagged are the attributes that only /proc/kpageflags shows.
var flagged = []string{"lazyfree", "dirty", "referenced"}

// lacks returns which of the attributes a run does not have, or has despite a "!"; "" if all are as
// wanted. An attribute that is not visible does not count as absent.
func lacks(run vmspace.Run, attrs []string) string {
	has := run.Attrs.Names()
	for _, a := range attrs {
		name, absent := strings.CutPrefix(a, "!")
		switch {
		case slices.Contains(has, name) == absent:
			return strings.Join(append([]string{run.State.String()}, has...), " ")
		case absent && run.HasFrame() && run.KFlags == 0 && slices.Contains(flagged, name):
			return run.State.String() + ", and whether it is " + name + " cannot be seen without /proc/kpageflags"
		}
	}
	return ""
}

var (
	paramOne   = lang.Param{Name: "one", Kind: lang.KindPlace, Remote: true, Help: "p1:a, or a of the process that acts"}
	paramOther = lang.Param{Name: "other", Kind: lang.KindPlace, Remote: true, Help: "p2:a"}

	expectPage = ofMemory("page", "every page of the range is in that state, has these attributes, and not those with a !", []lang.Param{verb.ParamRange,
		{Name: "state", Kind: lang.KindChoice, Words: stateWords()},
		{Name: "attr", Kind: lang.KindFlags, Optional: true, Words: attrWords()}}, checkPage)
	expectPerms    = ofMemory("perms", "the mapping there has these letters", []lang.Param{verb.ParamPlace, {Name: "perms", Kind: lang.KindPerms}}, checkPerms)
	expectMapped   = ofMemory("mapped", "all of the range is mapped", []lang.Param{verb.ParamRange}, checkMapped(true))
	expectUnmapped = ofMemory("unmapped", "nothing of the range is mapped", []lang.Param{verb.ParamRange}, checkMapped(false))
	expectVMAs     = ofMemory("vmas", "so many mappings overlap the range", []lang.Param{verb.ParamRange, paramComparison, {Name: "count", Kind: lang.KindNumber, Min: 0, Max: 1 << 31}}, checkVMAs)
	expectBytes    = ofMemory("bytes", "these bytes are there, read without disturbing", []lang.Param{verb.ParamPlace, {Name: "value", Kind: lang.KindValue}}, checkBytes)
	expectSame     = ofMemory("same-frame", "two places have one frame", []lang.Param{paramOne, paramOther}, checkFrames(true))
	expectOther    = ofMemory("other-frame", "two places have different frames", []lang.Param{paramOne, paramOther}, checkFrames(false))
)

func mappingAt(c *verb.Call, addr uint64) (vmspace.Mapping, bool) {
	if p := c.Space(); p != nil {
		return p.MappingAt(addr)
	}
	return vmspace.Mapping{}, false
}

// mapsLine is a mapping as in /proc/PID/maps, with the path quoted if necessary.
func mapsLine(m vmspace.Mapping) string {
	return strings.TrimSpace(fmt.Sprintf("maps: %x-%x %s %s", m.Start, m.End, m.Perms, printable.Name(m.Path)))
}

func checkPage(c *verb.Call) (finding, error) {
	r, err := c.Addresses("range")
	if err != nil {
		return finding{}, err
	}
	p, ps := c.Space(), c.PageSize()
	state, _ := c.Cmd.Word("state")
	attrs := c.Cmd.Flags("attr")
	f := finding{want: strings.Join(append([]string{state}, attrs...), " "), holds: true}
	if p == nil {
		f.got, f.holds = c.P.Label+" is gone", false
		return f, nil
	}
	for addr := r.Start &^ (ps - 1); addr < r.End; {
		m, ok := p.MappingAt(addr)
		if !ok {
			f.got, f.holds = fmt.Sprintf("0x%x is not mapped", addr), false
			return f, nil
		}
		for run := range p.PagesIn(vmspace.Range{Start: addr, End: min(r.End, m.End)}) {
			got := lacks(run, attrs)
			if run.State.String() != state {
				got = strings.Join(append([]string{run.State.String()}, run.Attrs.Names()...), " ")
			}
			f.evidence = fmt.Sprintf("pagemap: 0x%016x at 0x%x, in %s", run.Word, run.Start, mapsLine(m))
			if got != "" {
				f.got, f.holds = history.PlaceOf(c.Names, p, run.Start, ps)+" is "+got, false
				return f, nil
			}
		}
		addr = m.End
	}
	f.got = amount.Of(r.Pages(ps), "page") + " in that state"
	return f, nil
}

func checkPerms(c *verb.Call) (finding, error) {
	addr, _, err := c.Place("place")
	f := finding{got: "not mapped"}
	f.want, _ = c.Cmd.Word("perms")
	if m, ok := mappingAt(c, addr); ok {
		f.got, f.evidence = m.Perms.String(), mapsLine(m)
	}
	f.holds = f.got == f.want
	return f, err
}

// overlapping returns the mappings of the process that acts that overlap a range.
func overlapping(c *verb.Call, r vmspace.Range) []vmspace.Mapping {
	p := c.Space()
	if p == nil {
		return nil
	}
	lo, hi := p.Mappings.Overlap(r)
	return p.Mappings.Slice(lo, hi)
}

// mapsLines lists mappings as evidence, of many only the first ones.
func mapsLines(ms []vmspace.Mapping) string {
	var out []string
	for _, m := range ms[:min(len(ms), 4)] {
		out = append(out, strings.TrimPrefix(mapsLine(m), "maps: "))
	}
	if len(ms) > len(out) {
		out = append(out, fmt.Sprintf("and %d more", len(ms)-len(out)))
	}
	if len(out) == 0 {
		return "maps: nothing there"
	}
	return "maps: " + strings.Join(out, ", ")
}

func checkMapped(want bool) func(*verb.Call) (finding, error) {
	return func(c *verb.Call) (finding, error) {
		r, err := c.Addresses("range")
		if err != nil {
			return finding{}, err
		}
		covered, there := uint64(0), overlapping(c, r)
		for _, m := range there {
			covered += m.Intersect(r).Len()
		}
		f := finding{want: "all mapped", got: fmt.Sprintf("%d of %d bytes are mapped", covered, r.Len()), evidence: mapsLines(there), holds: covered == r.Len()}
		if !want {
			f.want, f.holds = "nothing mapped", covered == 0
		}
		return f, nil
	}
}

func checkVMAs(c *verb.Call) (finding, error) {
	r, err := c.Addresses("range")
	if err != nil {
		return finding{}, err
	}
	there := overlapping(c, r)
	want, _ := c.Cmd.Number("count")
	comparison, _ := c.Cmd.Word("comparison")
	return finding{want: strings.TrimSpace(comparison + " " + amount.Of(uint64(want), "mapping")), got: amount.Of(uint64(len(there)), "mapping"),
		evidence: mapsLines(there), holds: lang.Compare(uint64(len(there)), comparison, uint64(want))}, nil
}

func checkBytes(c *verb.Call) (finding, error) {
	addr, _, err := c.Place("place")
	if err != nil {
		return finding{}, err
	}
	want, _ := c.Cmd.Bytes("value")
	f := finding{want: printable.Bytes(want)}
	got, err := c.F.Present(c.P, addr, uint64(len(want)))
	switch {
	case err != nil:
		f.got = err.Error()
	case len(got) < len(want):
		f.got = fmt.Sprintf("the page at 0x%x is not present, and is not touched to look", addr+uint64(len(got)))
	default:
		f.got, f.holds, f.evidence = printable.Bytes(got), bytes.Equal(got, want), fmt.Sprintf("read at 0x%x from outside; the page is present", addr)
	}
	return f, nil
}

func checkFrames(same bool) func(*verb.Call) (finding, error) {
	return func(c *verb.Call) (finding, error) {
		x, err := frameAt(c, "one")
		if err != nil {
			return finding{}, err
		}
		y, err := frameAt(c, "other")
		if err != nil {
			return finding{}, err
		}
		f := finding{want: "one frame", got: fmt.Sprintf("frames 0x%x and 0x%x", x, y), evidence: "pagemap", holds: x == y}
		if !same {
			f.want, f.holds = "two frames", x != y
		}
		if x == 0 || y == 0 {
			f.got, f.holds = "a page there has no frame", false
			if !c.F.Now.Frames {
				f.got, f.evidence = "unknown: frame numbers are hidden from this user", "pagemap, without CAP_SYS_ADMIN"
			}
		}
		return f, nil
	}
}

// frameAt is the frame number of the page at a place argument, 0 if there is no page or frames are
// hidden.
func frameAt(c *verb.Call, param string) (uint64, error) {
	at := *c
	pl, _ := c.Cmd.Place(param)
	if pl.Process != "" {
		if at.P = c.F.Member(pl.Process); at.P == nil {
			return 0, c.Cmd.ErrorIn(param, "there is no process "+pl.Process, "there are: "+c.F.Labels())
		}
	}
	addr, _, err := at.Place(param)
	p, ps := at.Space(), c.PageSize()
	if err != nil || p == nil {
		return 0, err
	}
	run := p.PageAt(addr, ps)
	if run.Frame == 0 {
		return 0, nil
	}
	return run.FrameOf((addr - run.Start) / ps), nil
}
