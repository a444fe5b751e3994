// Cowscope is a terminal laboratory for virtual memory. This file is its command line, nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"cowscope/actions"
	"cowscope/tui"
	"cowscope/vmspace"

	"github.com/spf13/cobra"
)

const version = "0.1.0"

// The exit statuses, beside 0.
const (
	exitFailed = 1 // an expectation of a script failed, or a process could not be read
	exitUsage  = 2 // a mistake on the command line or in a script, or a screen that cannot be used
	exitStart  = 3 // the subject cannot be started
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "cowscope:", err)
		os.Exit(status(err))
	}
}

// statusError is an error with an exit status of its own.
type statusError struct {
	status int
	error
}

// status is the exit status that an error calls for.
func status(err error) int {
	var start *actions.StartError
	var own statusError
	switch {
	case errors.As(err, &start):
		return exitStart
	case errors.As(err, &own):
		return own.status
	}
	return exitUsage
}

func command() *cobra.Command {
	var o tui.LabOptions
	c := &cobra.Command{
		Use:           "cowscope",
		Short:         "a terminal laboratory for virtual memory",
		Long:          "cowscope opens a screen on a fresh subject process: keystrokes make it mmap, mprotect, read, write, execute, fork and\nmunmap; the screen shows, from /proc, the mappings, the protections and the copy-on-write state of every page.",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(*cobra.Command, []string) error { return tui.RunLab(o) },
	}
	f := c.Flags()
	f.BoolVar(&o.ASLR, "aslr", false, "randomise the subject's addresses; off, they repeat from run to run")
	f.BoolVar(&o.ASCII, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&o.NoColor, "no-color", false, "draw without colour, as a non-empty NO_COLOR does")
	f.StringVar(&o.Theme, "theme", "", "dark or light; left out, the terminal's background decides")
	c.CompletionOptions.DisableDefaultCmd = true
	c.AddCommand(execCommand(), snapshotCommand())
	return c
}

func execCommand() *cobra.Command {
	var o actions.Options
	c := &cobra.Command{
		Use:   "exec [FILE|-]",
		Short: "run a script with no screen; the transcript goes to standard output",
		Long:  "exec runs the lines of a script, or of standard input, in a fresh subject and writes what happened.\nExit status: 0; 1 when an expect failed; 2 on a mistake in the script, with its line; 3 when the subject cannot be started.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			return runScript(name, o)
		},
	}
	c.Flags().BoolVar(&o.ASLR, "aslr", false, "randomise the subject's addresses; off, they repeat from run to run")
	return c
}

func runScript(name string, o actions.Options) error {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	script, err := actions.ReadScript(name, in)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	s, err := actions.Open(o)
	if err != nil {
		return &actions.StartError{Err: err}
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Close() })() // cuts short what is running
	failed, err := script.Run(ctx, s, os.Stdout)
	if err == nil && failed > 0 {
		err = statusError{exitFailed, fmt.Errorf("%d of the expectations failed", failed)}
	}
	return err
}

func snapshotCommand() *cobra.Command {
	var json bool
	c := &cobra.Command{
		Use:   "snapshot PID",
		Short: "mappings and page states of any process, once",
		Args:  cobra.ExactArgs(1),
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
	r, err := vmspace.NewReader(vmspace.Options{})
	if err != nil {
		return err
	}
	defer r.Close()
	write := r.WriteProcessText
	if json {
		write = r.WriteProcessJSON
	}
	if err := write(os.Stdout, vmspace.Member{Label: "p1", PID: pid}); err != nil {
		return statusError{exitFailed, fmt.Errorf("process %d cannot be read: %w", pid, err)}
	}
	return nil
}
