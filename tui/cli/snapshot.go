package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"cowscope/vmspace"
	"cowscope/vmspace/observe"

	"github.com/spf13/cobra"
)

func snapshotCommand() *cobra.Command {
	var json bool
	c := &cobra.Command{
		Use:   "snapshot PID",
		Short: "mappings and page states of any process, once",
		Example: "  cowscope snapshot $$\n" +
			"  cowscope snapshot --json $$",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			pid, err := strconv.Atoi(args[0])
			if err != nil || pid <= 0 {
				return fmt.Errorf("%q is no process id: a whole number above 0 is", args[0])
			}
			return snapshot(pid, json)
		},
	}
	c.Flags().BoolVar(&json, "json", false, "write JSON")
	return c
}

func snapshot(pid int, json bool) error {
	r, err := observe.NewReader(observe.Options{})
	if err != nil {
		return err
	}
	defer r.Close()
	size, frames := uint64(os.Getpagesize()), r.Features().Frames
	to := vmspace.NewText(stdout, size)
	if json {
		to = vmspace.NewJSON(stdout, size, frames, nil)
	}
	if err := r.Stream(context.Background(), vmspace.Member{Label: "p1", PID: pid}, to); err != nil {
		return statusError{exitFailed, fmt.Errorf("process %d cannot be read: %w", pid, err)}
	}
	if !json {
		fmt.Fprintln(stdout, r.Cost())
	}
	return nil
}
