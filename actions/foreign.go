package actions

import (
	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// ExplainForeign explains a system call that a program made of itself, in the sentences of the lab:
// line is the command that makes the same call. It says nothing where the call is none of the lab's.
func ExplainForeign(g *lang.Grammar, line string, st *history.Step) string {
	cmd, err := g.Parse(line)
	if err != nil || cmd == nil {
		return ""
	}
	m := &family.Member{Member: vmspace.Member{Label: st.Process, PID: st.PID}, ThreadGroup: &family.ThreadGroup{}}
	c := &verb.Call{F: &family.Family{Now: st.Before, Current: st.Process}, Doing: family.Doing{P: m}, Cmd: cmd, Action: actionOf(cmd.Verb.Name)}
	around := explain.Surroundings{Settings: kernel.Settings{PID: st.PID}}
	if fd, given := cmd.Number("fd"); given {
		around.File = kernel.Descriptor(st.PID, fd)
	}
	return explain.Step(st, c.Arguments(), around)
}
