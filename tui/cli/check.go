package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"

	"cowscope/actions"
	"cowscope/actions/history"

	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var json bool
	c := &cobra.Command{
		Use:   "check PID [FILE|-]",
		Short: "hold what a script expects of memory against any process",
		Long: "check reads a process once, unstopped, and holds the expect lines of a file, or of standard input, against it. The process is p1; those that it has\n" +
			"started are p2, p3 and so on, parents first. Names are text, stack, heap, vdso and vvar.\n" +
			"Exit status: 0; 1 when an expect failed; 2 on a mistake on the command line or in the script, with its line; 3 when a process cannot be read.",
		Example: "  echo 'expect rss < 200m' | cowscope check $$\n" +
			"  cowscope check --json 4711 memory.cow",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			pid, err := parsePID(args[0])
			if err != nil {
				return err
			}
			name := "-"
			if len(args) > 1 {
				name = args[1]
			}
			return check(pid, name, json)
		},
	}
	c.ValidArgsFunction = processes()
	c.Flags().BoolVar(&json, "json", false, "write one JSON object for each line")
	return c
}

// parsePID reads the number of a process.
func parsePID(text string) (int, error) {
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("%q is no process id: a whole number above 0 is", text)
	}
	return pid, nil
}

func check(pid int, name string, json bool) error {
	script, err := readyScript(name, actions.ReadChecklist)
	if script == nil {
		return err
	}
	defer script.Close()
	out := bufio.NewWriterSize(stdout, 64<<10)
	rep, err := script.Run(context.Background(), pid, func(st *history.Step, line int) error {
		if json {
			return st.WriteJSON(out, line)
		}
		return st.WriteText(out, line)
	})
	err = errors.Join(err, out.Flush())
	var unreadable *actions.UnreadableError
	switch {
	case errors.As(err, &unreadable):
		return statusError{exitStart, err}
	case err != nil:
		return err
	case rep.Failed > 0:
		return statusError{exitFailed, fmt.Errorf("%d of the expectations failed", rep.Failed)}
	}
	return nil
}
