package explain

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// vfork refuses what fork refuses, except that it copies no memory.
var vforkReasons = slices.Concat(forkReasons[:2], []reason{
	fallback("ENOMEM", "kernel/fork.c, copy_process", "there is no memory for what the kernel keeps of every process."),
})

// explainVfork explains two processes in one address space.
func explainVfork(e *evidence) string {
	st := e.st
	if child := st.After.Process(e.Child); child == nil || !child.Alive() {
		return fmt.Sprintf("%s is gone already.", e.Child)
	}
	e.claim(history.ClaimKept, vmspace.Everything, 0)
	st.Claims = append(st.Claims, history.Claim{Kind: history.ClaimOneSpace, Process: e.Child, Range: vmspace.Everything},
		history.Claim{Kind: history.ClaimWaits, Process: st.Process})
	return fmt.Sprintf("%s runs in the memory of %s: one address space, of which nothing was copied, and no page became copy-on-write. %s waits in the kernel until %s exits.",
		e.Child, st.Process, st.Process, e.Child)
}

// survivorsText names the processes that shared the memory of one that died.
func (e *evidence) survivorsText() string {
	st, with := e.st, []string{}
	text := ""
	p := st.Before.Process(st.Process)
	if p == nil {
		return ""
	}
	for _, label := range st.Before.Sharing(p) {
		o, was := st.After.Process(label), st.Before.Process(label)
		if o == nil || !o.Alive() {
			continue
		}
		with = append(with, label)
		st.Claims = append(st.Claims, history.Claim{Kind: history.ClaimKept, Process: label, Range: vmspace.Everything})
		if was.State == vmspace.Running && o.State == vmspace.Stopped {
			text = fmt.Sprintf(" %s, which waited for that, goes on.", label)
		}
	}
	if len(with) == 0 {
		return ""
	}
	return fmt.Sprintf(" Its memory stays: it is that of %s too.", strings.Join(with, " and ")) + text
}
