package verb

import (
	"encoding/binary"
	"fmt"
	"math"

	"cowscope/actions/explain"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
)

var sysMovePages = number(279, 239)

// movePagesFlags are the MPOL_MF_ flags of move_pages(2) (include/uapi/linux/mempolicy.h). Where a
// node is named and all is not, the first is given.
var movePagesFlags = []Constant{
	{"", "MPOL_MF_MOVE", 2, ""},
	{"all", "MPOL_MF_MOVE_ALL", 4, "pages that other processes map, too (CAP_SYS_NICE)"},
}

// movePagesMost is the maximum number of pages of one call: lent memory contains an address, a node
// and an answer for each.
const movePagesMost = loanSize / (8 + 4 + 4)

var movePagesAction = Action{
	Verb: lang.Verb{Name: "move_pages", Summary: "ask on which NUMA node each page of a range is, or move them to one", Params: []lang.Param{ParamRange,
		{Name: "node", Kind: lang.KindOption, Optional: true, Key: "node", Of: lang.KindNumber, Default: "0", Min: math.MinInt32, Max: math.MaxInt32,
			Help: "where they are moved to; it only asks where it is left out"},
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Words: words(movePagesFlags[1:])}, paramIntBits}},
	Calls: []uintptr{sysMovePages},
	Only:  []uint32{0}, // the process that calls: it could move pages of others
	Flags: movePagesFlags,
	Run:   runMovePages,
}

// runMovePages makes the call with an address in every page of the range.
func runMovePages(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	ps := c.PageSize()
	n := r.Pages(ps)
	if n > movePagesMost {
		c.refuse("move_pages needs an address in each page, and cowscope lends memory for %d: the range has %d pages.", movePagesMost, n)
		return nil
	}
	to, moves := c.Cmd.Number("node")
	pages, nodes := make([]uint64, n), make([]int32, n)
	answers := make([]int32, max(n+n%2, 2)) // the addresses behind them lie at a multiple of 8
	for i := range answers {
		answers[i] = explain.Unanswered
	}
	for i := range pages {
		pages[i], nodes[i] = r.Start&^(ps-1)+uint64(i)*ps, int32(to)
	}
	flags, names, shown := c.Args.Flags, c.Args.Names, "NULL"
	if moves {
		shown = fmt.Sprintf("[%d, …]", to)
		if flags == 0 {
			flags, names = movePagesFlags[0].Value, movePagesFlags[0].Name
		}
	}
	c.focus(r)
	if moves && c.Cmd.Has("all") { // in whichever process they are
		c.Touched = c.F.Everywhere()
	}
	addresses := "[]"
	if n > 0 {
		addresses = fmt.Sprintf("[0x%x, …]", pages[0])
	}
	c.Call = fmt.Sprintf("move_pages(0, %d, %s, %s, status, %s)", n, addresses, shown, names)
	var b []byte
	for _, part := range []any{answers, pages, nodes} {
		if b, err = binary.Append(b, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	return c.lend(r, b, func(loan *subject.Loan) error {
		atPages := loan.Addr + 4*uint64(len(answers))
		atNodes := uint64(0)
		if moves {
			atNodes = atPages + 8*n
		}
		left, ok, err := c.syscall(sysMovePages, 0, n, atPages, atNodes, loan.Addr, flags)
		if err != nil || !ok {
			return err
		}
		c.Value, c.HasValue, c.Done = left, true, n
		if n == 0 {
			return nil
		}
		c.Bytes = make([]byte, min(4*n, readLimit))
		return loan.Read(c.Bytes)
	})
}
