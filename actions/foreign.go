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

// Perform runs a command in processes that somebody else has stopped, and makes its step as a session
// does, after the last one of a history. The caller is on the thread that traces them, and adds the step.
func Perform(f *family.Family, past *history.Log, cmd *lang.Command) (*history.Step, error) {
	return (&Session{f: f, log: past}).perform(cmd)
}

// ExplainForeign explains a system call that a program made of itself, in the sentences of the lab:
// line is the command that makes the same call. It says nothing where the call is none of the lab's.
func ExplainForeign(g *lang.Grammar, line string, st *history.Step) string {
	cmd, err := g.Parse(line)
	if err != nil || cmd == nil {
		return ""
	}
	m := family.Stranger(vmspace.Member{Label: st.Process, PID: st.PID})
	c := &verb.Call{F: &family.Family{Now: st.Before, Current: st.Process}, Doing: family.Doing{P: m}, Cmd: cmd, Action: actionOf(cmd.Verb.Name)}
	around := explain.Surroundings{Settings: kernel.Settings{PID: st.PID}}
	if fd, given := cmd.Number("fd"); given {
		around.File = kernel.Descriptor(st.PID, fd)
	}
	return explain.Step(st, c.Arguments(), around)
}
