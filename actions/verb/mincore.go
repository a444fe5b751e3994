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

// runMincore asks in pieces, because a byte for every page of a large address space would be too
// much memory. The answer is written to memory that is lent to the subject for the call.
func runMincore(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	c.focus(r)
	c.Call = fmt.Sprintf("mincore(0x%x, %d, vec)", r.Start, r.Len())
	answer := make([]byte, min(max(r.Pages(c.PageSize()), 1), loanSize)) // one byte a page
	return c.lend(r, answer, func(loan *subject.Loan) error { return c.mincorePieces(r, loan) })
}

func (c *Call) mincorePieces(r vmspace.Range, loan *subject.Loan) error {
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
