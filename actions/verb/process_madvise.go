package verb

import (
	"encoding/binary"
	"fmt"
	"math"

	"cowscope/actions/family"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

var (
	sysPidfdOpen      = number(434, 434)
	sysProcessMadvise = number(440, 440)
)

var processMadviseAction = Action{
	Verb: lang.Verb{Name: "process_madvise", Summary: "madvise for the memory of another process", Params: []lang.Param{
		{Name: "process", Kind: lang.KindProcess, Default: "p2", Help: "whose memory it is about: the names of the range are its own"},
		ParamRange, paramAdvice}},
	Calls:  []uintptr{sysPidfdOpen, sysProcessMadvise, sysClose},
	Flags:  Advices,
	Fields: []uint64{math.MaxUint64},
	Run:    runProcessMadvise,
}

// runProcessMadvise opens a descriptor of the process that is advised, as any program has to, and
// closes it again.
func runProcessMadvise(c *Call) error {
	m, err := c.member("process")
	if err != nil {
		return err
	}
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	if p := c.Space(); p == nil || p.State == vmspace.Gone {
		c.refuse("%s %s, and its parent has waited for it: its pid may belong to another process by now.", m.Label, m.Gone)
		return nil
	}
	if !c.mayAdvise(r, c.Args.Flags) {
		return nil
	}
	c.Call = fmt.Sprintf("pidfd_open(%d, 0)", m.PID)
	fd, ok, err := c.syscall(sysPidfdOpen, uint64(m.PID), 0)
	if err != nil || !ok {
		return err
	}
	c.Focus = r
	c.Touched = append(c.Touched, observe.Touched{Label: m.Label, Range: r})
	if err := c.adviseProcess(m, fd, r); err != nil {
		return err
	}
	return c.closeFile(fd)
}

// adviseProcess makes the call; its iovec is in memory that is lent to the subject.
func (c *Call) adviseProcess(m *family.Member, fd uint64, r vmspace.Range) error {
	c.Call = fmt.Sprintf("process_madvise(%d<%s>, [{0x%x, %d}], 1, %s, 0)", fd, m.Label, r.Start, r.Len(), c.Args.Names)
	iovec := binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, r.Start), r.Len())
	return c.lend(r, iovec, func(loan *subject.Loan) error {
		advised, ok, err := c.syscall(sysProcessMadvise, fd, loan.Addr, 1, c.Args.Flags, 0)
		c.Value, c.HasValue = advised, ok
		return err
	})
}
