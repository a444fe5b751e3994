package verb

import (
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// Memory that is lent to the subject for the moment of one call, for what the call reads or writes
// beside its arguments.

// loanAt is where a place for it is looked for, below everything that the subject maps by itself.
const loanAt = 1 << 20

// loanSize bounds a loan, in bytes.
const loanSize = 1 << 20

// lend has the subject lent memory that holds b, for a call about r. Where there is no room for it
// the kernel is not asked, and the outcome tells.
func (c *Call) lend(r vmspace.Range, b []byte, call func(*subject.Loan) error) error {
	loan, e, err := c.P.Proc.Lend(c.loanPlace(r), b)
	if err != nil {
		return err
	}
	if loan == nil {
		c.settle(e)
		c.refuse("%s has no room for the memory that the call reads or writes: mmap ended with %s.", c.P.Label, c.Result)
		return nil
	}
	if err := call(loan); err != nil {
		return err
	}
	return loan.Return()
}

// loanPlace is the first place where nothing is mapped and which the range that the call is about
// does not touch, so that the loan changes nothing of the answer.
func (c *Call) loanPlace(r vmspace.Range) uint64 {
	p := c.F.Now.Process(c.P.Label)
	if p == nil {
		return loanAt
	}
	const far = 1 << 40 // where the ranges end that can be stepped over
	for at := uint64(loanAt); at < far; {
		place := vmspace.Range{Start: at, End: at + loanSize}
		lo, hi := p.Mappings.Overlap(place)
		switch {
		case lo < hi:
			at = p.Mappings.At(hi - 1).End
		case r.Overlaps(place) && r.End < far:
			at = (r.End + c.PageSize() - 1) &^ (c.PageSize() - 1)
		default:
			return at
		}
	}
	return loanAt
}
