package expect

import (
	"fmt"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// Expectations about the memory of a process. The kernel counts it when a file of /proc is read,
// and brings no page in for that.

var (
	paramComparison = lang.Param{Name: "comparison", Kind: lang.KindCompare, Optional: true, Help: "how it stands to that; as much if left out"}
	paramAmount     = lang.Param{Name: "size", Kind: lang.KindQuantity, Help: "how much: 8k, 2p"}

	expectRSS = ofMemory("rss", "so much is resident, of the process or of a range", []lang.Param{
		optional(verb.ParamRange, "which addresses; the whole process if left out"), paramComparison, paramAmount}, ofLiving(checkRSS))
	expectPSS = ofMemory("pss", "so much is the process's share of what is resident: of a page that several map, a part (Pss)",
		[]lang.Param{paramComparison, paramAmount}, ofLiving(func(c *verb.Call) (finding, error) { return counted(c, "smaps_rollup", "Pss") }))
	expectUSS = ofMemory("uss", "so much is resident that no other mapping has (Private_Clean and Private_Dirty)",
		[]lang.Param{paramComparison, paramAmount}, ofLiving(func(c *verb.Call) (finding, error) {
			return counted(c, "smaps_rollup", "Private_Clean", "Private_Dirty")
		}))
	expectVmLck = ofMemory("vmlck", "so much of the process is locked (VmLck)", []lang.Param{paramComparison, paramAmount}, ofLiving(checkVmLck))
)

func optional(p lang.Param, help string) lang.Param {
	p.Optional, p.Help = true, help
	return p
}

// held is a finding about a number of bytes, compared as the arguments comparison and size say.
func held(c *verb.Call, got uint64, evidence string) (finding, error) {
	want, err := c.Quantity("size", 0)
	comparison, _ := c.Cmd.Word("comparison")
	return finding{want: strings.TrimSpace(comparison + " " + amount.Bytes(want)), got: amount.Bytes(got), evidence: evidence, holds: lang.Compare(got, comparison, want)}, err
}

// unseen is held if the number is not available.
func unseen(c *verb.Call, why string) (finding, error) {
	f, err := held(c, 0, "")
	f.got, f.holds = why, false
	return f, err
}

// counted is held for the sum of numbers in a /proc file of the process that acts.
func counted(c *verb.Call, file string, names ...string) (finding, error) {
	text := (&kernel.Settings{}).Contents(fmt.Sprintf("/proc/%d/%s", c.P.PID, file))
	sum := uint64(0)
	for _, name := range names {
		n, known := kernel.ParseField(text, name)
		if !known {
			return unseen(c, "no "+name+" in "+file)
		}
		sum += n
	}
	return held(c, sum, file+": "+strings.Join(names, " + "))
}

// ofLiving is a check that needs a process with an address space.
func ofLiving(check func(*verb.Call) (finding, error)) func(*verb.Call) (finding, error) {
	return func(c *verb.Call) (finding, error) {
		if p := c.Space(); p == nil || !p.Alive() {
			return unseen(c, c.P.Label+" is gone")
		}
		return check(c)
	}
}

func checkVmLck(c *verb.Call) (finding, error) { return counted(c, "status", "VmLck") }

// checkRSS counts pages in a range as smaps does: those with a frame, except the zero page and
// pages of the pool of huge pages. For a whole process it uses the same sum, because VmRSS lags
// behind.
func checkRSS(c *verb.Call) (finding, error) {
	if !c.Cmd.Given("range") {
		return counted(c, "smaps_rollup", "Rss")
	}
	r, err := c.Addresses("range")
	if err != nil {
		return finding{}, err
	}
	p, n := c.Space(), uint64(0)
	for run := range p.PagesIn(r) {
		switch run.State {
		case vmspace.Unknown:
			return unseen(c, fmt.Sprintf("unknown: the pages at 0x%x could not be read", run.Start))
		case vmspace.Anon, vmspace.COW, vmspace.File, vmspace.Shared:
			if m, _ := p.MappingAt(run.Start); !m.Smaps.HasFlag("ht") {
				n += run.Pages * run.PageSize()
			}
		}
	}
	return held(c, n, "pagemap")
}
