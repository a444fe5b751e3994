package explain

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What the options of prctl that are about memory do, and refuse.

var prctlKSMSentences = sentences{
	why: explainMerge,
	reasons: []reason{
		{"EINVAL", "unknown", "PR_SET_MEMORY_MERGE(2const)", nil, func(*evidence) string {
			return "this kernel does not know PR_SET_MEMORY_MERGE (added in Linux 6.4, and a kernel can be built without KSM)."
		}},
		fallback("ENOMEM", "mm/ksm.c, __ksm_enter", "the kernel has no memory for its own records."),
	},
}

// mergeable counts the mappings that KSM may merge pages of.
func mergeable(p *vmspace.Process) (n uint64) {
	if p == nil {
		return 0
	}
	for _, m := range p.Mappings.All() {
		if m.Smaps.HasFlag("mg") {
			n++
		}
	}
	return n
}

func explainMerge(e *evidence) string {
	was, is := mergeable(e.before), mergeable(e.st.After.Process(e.st.Process))
	if e.has("on") {
		e.claim(history.ClaimKept, vmspace.Everything, 0)
		return fmt.Sprintf("KSM may merge equal pages of all private memory of %s, now and in mappings to come (VmFlags mg, %s so far), when it scans them. Children inherit this.",
			e.st.Process, amount.Of(is, "mapping"))
	}
	switch {
	case was == 0:
		return "No mapping was marked for merging."
	case is == was:
		return "It was not on. What madvise mergeable has marked stays marked."
	}
	return fmt.Sprintf("%s lost VmFlags mg, those that madvise mergeable had marked too: KSM leaves them alone, and what was merged is separate again.",
		amount.Of(was-is, "mapping"))
}

var prctlTHPSentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, vmspace.Everything, 0)
		if e.has("on") {
			return fmt.Sprintf("%s may have huge pages, as far as the machine's settings and madvise let it.", e.st.Process)
		}
		return fmt.Sprintf("%s gets no huge page from now on, whatever madvise asks for; those that are there stay. Children inherit this.", e.st.Process)
	},
}

// hugeOff says whether prctl thp off applies to the process that owns the memory
// (proc_pid_status(5), THP_enabled).
func (e *evidence) hugeOff() bool {
	on, known := kernel.ParseField(e.Contents(fmt.Sprintf("/proc/%d/status", e.before.PID)), "THP_enabled")
	return known && on == 0
}

var prctlMDWESentences = sentences{
	why: func(e *evidence) string {
		e.claim(history.ClaimKept, vmspace.Everything, 0)
		text := fmt.Sprintf("%s gets no more memory that is writable and executable, and what is not executable never becomes so: mmap and mprotect answer EACCES. "+
			"What it has stays as it is. Nothing undoes that.", e.st.Process)
		if e.has("no_inherit") {
			return text + " Children do not inherit this."
		}
		return text + " Children inherit this."
	},
	reasons: []reason{
		{"EINVAL", "no_inherit unknown", "PR_SET_MDWE(2const)", func(e *evidence) bool { return e.has("no_inherit") },
			func(*evidence) string {
				return "this kernel does not know PR_MDWE_NO_INHERIT (added in Linux 6.6), or PR_SET_MDWE at all (6.3)."
			}},
		{"EINVAL", "unknown", "PR_SET_MDWE(2const)", nil, func(*evidence) string {
			return "this kernel does not know PR_SET_MDWE (added in Linux 6.3)."
		}},
		{"EPERM", "set already", "PR_SET_MDWE(2const)", nil, func(e *evidence) string {
			how := "and children inherit it"
			if e.MDWE&history.MDWENoInherit != 0 {
				how = "and children do not inherit it"
			}
			return fmt.Sprintf("it is set already, %s; that cannot be changed.", how)
		}},
	},
}

// mdweDenies is for memory that would become executable where prctl mdwe forbids it
// (map_deny_write_exec in include/linux/mman.h).
func mdweDenies(when func(*evidence) bool) reason {
	return reason{"EACCES", "mdwe", "PR_SET_MDWE(2const)", func(e *evidence) bool { return e.MDWE != 0 && e.Prot&vmspace.Exec != 0 && when(e) },
		func(e *evidence) string {
			if e.writes() {
				return fmt.Sprintf("%s has asked that no memory be writable and executable (prctl mdwe), and nothing undoes that.", e.st.Process)
			}
			return fmt.Sprintf("%s has asked that no memory become executable (prctl mdwe), and nothing undoes that. A new mapping may be, without w.", e.st.Process)
		}}
}

// gainsExec says whether an mprotect gives memory x beside w, or x where it was not.
func (e *evidence) gainsExec() bool {
	_, ok := e.firstMapping(e.rounded, func(m vmspace.Mapping) bool { return e.writes() || m.Perms&vmspace.Exec == 0 })
	return ok
}
