package actions

import (
	"bytes"
	"fmt"
	"strings"

	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Expectations: what a script asserts of the last command and of the family as it was read after it. They touch nothing.

// ResultFailed is the result of an expectation that does not hold.
const ResultFailed = "failed"

// expectation makes the action of one form of expect. check answers with what was found, and whether that is what was wanted.
func expectation(form, summary string, params []lang.Param, check func(*call) (got string, holds bool, err error)) Action {
	return Action{
		Dead: true, Check: true,
		Verb: lang.Verb{Name: "expect " + form, Summary: summary, Params: params},
		run: func(c *call) error {
			got, holds, err := check(c)
			if err != nil {
				return err
			}
			c.Result, c.note = ResultOK, "As expected: "+got+"."
			if !holds {
				c.Result, c.note = ResultFailed, "Expected otherwise, found: "+got+"."
			}
			c.Got = got
			return nil
		},
	}
}

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

	expectResult = expectation("result", "the last command ended so", []lang.Param{{Name: "result", Kind: lang.KindResult}}, checkResult)
	expectPage   = expectation("page", "every page of the range is in that state", []lang.Param{paramRange,
		{Name: "state", Kind: lang.KindChoice, Words: stateWords()},
		{Name: "attr", Kind: lang.KindFlags, Optional: true, Words: attrWords()}}, checkPage)
	expectPerms = expectation("perms", "the mapping there has these letters", []lang.Param{paramPlace, {Name: "perms", Kind: lang.KindPerms}}, func(c *call) (string, bool, error) {
		addr, _, err := c.place("place")
		want, _ := c.cmd.Word("perms")
		got := "not mapped"
		if m, ok := c.mapping(addr); ok {
			got = m.Perms.String()
		}
		return got, got == want, err
	})
	expectMapped   = expectation("mapped", "all of the range is mapped", []lang.Param{paramRange}, checkMapped(true))
	expectUnmapped = expectation("unmapped", "nothing of the range is mapped", []lang.Param{paramRange}, checkMapped(false))
	expectVMAs     = expectation("vmas", "so many mappings overlap the range", []lang.Param{paramRange, {Name: "count", Kind: lang.KindNumber, Min: 0, Max: 1 << 31}}, checkVMAs)
	expectBytes    = expectation("bytes", "these bytes are there, read without disturbing", []lang.Param{paramPlace, {Name: "value", Kind: lang.KindValue}}, checkBytes)
	expectSame     = expectation("same-frame", "two places have one frame", []lang.Param{paramOne, paramOther}, checkFrames(true))
	expectOther    = expectation("other-frame", "two places have different frames", []lang.Param{paramOne, paramOther}, checkFrames(false))
	expectFaults   = expectation("faults", "the last command took so many faults", []lang.Param{
		{Name: "minor", Kind: lang.KindOption, Key: "minor", Of: lang.KindNumber},
		{Name: "major", Kind: lang.KindOption, Key: "major", Of: lang.KindNumber, Optional: true}}, checkFaults)
	expectExited = expectation("exited", "the process ended itself with that status", []lang.Param{{Name: "process", Kind: lang.KindProcess}, {Name: "status", Kind: lang.KindNumber}},
		func(c *call) (string, bool, error) {
			n, _ := c.cmd.Number("status")
			return checkEnd(c, fmt.Sprintf("exited with %d", n&0xff)) // the kernel keeps eight bits of a status (exit(2))
		})
	expectSignaled = expectation("signaled", "the process was killed by that signal", []lang.Param{{Name: "process", Kind: lang.KindProcess}, {Name: "signal", Kind: lang.KindSignal}},
		func(c *call) (string, bool, error) {
			sig, _ := c.cmd.Signal("signal")
			return checkEnd(c, "was killed by "+sig.String())
		})
)

// lastCommand is the last step that was a command and no expectation, nil before the first.
func (s *Session) lastCommand() *Step {
	h := s.History()
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Command != "" && !h[i].Check {
			return h[i]
		}
	}
	return nil
}

func (c *call) space() *vmspace.Process { return c.s.last().After.Process(c.p.Label) }

func (c *call) mapping(addr uint64) (vmspace.Mapping, bool) {
	if p := c.space(); p != nil {
		return p.MappingAt(addr)
	}
	return vmspace.Mapping{}, false
}

func checkResult(c *call) (string, bool, error) {
	st := c.s.lastCommand()
	if st == nil {
		return "no command yet", false, nil
	}
	want, _ := c.cmd.Word("result")
	got := st.Result
	signal, _, _ := strings.Cut(got, "/")
	return got, got == want || signal == want, nil
}

