// Package expect is what a script can assert: of the last command, of mappings and pages as they
// were read after it, of files.
package expect

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
)

// Expectations: what a script asserts of the last command and of the family as it was read after
// it. They touch nothing.

// finding is what an expectation wanted, what was found instead or as wanted, and what that rests
// on.
type finding struct {
	want, got string
	evidence  string
	holds     bool
}

// All is the table of them. A new one is a line here.
var All = []*verb.Action{
	&expectResult,
	&expectPage,
	&expectPerms,
	&expectMapped,
	&expectUnmapped,
	&expectVMAs,
	&expectBytes,
	&expectSame,
	&expectOther,
	&expectFaults,
	&expectFile,
	&expectExited,
	&expectSignaled,
}

// expectation makes the action of one form of expect.
func expectation(form, summary string, params []lang.Param, check func(*verb.Call) (finding, error)) verb.Action {
	return verb.Action{
		Dead: true, Check: true, Expects: true,
		Verb: lang.Verb{Name: "expect " + form, Summary: summary, Params: params},
		Run: func(c *verb.Call) error {
			f, err := check(c)
			if err != nil {
				return err
			}
			c.Want, c.Got, c.Evidence = f.want, f.got, f.evidence
			c.Result, c.Note = history.OK, "As expected: "+f.got+"."
			if !f.holds {
				c.Result, c.Note = history.Failed, "Wanted "+f.want+", found "+f.got+"."
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
		func(c *verb.Call) (finding, error) {
			n, _ := c.Cmd.Number("status")
			return checkEnd(c, fmt.Sprintf("exited with %d", n&0xff)) // the kernel keeps eight bits of a status (exit(2))
		})
	expectSignaled = expectation("signaled", "the process was killed by that signal",
		[]lang.Param{{Name: "process", Kind: lang.KindProcess}, {Name: "signal", Kind: lang.KindSignal}},
		func(c *verb.Call) (finding, error) {
			sig, _ := c.Cmd.Signal("signal")
			return checkEnd(c, "was killed by "+sig.String())
		})
)

// about says which command a finding speaks of.
func about(st *history.Step) string {
	return strings.TrimSpace(st.Command + ": " + st.Call + " " + st.Answer())
}

func checkResult(c *verb.Call) (finding, error) {
	f := finding{got: "no command yet"}
	f.want, _ = c.Cmd.Word("result")
	if st := c.Last; st != nil {
		f.got, f.evidence = st.Result.String(), about(st)
		for want := range strings.SplitSeq(f.want, "|") {
			f.holds = f.holds || st.Result.Is(verb.SameErrno(want))
		}
	}
	return f, nil
}

func checkFaults(c *verb.Call) (finding, error) {
	minor, _ := c.Cmd.Number("minor")
	major, asked := c.Cmd.Number("major")
	f := finding{want: fmt.Sprintf("%d minor", minor), got: "no command yet"}
	if asked {
		f.want += fmt.Sprintf(", %d major", major)
	}
	if st := c.Last; st != nil {
		f.got, f.evidence = fmt.Sprintf("%d minor, %d major", st.Minor, st.Major), about(st)
		f.holds = st.Minor == uint64(minor) && (!asked || st.Major == uint64(major))
	}
	return f, nil
}

func checkEnd(c *verb.Call, want string) (finding, error) {
	label, _ := c.Cmd.Word("process")
	m := c.F.Member(label)
	if m == nil {
		return finding{}, c.Cmd.ErrorIn("process", "there is no process "+label, "there are: "+c.F.Labels())
	}
	f := finding{want: label + " " + want, got: label + " lives", holds: m.Gone == want, evidence: fmt.Sprintf("process %d", m.PID)}
	if m.Gone != "" {
		f.got = label + " " + m.Gone
	}
	return f, nil
}
