package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"cowscope/actions/verdict"
	"cowscope/actions/why"
	"cowscope/tui"
	"cowscope/tui/cell"
	"cowscope/vmspace/amount"

	"github.com/spf13/cobra"
)

func whyCommand() *cobra.Command {
	var children, asJSON bool
	c := &cobra.Command{
		Use:   "why PID|NAME",
		Short: "verdicts on what the memory of a process is, with evidence",
		Long: "why reads a process once, unstopped, and says what its memory is: each verdict with a number of bytes, a sentence, the evidence for it, and the\n" +
			"lesson that shows it. With --children the processes that it has started are judged too. The verdicts:\n" + verdicts() +
			"What this user cannot know is said as unknown, with what it needs; the rest of what is not said is not so, or too little to matter.\n" +
			"Exit status: 0; 1 when the process could not be read.",
		Example: "  cowscope why $$\n" +
			"  cowscope why --children postgres\n" +
			"  cowscope why --json redis-server",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			pid, err := processOf(args[0])
			if err != nil {
				return err
			}
			report, err := why.Ask(context.Background(), membersOf(pid, children))
			if err != nil {
				return statusError{exitFailed, err}
			}
			if asJSON {
				e := json.NewEncoder(stdout)
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				return e.Encode(report.Findings)
			}
			// A long line is hard to read: a wide terminal does not make it longer.
			width, dim := cmp.Or(min(terminalWidth(), whyWidth), whyWidth), func(bool) error { return nil }
			if terminalWidth() > 0 && os.Getenv("NO_COLOR") == "" {
				dim = dimmed
			}
			return writeRows(stdout, report.Rows(), width, dim)
		},
	}
	c.Flags().BoolVar(&children, "children", false, "the processes that it has started, too, and those that they have")
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return c
}

// verdicts lists the table of verdicts.
func verdicts() string {
	var b strings.Builder
	for _, r := range verdict.Rows {
		fmt.Fprintf(&b, "  %-15s %s\n", r.Name, r.About)
	}
	return b.String()
}

// processOf is the process with that number, or the only one with that name.
func processOf(target string) (int, error) {
	if pid, err := parsePID(target); err == nil {
		return pid, nil
	} else if strings.Trim(target, "-0123456789") == "" {
		return 0, err
	}
	pids, err := tui.Named(target)
	switch {
	case err != nil:
		return 0, err
	case len(pids) > 1:
		return 0, fmt.Errorf("%s are called %q: %s; give the number of one", amount.Of(uint64(len(pids)), "process"), target, strings.Trim(fmt.Sprint(pids), "[]"))
	}
	return pids[0], nil
}

// whyWidth is the width of a report in cells.
const whyWidth = 80

// dimmed switches faint text on, or off again.
func dimmed(on bool) error {
	if on {
		return stdout.Control("\x1b[2m")
	}
	return stdout.Control("\x1b[m")
}

// writeRows writes a report for people, in lines of at most width cells; dim dims a line of evidence.
func writeRows(w io.Writer, rows []why.Row, width int, dim func(bool) error) error {
	under := strings.Repeat(" ", why.TextColumn)
	for i, r := range rows {
		if r.Head != "" {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, r.Head)
			continue
		}
		first, room := under, width-why.TextColumn
		switch {
		case r.Evidence:
			first, room = first+"  ", room-2
		case r.Verdict == "":
			first, room = "  ", width-2
		default:
			first = fmt.Sprintf("  %-*s%*s  ", why.AmountColumn-2, r.Verdict, why.TextColumn-why.AmountColumn-2, r.Amount)
		}
		for _, line := range cell.Wrap(r.Text, max(room, 20)) {
			if err := errors.Join(dim(r.Evidence), printLine(w, first+line), dim(false)); err != nil {
				return err
			}
			if first = under; r.Evidence {
				first += "  "
			}
		}
	}
	return nil
}

func printLine(w io.Writer, line string) error {
	_, err := fmt.Fprintln(w, line)
	return err
}
