package actions

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// Expectations: what a script asserts of the last command and of the family as it was read after it. They touch nothing.

// finding is what an expectation wanted, what was found instead or as wanted, and what that rests on.
type finding struct {
	want, got string
	evidence  string
	holds     bool
}

// expectation makes the action of one form of expect.
func expectation(form, summary string, params []lang.Param, check func(*call) (finding, error)) Action {
	return Action{
		Dead: true, Check: true, Expects: true,
		Verb: lang.Verb{Name: "expect " + form, Summary: summary, Params: params},
		run: func(c *call) error {
			f, err := check(c)
			if err != nil {
				return err
			}
			c.Want, c.Got, c.Evidence = f.want, f.got, f.evidence
			c.Result, c.note = history.OK, "As expected: "+f.got+"."
			if !f.holds {
				c.Result, c.note = history.Failed, "Wanted "+f.want+", found "+f.got+"."
			}
			return nil
		},
	}
}

var (
	expectResult = expectation("result", "the last command ended so", []lang.Param{{Name: "result", Kind: lang.KindResult}}, checkResult)
	expectFaults = expectation("faults", "the last command took so many faults", []lang.Param{
		{Name: "minor", Kind: lang.KindOption, Key: "minor", Of: lang.KindNumber},
		{Name: "major", Kind: lang.KindOption, Key: "major", Of: lang.KindNumber, Optional: true}}, checkFaults)
	expectExited = expectation("exited", "the process ended itself with that status",
		[]lang.Param{{Name: "process", Kind: lang.KindProcess}, {Name: "status", Kind: lang.KindNumber}},
		func(c *call) (finding, error) {
			n, _ := c.cmd.Number("status")
			return checkEnd(c, fmt.Sprintf("exited with %d", n&0xff)) // the kernel keeps eight bits of a status (exit(2))
		})
	expectSignaled = expectation("signaled", "the process was killed by that signal",
		[]lang.Param{{Name: "process", Kind: lang.KindProcess}, {Name: "signal", Kind: lang.KindSignal}},
		func(c *call) (finding, error) {
			sig, _ := c.cmd.Signal("signal")
			return checkEnd(c, "was killed by "+sig.String())
		})
)

// lastCommand is the last step that was a command and no expectation, nil before the first.
func (s *Session) lastCommand() *history.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.command
}

// about says which command a finding speaks of.
func about(st *history.Step) string {
	return strings.TrimSpace(st.Command + ": " + st.Call + " " + st.Answer())
}

func checkResult(c *call) (finding, error) {
	f := finding{got: "no command yet"}
	f.want, _ = c.cmd.Word("result")
	if st := c.last; st != nil {
		f.got, f.evidence = st.Result.String(), about(st)
		for want := range strings.SplitSeq(f.want, "|") {
			f.holds = f.holds || st.Result.Is(sameErrno(want))
		}
	}
	return f, nil
}

func checkFaults(c *call) (finding, error) {
	minor, _ := c.cmd.Number("minor")
	major, asked := c.cmd.Number("major")
	f := finding{want: fmt.Sprintf("%d minor", minor), got: "no command yet"}
	if asked {
		f.want += fmt.Sprintf(", %d major", major)
	}
	if st := c.last; st != nil {
		f.got, f.evidence = fmt.Sprintf("%d minor, %d major", st.Minor, st.Major), about(st)
		f.holds = st.Minor == uint64(minor) && (!asked || st.Major == uint64(major))
	}
	return f, nil
}

func checkEnd(c *call, want string) (finding, error) {
	label, _ := c.cmd.Word("process")
	m := c.f.Member(label)
	if m == nil {
		return finding{}, c.cmd.ErrorIn("process", "there is no process "+label, "there are: "+c.f.Labels())
	}
	f := finding{want: label + " " + want, got: label + " lives", holds: m.Gone == want, evidence: fmt.Sprintf("process %d", m.PID)}
	if m.Gone != "" {
		f.got = label + " " + m.Gone
	}
	return f, nil
}
