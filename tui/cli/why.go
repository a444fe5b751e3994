package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"cowscope/actions/verdict"
	"cowscope/actions/why"
	"cowscope/tui"
	"cowscope/tui/cell"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"

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
			return writeRows(stdout, report.Rows(), terminalWidth() > 0 && os.Getenv("NO_COLOR") == "")
		},
	}
	c.ValidArgsFunction = processes()
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

// whyWidth is the width of a report in cells, in wider terminals too: long lines are hard to read.
const whyWidth = 80

// writeRows writes a report for people; styled has evidence faint, as a terminal can.
func writeRows(w *printable.Writer, rows []why.Row, styled bool) (err error) {
	width := cmp.Or(min(terminalWidth(), whyWidth), whyWidth)
	put := func(line string) {
		if err == nil {
			_, err = fmt.Fprintln(w, line)
		}
	}
	style := func(sequence string) {
		if styled && err == nil {
			err = w.Control(sequence)
		}
	}
	for i, r := range rows {
		first, under := "  ", strings.Repeat(" ", why.TextColumn)
		switch {
		case r.Head != "":
			if i > 0 {
				put("")
			}
			first, under, r.Text = "", "  ", r.Head
		case r.Evidence:
			style("\x1b[2m")
			first, under = under+"  ", under+"  "
		case r.Verdict != "":
			first = fmt.Sprintf("  %-*s%*s  ", why.AmountColumn-2, r.Verdict, why.TextColumn-why.AmountColumn-2, r.Amount)
		default:
			under = first
		}
		for _, line := range cell.Wrap(r.Text, max(width-len(under), 20)) {
			put(first + line)
			first = under
		}
		if r.Evidence {
			style("\x1b[m")
		}
	}
	return err
}
