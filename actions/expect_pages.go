package actions

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Expectations about mappings, pages and what is in them.

func stateWords() []lang.Word {
	var out []lang.Word
	for _, s := range vmspace.States {
		out = append(out, lang.Word{Name: s.Name, Help: s.Sentence})
	}
	return out
}

func attrWords() []lang.Word {
	var out []lang.Word
	for _, n := range vmspace.AttrNames {
		out = append(out, lang.Word{Name: n})
	}
	return out
}

var (
	paramOne   = lang.Param{Name: "one", Kind: lang.KindPlace, Remote: true, Help: "p1:a, or a of the process that acts"}
	paramOther = lang.Param{Name: "other", Kind: lang.KindPlace, Remote: true, Help: "p2:a"}

	expectPage = expectation("page", "every page of the range is in that state", []lang.Param{paramRange,
		{Name: "state", Kind: lang.KindChoice, Words: stateWords()},
		{Name: "attr", Kind: lang.KindFlags, Optional: true, Words: attrWords()}}, checkPage)
	expectPerms    = expectation("perms", "the mapping there has these letters", []lang.Param{paramPlace, {Name: "perms", Kind: lang.KindPerms}}, checkPerms)
	expectMapped   = expectation("mapped", "all of the range is mapped", []lang.Param{paramRange}, checkMapped(true))
	expectUnmapped = expectation("unmapped", "nothing of the range is mapped", []lang.Param{paramRange}, checkMapped(false))
	expectVMAs     = expectation("vmas", "so many mappings overlap the range", []lang.Param{paramRange, {Name: "count", Kind: lang.KindNumber, Min: 0, Max: 1 << 31}}, checkVMAs)
	expectBytes    = expectation("bytes", "these bytes are there, read without disturbing", []lang.Param{paramPlace, {Name: "value", Kind: lang.KindValue}}, checkBytes)
	expectSame     = expectation("same-frame", "two places have one frame", []lang.Param{paramOne, paramOther}, checkFrames(true))
	expectOther    = expectation("other-frame", "two places have different frames", []lang.Param{paramOne, paramOther}, checkFrames(false))
)

func (c *call) space() *vmspace.Process { return c.f.Now.Process(c.P.Label) }

func (c *call) mapping(addr uint64) (vmspace.Mapping, bool) {
	if p := c.space(); p != nil {
		return p.MappingAt(addr)
	}
	return vmspace.Mapping{}, false
}

// mapsLine is a mapping as /proc/PID/maps has it, its path quoted where it needs to be.
func mapsLine(m vmspace.Mapping) string {
	return strings.TrimSpace(fmt.Sprintf("maps: %x-%x %s %s", m.Start, m.End, m.Perms, printable.Name(m.Path)))
}

func checkPage(c *call) (finding, error) {
	r, err := c.rangeOf("range")
	if err != nil {
		return finding{}, err
	}
	p, ps := c.space(), c.pageSize()
	state, _ := c.cmd.Word("state")
	attrs := c.cmd.Flags("attr")
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
			got := append([]string{run.State.String()}, run.Attrs.Names()...)
			f.evidence = fmt.Sprintf("pagemap: 0x%016x at 0x%x, in %s", run.Word, run.Start, mapsLine(m))
			if got[0] != state || slices.ContainsFunc(attrs, func(a string) bool { return !slices.Contains(got[1:], a) }) {
				f.got, f.holds = history.PlaceOf(c.names, p, run.Start, ps)+" is "+strings.Join(got, " "), false
				return f, nil
			}
		}
		addr = m.End
	}
	f.got = amount.Of(r.Pages(ps), "page") + " in that state"
	return f, nil
}

func checkPerms(c *call) (finding, error) {
	addr, _, err := c.place("place")
	f := finding{got: "not mapped"}
	f.want, _ = c.cmd.Word("perms")
	if m, ok := c.mapping(addr); ok {
		f.got, f.evidence = m.Perms.String(), mapsLine(m)
	}
	f.holds = f.got == f.want
	return f, err
}

// overlapping are the mappings of the process that acts in a range.
func (c *call) overlapping(r vmspace.Range) []vmspace.Mapping {
	p := c.space()
	if p == nil {
		return nil
	}
	lo, hi := p.Mappings.Overlap(r)
	return p.Mappings.Slice(lo, hi)
}

// mapsLines are some mappings as evidence, the first ones of many.
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

func checkMapped(want bool) func(*call) (finding, error) {
	return func(c *call) (finding, error) {
		r, err := c.rangeOf("range")
		if err != nil {
			return finding{}, err
		}
		covered, there := uint64(0), c.overlapping(r)
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

func checkVMAs(c *call) (finding, error) {
	r, err := c.rangeOf("range")
	if err != nil {
		return finding{}, err
	}
	there := c.overlapping(r)
	want, _ := c.cmd.Number("count")
	return finding{want: amount.Of(uint64(want), "mapping"), got: amount.Of(uint64(len(there)), "mapping"), evidence: mapsLines(there), holds: int64(len(there)) == want}, nil
}

func checkBytes(c *call) (finding, error) {
	addr, _, err := c.place("place")
	if err != nil {
		return finding{}, err
	}
	want, _ := c.cmd.Bytes("value")
	f := finding{want: printable.Bytes(want)}
	got, err := c.f.Present(c.P, addr, uint64(len(want)))
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

func checkFrames(same bool) func(*call) (finding, error) {
	return func(c *call) (finding, error) {
		x, err := c.frameAt("one")
		if err != nil {
			return finding{}, err
		}
		y, err := c.frameAt("other")
		if err != nil {
			return finding{}, err
		}
		f := finding{want: "one frame", got: fmt.Sprintf("frames 0x%x and 0x%x", x, y), evidence: "pagemap", holds: x == y}
		if !same {
			f.want, f.holds = "two frames", x != y
		}
		if x == 0 || y == 0 {
			f.got, f.holds = "a page there has no frame", false
			if !c.f.Now.Frames {
				f.got, f.evidence = "unknown: frame numbers are hidden from this user", "pagemap, without CAP_SYS_ADMIN"
			}
		}
		return f, nil
	}
}

// frameAt is the frame number of the page that a place argument names, 0 where there is none or it is hidden.
func (c *call) frameAt(param string) (uint64, error) {
	at := *c
	pl, _ := c.cmd.Place(param)
	if pl.Process != "" {
		if at.P = c.f.Member(pl.Process); at.P == nil {
			return 0, c.cmd.ErrorIn(param, "there is no process "+pl.Process, "there are: "+c.f.Labels())
		}
	}
	addr, _, err := at.place(param)
	p, ps := at.space(), c.pageSize()
	if err != nil || p == nil {
		return 0, err
	}
	run := p.PageAt(addr, ps)
	if run.Frame == 0 {
		return 0, nil
	}
	return run.FrameOf((addr - run.Start) / ps), nil
}
