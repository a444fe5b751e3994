// Package cli is the command line: the flags and the help of every command, and its exit status. A
// subcommand is a file, and a line in the table below.
package cli

import (
	"errors"
	"fmt"
	"os"

	"cowscope/actions/family"
	"cowscope/tui"
	"cowscope/tui/terminal"
	"cowscope/vmspace/printable"

	"github.com/spf13/cobra"
)

// The exit statuses, beside 0.
const (
	exitFailed = 1 // an expectation of a script failed, or a process could not be read
	exitUsage  = 2 // a mistake on the command line or in a script, or a screen that cannot be used
	exitStart  = 3 // the subject cannot be started, or the process to check cannot be read
)

// All output goes through these two writers, except the screen, which draws its own cells.
var (
	stdout = printable.NewWriter(os.Stdout)
	stderr = printable.NewWriter(os.Stderr)
)

// Run runs a command line and returns its exit status.
func Run(args []string) int {
	c := command()
	c.SetArgs(args)
	asked, fit := completing(args)
	if asked {
		completeFlags(c)
	}
	var err error
	if !asked || fit {
		err = c.Execute()
	}
	var ended programEnded
	if err != nil && err != errDiffers && !errors.As(err, &ended) {
		fmt.Fprintln(stderr, "cowscope:", err)
	}
	if err = errors.Join(err, stdout.Flush(), stderr.Flush()); err != nil {
		return status(err)
	}
	return 0
}

// statusError is an error with an exit status of its own.
type statusError struct {
	status int
	error
}

// flagError is a mistake on the command line, in one line whatever the arguments are.
type flagError struct{ error }

func (e flagError) Error() string { return printable.Line(e.error.Error()) }
func (e flagError) Unwrap() error { return e.error }

// status is the exit status for an error.
func status(err error) int {
	var start *family.StartError
	var own statusError
	var ended terminal.SignalError
	var program programEnded
	switch {
	case errors.As(err, &program):
		return int(program)
	case errors.As(err, &start):
		return exitStart
	case errors.As(err, &own):
		return own.status
	case errors.As(err, &ended):
		return ended.Status()
	}
	return exitUsage
}

// subcommands are all commands except the chapters of the manual.
var subcommands = []func() *cobra.Command{
	func() *cobra.Command { return labCommand("lab") },
	lessonCommand,
	demoCommand,
	execCommand,
	snapshotCommand,
	watchCommand,
	runCommand,
	checkCommand,
	whyCommand,
	doctorCommand,
	replayCommand,
	manCommand,
	completionCommand,
}

// command is the root command with all subcommands.
func command() *cobra.Command {
	c := labCommand("cowscope")
	answerVersion(c)
	c.SilenceErrors = true
	c.SetOut(stdout)
	c.SetErr(stderr)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError{err} })
	c.CompletionOptions.DisableDefaultCmd = true
	for _, sub := range subcommands {
		c.AddCommand(sub())
	}
	for _, t := range tui.Topics {
		c.AddCommand(topicCommand(t))
	}
	return c
}

// topicCommand is a chapter of the manual: cowscope help keys.
func topicCommand(t tui.Topic) *cobra.Command {
	c := &cobra.Command{Use: t.Name, Short: t.About}
	c.SetHelpFunc(func(*cobra.Command, []string) {
		if err := paged(t.Write); err != nil {
			fmt.Fprintln(stderr, "cowscope:", err)
		}
	})
	return c
}
