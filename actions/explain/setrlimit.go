package explain

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What setrlimit refuses (do_prlimit in kernel/sys.c).

var setrlimitReasons = []reason{
	{"EINVAL", "soft above hard", "setrlimit(2)", func(e *evidence) bool { return e.number("soft") > e.hardLimit() },
		func(e *evidence) string {
			text := fmt.Sprintf("the soft limit would be %s, and may not be above the hard one, %s.", limitSize(e.number("soft")), limitSize(e.hardLimit()))
			if !e.passed("hard") {
				text += " The hard limit stays as it is if only one is given."
			}
			return text
		}},
	fallback("EINVAL", "setrlimit(2)", "the soft limit may not be above the hard one."),
	{"EPERM", "raises the hard one", "setrlimit(2)", func(e *evidence) bool {
		return e.hardLimit() > e.HardLimit(e.limitRow()) && !e.May(kernel.CapSysResource)
	}, func(e *evidence) string {
		return fmt.Sprintf("the hard limit of %s is %s, and only a process with CAP_SYS_RESOURCE may raise it.", e.Names, limitSize(e.HardLimit(e.limitRow())))
	}},
	fallback("EPERM", "setrlimit(2)", "only a process with CAP_SYS_RESOURCE may raise a hard limit, and a security module can forbid more."),
}

// limitRow is the row of /proc/PID/limits that the command is about.
func (e *evidence) limitRow() string { return kernel.LimitRows[e.Names] }

// hardLimit is the hard limit that was requested, or else the current one.
func (e *evidence) hardLimit() uint64 {
	if e.passed("hard") {
		return e.number("hard")
	}
	return e.HardLimit(e.limitRow())
}

func limitSize(n uint64) string {
	if n == vmspace.Unlimited {
		return "unlimited"
	}
	return amount.Size(n)
}

// explainSetrlimit says what the limits are now, how much of the resource the process has, and what
// happens beyond the limit. A lower limit takes nothing away.
func explainSetrlimit(e *evidence) string {
	e.claim(history.ClaimKept, vmspace.Everything, 0)
	soft := e.Limit(e.limitRow())
	text := fmt.Sprintf("%s of %s: %s", e.Names, e.st.Process, limitSize(soft))
	if hard := e.HardLimit(e.limitRow()); hard == soft {
		text += ", soft and hard."
	} else {
		text += fmt.Sprintf(", and it may be raised to %s again.", limitSize(hard))
	}
	if soft == vmspace.Unlimited {
		return text + " That is no limit at all."
	}
	if e.Names == "RLIMIT_MEMLOCK" && e.May(kernel.CapIPCLock) {
		return text + fmt.Sprintf(" It does not bind %s, which has CAP_IPC_LOCK.", e.st.Process)
	}
	if e.Names == "RLIMIT_DATA" && soft == 0 && e.HardLimit(e.limitRow()) > 0 {
		return text + " It limits the heap, and nothing else: where the soft limit is 0 the kernel goes by the hard one. Children inherit the limit."
	}
	taken, known, of, beyond := e.resourceUse()
	switch {
	case !known:
	case taken > soft:
		text += fmt.Sprintf(" It has %s of %s: that is more than the limit, and stays.", amount.Size(taken), of)
	default:
		text += fmt.Sprintf(" It has %s of %s.", amount.Size(taken), of)
	}
	return text + " " + beyond + " Children inherit the limit."
}

// resourceUse is how much the process has of what is limited, what that is called, and what happens
// beyond the limit.
func (e *evidence) resourceUse() (n uint64, known bool, of, beyond string) {
	switch e.Names {
	case "RLIMIT_AS":
		n, known = e.Status("VmSize")
		return n, known, "addresses", "A call that needs more answers ENOMEM, and a stack that needs more does not grow: SIGSEGV."
	case "RLIMIT_DATA":
		n, known = e.Status("VmData")
		return n, known, "private memory that may be written", "A call that needs more answers ENOMEM; the stack and other mappings that grow downwards do not count."
	case "RLIMIT_STACK":
		m, found := e.firstMapping(vmspace.Everything, func(m vmspace.Mapping) bool { return m.Kind() == vmspace.KindStack })
		return m.Len(), found, "stack", "An access that needs more is SIGSEGV."
	}
	beyond = "mlock beyond it answers ENOMEM, and mmap with MAP_LOCKED EAGAIN."
	if e.Limit(e.limitRow()) == 0 {
		beyond = "mlock and mmap with MAP_LOCKED answer EPERM."
	}
	return e.lockedBytes(vmspace.Everything), true, "locked memory", beyond
}
