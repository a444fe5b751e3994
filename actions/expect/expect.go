// Package expect has the expectations of scripts: about the last command, about mappings and pages
// as they were read after it, and about files.
package expect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/explain"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/verb"
)

// Expectations: what a script asserts about the last command and about the family as it was read
// after it. They change nothing.

// finding is what an expectation wanted, what was found, and the evidence for that.
type finding struct {
	want, got string
	evidence  string
	holds     bool
}

// All is the table of expectations.
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
	&expectValue,
	&expectMincore,
	&expectMovePages,
	&expectFaults,
	&expectRSS,
	&expectPSS,
	&expectUSS,
	&expectVmLck,
	&expectShared,
	&expectFile,
	&expectSize,
	&expectExited,
	&expectSignaled,
}

// ofMemory makes the action of a form of expect that asks of memory alone, and so of any process.
func ofMemory(form, summary string, params []lang.Param, check func(*verb.Call) (finding, error)) verb.Action {
	a := expectation(form, summary, params, check)
	a.Memory = true
	return a
}

// expectation makes the action of one form of expect.
func expectation(form, summary string, params []lang.Param, check func(*verb.Call) (finding, error)) verb.Action {
	return verb.Action{
		Dead: true, Check: true, Expects: true,
		Verb: lang.Verb{Name: "expect " + form, Summary: summary, Params: params},
		Run: func(c *verb.Call) error {
			f, err := check(c)
			if err == nil {
				f.tell(c)
			}
			return err
		},
	}
}

// tell makes the finding the outcome of a call.
func (f finding) tell(c *verb.Call) {
	c.Want, c.Got, c.Evidence = f.want, f.got, f.evidence
	c.Result, c.Note = history.OK, "As expected: "+f.got+"."
	if !f.holds {
		c.Result, c.Note = history.Failed, "Wanted "+f.want+", found "+f.got+"."
	}
}

var (
	expectResult = expectation("result", "the last command ended so, or in one of several ways: EINVAL|ENOMEM", []lang.Param{{Name: "result", Kind: lang.KindResult}}, checkResult)
	expectValue  = expectation("value", "the last command was a system call, and returned this number",
		[]lang.Param{{Name: "value", Kind: lang.KindBits, Help: "an address, a count, 0"}}, checkValue)
	expectMincore = expectation("mincore", "the last command was mincore, and answered this for its pages",
		[]lang.Param{{Name: "vector", Kind: lang.KindVector}}, checkMincore)
	expectMovePages = expectation("move_pages", "the last command was move_pages, and answered this for its pages",
		[]lang.Param{{Name: "statuses", Kind: lang.KindStatuses}}, checkMovePages)
	expectFaults = expectation("faults", "the last command took so many faults", []lang.Param{
		{Name: "minor", Kind: lang.KindOption, Key: "minor", Of: lang.KindNumber},
		{Name: "major", Kind: lang.KindOption, Key: "major", Of: lang.KindNumber, Optional: true}}, checkFaults)
	expectExited = expectation("exited", "the process ended itself with that status",
		[]lang.Param{{Name: "process", Kind: lang.KindProcess}, {Name: "status", Kind: lang.KindNumber}},
		func(c *verb.Call) (finding, error) {
			n, _ := c.Cmd.Number("status")
			// The kernel keeps eight bits of a status (exit(2)).
			return checkEnd(c, fmt.Sprintf("exited with %d", n&0xff))
		})
	expectSignaled = expectation("signaled", "the process was killed by that signal",
		[]lang.Param{{Name: "process", Kind: lang.KindProcess}, {Name: "signal", Kind: lang.KindSignal}},
		func(c *verb.Call) (finding, error) {
			sig, _ := c.Cmd.Signal("signal")
			return checkEnd(c, "was killed by "+sig.String())
		})
)

// about names the command, or the event, that a finding is about.
func about(st *history.Step) string {
	return strings.TrimSpace(cmp.Or(st.Command, st.Event) + ": " + st.Call + " " + st.Answer())
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

func checkValue(c *verb.Call) (finding, error) {
	want, _ := c.Cmd.Arg("value")
	n, _ := c.Cmd.Bits("value")
	f := finding{want: want.Text, got: "no command yet"}
	if st := c.Last; st != nil {
		got, returned := st.Returned()
		f.got, f.evidence, f.holds = "no value", about(st), returned && got == n
		if answer, ok := strings.CutPrefix(st.Answer(), "= "); ok {
			f.got = answer
		}
	}
	return f, nil
}

// checkMincore checks the answer of the last command: only the process itself can call mincore, and
// the call would be a command.
func checkMincore(c *verb.Call) (finding, error) {
	f := finding{got: "no command yet"}
	f.want, _ = c.Cmd.Word("vector")
	switch st := c.Last; {
	case st == nil:
	case st.Verb != "mincore":
		f.got, f.evidence = "no vector: the last command is another", about(st)
	case !st.OK():
		f.got, f.evidence = st.Result.String(), about(st)
	case st.Done > uint64(len(st.Bytes)):
		f.got, f.evidence = fmt.Sprintf("%d pages, and only the first %d are kept", st.Done, len(st.Bytes)), about(st)
	default:
		var vec strings.Builder
		for _, b := range st.Bytes {
			vec.WriteByte('0' + b&1) // the other bits are reserved (mincore(2))
		}
		f.got, f.evidence, f.holds = vec.String(), about(st), vec.String() == f.want
	}
	return f, nil
}

// checkMovePages holds the answers that the call itself gave.
func checkMovePages(c *verb.Call) (finding, error) {
	f := finding{got: "no command yet"}
	f.want, _ = c.Cmd.Word("statuses")
	switch st := c.Last; {
	case st == nil:
	case st.Verb != "move_pages":
		f.got, f.evidence = "no answers: the last command is another", about(st)
	case !st.OK():
		f.got, f.evidence = st.Result.String(), about(st)
	case st.Done > uint64(len(st.Bytes))/4:
		f.got, f.evidence = fmt.Sprintf("%d pages, and only the answers for the first %d are kept", st.Done, len(st.Bytes)/4), about(st)
	default:
		var answers []string
		for _, status := range explain.Statuses(st.Bytes) {
			answers = append(answers, explain.StatusText(status))
		}
		f.got, f.evidence = strings.Join(answers, ","), about(st)
		f.holds = slices.EqualFunc(strings.Split(f.want, ","), answers, func(want, got string) bool {
			return slices.Contains(strings.Split(want, "|"), got)
		})
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
