package verb

import (
	"fmt"

	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

var sysMincore = number(27, 232)

var mincoreAction = Action{
	Verb:  lang.Verb{Name: "mincore", Summary: "ask which pages of a range are resident in memory", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysMincore},
	Run:   runMincore,
}

// loanAt are two places for the kernel's answer, below everything that the subject maps by itself;
// the one is used that the range that is asked about does not touch, so that the question does not
// change the answer.
var loanAt = [...]uint64{1 << 20, 2 << 20}

// loanSize bounds the answer of one call, in bytes: one byte a page.
const loanSize = 1 << 20

// runMincore asks in pieces, because a byte for every page of a large space would be much memory.
// The answer lies in memory that is lent to the subject for the moment.
func runMincore(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	c.focus(r)
	c.Call = fmt.Sprintf("mincore(0x%x, %d, vec)", r.Start, r.Len())
	loan, e, err := c.P.Proc.Lend(loanPlace(r), min(max(r.Pages(c.PageSize()), 1), loanSize))
	if err != nil {
		return err
	}
	if loan == nil {
		c.settle(e)
		c.Note = "There was no room to lend for the answer: the kernel was not asked."
		return nil
	}
	if err := c.askCore(r, loan); err != nil {
		return err
	}
	return loan.Return()
}

func loanPlace(r vmspace.Range) uint64 {
	for _, at := range loanAt {
		if !r.Overlaps(vmspace.Range{Start: at, End: at + loanSize}) {
			return at
		}
	}
	return loanAt[0]
}

func (c *Call) askCore(r vmspace.Range, loan *subject.Loan) error {
	ps := c.PageSize()
	vec := make([]byte, loan.Size)
	for at := r.Start; ; at += loanSize * ps {
		n := min(r.End-at, loanSize*ps)
		if _, ok, err := c.syscall(sysMincore, at, n, loan.Addr); err != nil || !ok {
			c.Value, c.Bytes = 0, nil
			return err
		}
		part := vec[:(n+ps-1)/ps]
		if err := loan.Read(part); err != nil {
			return err
		}
		for _, b := range part {
			c.Value += uint64(b & 1) // the other bits are reserved (mincore(2))
		}
		c.Bytes = append(c.Bytes, part[:min(len(part), readLimit-len(c.Bytes))]...)
		if at+n >= r.End {
			c.HasValue, c.Done = false, r.Pages(ps)
			return nil
		}
	}
}