func checkPage(c *call) (string, bool, error) {
	r, err := c.rangeOf("range")
	if err != nil {
		return "", false, err
	}
	p, ps := c.space(), c.pageSize()
	want, _ := c.cmd.Word("state")
	if p == nil {
		return c.p.Label + " is gone", false, nil
	}
	for addr := r.Start &^ (ps - 1); addr < r.End; {
		m, ok := p.MappingAt(addr)
		if !ok {
			return fmt.Sprintf("0x%x is not mapped", addr), false, nil
		}
		part := vmspace.Range{Start: addr, End: r.End}.Intersect(m.Range)
		for run := range p.PagesIn(vmspace.Range{Start: addr, End: part.End}) {
			if got, ok := pageIs(c, run, want); !ok {
				return fmt.Sprintf("%s is %s", PlaceOf(c.names, p, run.Start, ps), got), false, nil
			}
		}
		addr = m.End
	}
	return plural(r.Pages(ps), "page") + " in that state", true, nil
}

func pageIs(c *call, run vmspace.Run, want string) (got string, ok bool) {
	names := run.Attrs.Names()
	got = strings.Join(append([]string{run.State.String()}, names...), " ")
	for _, a := range c.cmd.Flags("attr") {
		if !strings.Contains(" "+got+" ", " "+a+" ") {
			return got, false
		}
	}
	return got, run.State.String() == want
}

func checkMapped(want bool) func(*call) (string, bool, error) {
	return func(c *call) (string, bool, error) {
		r, err := c.rangeOf("range")
		if err != nil {
			return "", false, err
		}
		covered := uint64(0)
		if p := c.space(); p != nil {
			lo, hi := p.Mappings.Overlap(r)
			for _, m := range p.Mappings.Slice(lo, hi) {
				covered += m.Intersect(r).Len()
			}
		}
		got := fmt.Sprintf("%d of %d bytes are mapped", covered, r.Len())
		return got, want && covered == r.Len() || !want && covered == 0, nil
	}
}

func checkVMAs(c *call) (string, bool, error) {
	r, err := c.rangeOf("range")
	if err != nil {
		return "", false, err
	}
	n := 0
	if p := c.space(); p != nil {
		lo, hi := p.Mappings.Overlap(r)
		n = hi - lo
	}
	want, _ := c.cmd.Number("count")
	return plural(uint64(n), "mapping"), int64(n) == want, nil
}

func checkBytes(c *call) (string, bool, error) {
	addr, _, err := c.place("place")
	if err != nil {
		return "", false, err
	}
	want, _ := c.cmd.Bytes("value")
	got, err := c.s.present(c.p, addr, uint64(len(want)))
	if err != nil {
		return err.Error(), false, nil
	}
	if len(got) < len(want) {
		return fmt.Sprintf("the page at 0x%x is not present, and is not touched to look", addr+uint64(len(got))), false, nil
	}
	return readText(got), bytes.Equal(got, want), nil
}

func checkFrames(same bool) func(*call) (string, bool, error) {
	return func(c *call) (string, bool, error) {
		x, err := c.frameAt("one")
		if err != nil {
			return "", false, err
		}
		y, err := c.frameAt("other")
		if err != nil {
			return "", false, err
		}
		if x == 0 || y == 0 {
			why := "a page there has no frame"
			if !c.s.last().After.Frames {
				why = "unknown: frame numbers are hidden from this user"
			}
			return why, false, nil
		}
		return fmt.Sprintf("frames 0x%x and 0x%x", x, y), (x == y) == same, nil
	}
}

// frameAt is the frame number of the page that a place argument names, 0 where there is none or it is hidden.
func (c *call) frameAt(param string) (uint64, error) {
	at := *c
	pl, _ := c.cmd.Place(param)
	if pl.Process != "" {
		if at.p = c.s.member(pl.Process); at.p == nil {
			return 0, c.cmd.ErrorIn(param, "there is no process "+pl.Process, "there are: "+c.s.labels())
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

func checkFaults(c *call) (string, bool, error) {
	st := c.s.lastCommand()
	if st == nil {
		return "no command yet", false, nil
	}
	minor, _ := c.cmd.Number("minor")
	major, asked := c.cmd.Number("major")
	got := fmt.Sprintf("%d minor, %d major", st.Minor, st.Major)
	return got, st.Minor == uint64(minor) && (!asked || st.Major == uint64(major)), nil
}

func checkEnd(c *call, want string) (string, bool, error) {
	label, _ := c.cmd.Word("process")
	m := c.s.member(label)
	if m == nil {
		return "", false, c.cmd.ErrorIn("process", "there is no process "+label, "there are: "+c.s.labels())
	}
	if m.gone == "" {
		return label + " lives", false, nil
	}
	return label + " " + m.gone, m.gone == want, nil
}
