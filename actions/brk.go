package actions

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

var brkAction = Action{
	Verb: lang.Verb{Name: "brk", Summary: "move the end of the heap", Params: []lang.Param{
		{Name: "to", Kind: lang.KindShift, Default: "+4p", Help: "+Q to grow, -Q to shrink, or where it should end"}}},
	calls: []uintptr{sysBrk},
	run:   runBrk,
	why: func(e *evidence) string {
		for _, ch := range e.st.Changes {
			if ch.Process == e.st.Process {
				switch ch.Kind {
				case vmspace.ChangeMapped:
					return fmt.Sprintf("The heap begins: %s mapped as [heap], no memory yet.", amount.Of(ch.Pages, "page"))
				case vmspace.ChangeGrown:
					return fmt.Sprintf("The heap grew by %s.", amount.Of(ch.Pages, "page"))
				case vmspace.ChangeShrunk, vmspace.ChangeUnmapped:
					return fmt.Sprintf("The heap gave %s back.", amount.Of(ch.Pages, "page"))
				}
			}
		}
		return "The end of the heap moved within its last page."
	},
	reasons: brkReasons,
	failed:  "The end of the heap stays where it is.",
}

// runBrk asks for the present end first, as brk(0). The system call itself knows no errno: it answers with the end as it is, and the
// C library makes ENOMEM of an end that did not move (brk(2)); so does the result here.
func runBrk(c *call) error {
	now, ok, err := c.syscall(sysBrk, 0)
	if err != nil || !ok {
		return err
	}
	want, err := c.heapEnd(now)
	if err != nil {
		return err
	}
	c.Call = fmt.Sprintf("brk(0x%x)", want)
	got, ok, err := c.syscall(sysBrk, want)
	if err != nil || !ok {
		return err
	}
	c.focus(vmspace.Range{Start: min(now, got) &^ (c.pageSize() - 1), End: max(now, got, min(now, got)+1)})
	c.Value, c.HasValue = got, true
	if got != want {
		c.Result = history.Errno("ENOMEM")
	}
	return nil
}

// heapEnd is the end of the heap that the command asks for, where it ends at now; the arguments of the call tell it too.
func (c *call) heapEnd(now uint64) (want uint64, err error) {
	shift, _ := c.cmd.Shift("to")
	if shift.Relative {
		if want, err = shift.Offset.Apply(now, c.pageSize()); err != nil {
			err = c.cmd.ErrorIn("to", err.Error(), "")
		}
	} else {
		want, _, err = c.locate("to", shift.Place)
	}
	if err != nil {
		want = now
	}
	c.args.args = []argument{{param: "to", number: want}}
	return want, err
}
