package verb

import (
	"encoding/binary"
	"fmt"

	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// The call that changes only the caller's own limits; prlimit64 could reach other processes.
var sysSetrlimit = number(160, 164)

// resources are the limits of getrlimit(2) that are about memory, with the kernel's numbers
// (include/uapi/asm-generic/resource.h). Limits that cowscope sets by itself are not among them.
var resources = []Constant{
	{"as", "RLIMIT_AS", 9, "all addresses that are mapped"},
	{"data", "RLIMIT_DATA", 2, "private memory that may be written, and the heap"},
	{"stack", "RLIMIT_STACK", 3, "how far the stack grows"},
	{"memlock", "RLIMIT_MEMLOCK", 8, "locked memory, for a process without CAP_IPC_LOCK"},
}

var setrlimitAction = Action{
	Verb: lang.Verb{Name: "setrlimit", Summary: "change what the process may have of a resource", Params: []lang.Param{
		{Name: "resource", Kind: lang.KindChoice, Words: words(resources), Show: "RESOURCE", Default: "as", Help: "as, data, stack or memlock"},
		{Name: "soft", Kind: lang.KindLimit, Default: "64m", Help: "the limit that holds"},
		{Name: "hard", Kind: lang.KindLimit, Optional: true, Help: "how far the soft limit may be raised again; as it was where it is left out"}}},
	Calls: []uintptr{sysSetrlimit},
	Only:  values(resources),
	Flags: resources,
	Run:   runSetrlimit,
}

func runSetrlimit(c *Call) error {
	soft, err := c.Quantity("soft", 0)
	if err != nil {
		return err
	}
	hard, err := c.Quantity("hard", (&kernel.Settings{PID: c.P.PID}).HardLimit(kernel.LimitRows[c.Args.Names]))
	if err != nil {
		return err
	}
	c.Call = fmt.Sprintf("setrlimit(%s, {rlim_cur=%s, rlim_max=%s})", c.Args.Names, limitText(soft), limitText(hard))
	rlimit := binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(nil, soft), hard)
	return c.lend(vmspace.Range{}, rlimit, func(loan *subject.Loan) error {
		if _, _, err := c.syscall(sysSetrlimit, c.Args.Flags, loan.Addr); err != nil {
			return err
		}
		c.F.ReadLimits(c.P)
		return nil
	})
}

// limitText writes a limit as strace does.
func limitText(n uint64) string {
	if n == vmspace.Unlimited {
		return "RLIM_INFINITY"
	}
	return fmt.Sprint(n)
}
