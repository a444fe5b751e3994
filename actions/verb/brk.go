package verb

import (
	"fmt"

	"cowscope/actions/explain"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var sysBrk = number(12, 214)

var brkAction = Action{
	Verb: lang.Verb{Name: "brk", Summary: "move the end of the heap", Params: []lang.Param{
		{Name: "to", Kind: lang.KindShift, Default: "+4p", Help: "+Q to grow, -Q to shrink, or where it should end"}}},
	Calls: []uintptr{sysBrk},
	Run:   runBrk,
}

// runBrk first asks for the current end, with brk(0). The system call has no errno: it answers the
// end as it is, and the C library makes ENOMEM of an end that did not move (brk(2)); so does the
// result here.
func runBrk(c *Call) error {
	now, ok, err := c.syscall(sysBrk, 0)
	if err != nil || !ok {
		return err
	}
	want, err := c.HeapEnd(now)
	if err != nil {
		return err
	}
	c.Call = fmt.Sprintf("brk(0x%x)", want)
	got, ok, err := c.syscall(sysBrk, want)
	if err != nil || !ok {
		return err
	}
	c.focus(vmspace.Range{Start: min(now, got) &^ (c.PageSize() - 1), End: max(now, got, min(now, got)+1)})
	c.Value, c.HasValue = got, true
	if got != want {
		c.Result = history.Errno("ENOMEM")
	}
	return nil
}

// HeapEnd is the end of the heap that the command asks for, if it ends at now; the arguments of the
// call use it too.
func (c *Call) HeapEnd(now uint64) (want uint64, err error) {
	shift, _ := c.Cmd.Shift("to")
	if shift.Relative {
		if want, err = shift.Offset.Apply(now, c.PageSize()); err != nil {
			err = c.Cmd.ErrorIn("to", err.Error(), "")
		}
	} else {
		want, _, err = c.locate("to", shift.Place)
	}
	if err != nil {
		want = now
	}
	c.Args.Args = []explain.Argument{{Param: "to", Number: want}}
	return want, err
}
