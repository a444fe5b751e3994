package verb

import (
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// Memory that is lent to the subject for the moment of one call, for what the call reads or writes
// beside its arguments.

// loanAt is where the search for a free place begins, below everything that the subject maps by
// itself.
const loanAt = 1 << 20

// loanSize is the maximum size of a loan in bytes.
const loanSize = 1 << 20

// lend lends the subject memory that contains b, for a call about r. If there is no room for it,
// the call is not made, and the outcome says so.
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

// loanPlace is the first unmapped place that does not touch the range that the call is about, so
// that the loan does not change the answer.
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
