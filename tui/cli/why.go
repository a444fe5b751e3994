package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"cowscope/actions"
	"cowscope/actions/verdict"
	"cowscope/actions/why"
	"cowscope/tui"
	"cowscope/tui/cell"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"

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
			snap, found, err := why.Ask(context.Background(), membersOf(pid, children))
			switch {
			case err != nil:
				return statusError{exitFailed, err}
			case asJSON:
				return writeVerdictsJSON(stdout, found)
			}
			width := terminalWidth()
			if width == 0 || width > 100 {
				width = 80
			}
			return writeVerdicts(stdout, snap, found, width)
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

func writeVerdictsJSON(w io.Writer, found []verdict.Finding) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(found)
}

// The columns of the table: verdict, bytes, text.
const (
	verdictWidth = 14
	bytesWidth   = 10
	textColumn   = 2 + verdictWidth + 2 + bytesWidth + 2
)

// writeVerdicts writes what was found for people, in lines of at most width cells.
func writeVerdicts(w io.Writer, s *vmspace.Snapshot, found []verdict.Finding, width int) error {
	var b strings.Builder
	for i, p := range s.Processes {
		if i > 0 {
			b.WriteByte('\n')
		}
		head := fmt.Sprintf("%s %s, pid %d", p.Label, printable.Name(procfs.Name(p.PID)), p.PID)
		if p.Parent != "" {
			head += ", child of " + p.Parent
		}
		switch sizes := p.Sizes(); {
		case p.Err != "":
			head += ": " + printable.Line((&actions.UnreadableError{PID: p.PID, Why: p.Err}).Error())
		case sizes.Known:
			head += fmt.Sprintf(": rss %s, pss %s, uss %s", amount.Size(sizes.RSS), amount.Size(sizes.PSS), amount.Size(sizes.USS))
		}
		fmt.Fprintln(&b, head)
		if p.Err == "" && !writeFindings(&b, found, p.Label, width) {
			fmt.Fprintln(&b, "  Nothing stands out.")
		}
	}
	if len(s.Processes) > 1 {
		b.WriteString("\nall together\n")
		if !writeFindings(&b, found, verdict.Family, width) {
			fmt.Fprintln(&b, "  Nothing stands out.")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeFindings writes those of one process; it reports whether there were any.
func writeFindings(b *strings.Builder, found []verdict.Finding, label string, width int) (any bool) {
	room := max(width-textColumn, 20)
	under := strings.Repeat(" ", textColumn)
	for _, f := range found {
		if f.Process != label {
			continue
		}
		any = true
		size, lines := "", cell.Wrap(f.Text, room)
		if f.Bytes > 0 {
			size = amount.Size(f.Bytes)
		}
		if f.Unknown != "" {
			size, lines = "unknown", cell.Wrap(f.Unknown, room)
		}
		for i, line := range lines {
			if i == 0 {
				fmt.Fprintf(b, "  %-*s  %*s  %s\n", verdictWidth, f.Verdict, bytesWidth, size, line)
			} else {
				b.WriteString(under + line + "\n")
			}
		}
		for _, line := range cell.Wrap(f.Evidence, room-2) {
			b.WriteString(under + "  " + line + "\n")
		}
		if f.Lesson != "" && f.Unknown == "" {
			b.WriteString(under + "  cowscope lesson " + f.Lesson + "\n")
		}
	}
	return any
}
