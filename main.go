// Cowscope is a terminal laboratory for virtual memory. This file is its command line, nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"cowscope/actions"
	"cowscope/tui"

	"github.com/spf13/cobra"
)

const version = "0.1.0"

// The exit statuses, beside 0.
const (
	exitFailed = 1 // an expectation of a script failed
	exitUsage  = 2 // a mistake on the command line or in a script, or a screen that cannot be used
	exitStart  = 3 // the subject cannot be started
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "cowscope:", err)
		var start *actions.StartError
		var failed failedError
		switch {
		case errors.As(err, &start):
			os.Exit(exitStart)
		case errors.As(err, &failed):
			os.Exit(exitFailed)
		}
		os.Exit(exitUsage)
	}
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
	c.AddCommand(execCommand())
	return c
}

// failedError says that a script ran and found what it did not expect.
type failedError int

func (e failedError) Error() string {
	if e == 1 {
		return "1 expectation failed"
	}
	return fmt.Sprintf("%d expectations failed", int(e))
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
		err = failedError(failed)
	}
	return err
}
