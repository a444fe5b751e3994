package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/saved"
	"cowscope/tui"
	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
)

func execCommand() *cobra.Command {
	var o actions.Options
	var json bool
	var save, still string
	size := tui.DefaultSize
	c := &cobra.Command{
		Use:   "exec [FILE|-]",
		Short: "run a script with no screen; the transcript goes to standard output",
		Long:  "exec runs the lines of a script, or of standard input, in a fresh subject and writes what happened.\nExit status: 0; 1 when an expect failed or the script could not come to its end; 2 on a mistake on the command line or in the script,\nwith its line; 3 when the subject cannot be started.",
		Example: "  cowscope exec story.cow\n" +
			"  echo 'mmap 4p rw private anon' | cowscope exec --json\n" +
			"  cowscope exec --max-memory 4g --max-processes 100 story.cow",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			if err := tui.CheckStill(still); err != nil {
				return err
			}
			o.Brief, o.Glance = true, save == "" && still == ""
			return runScript(name, o, json, save, func(s *actions.Session) error {
				if still == "" {
					return nil
				}
				return tui.WriteStill(still, s, tui.ScreenOptions{}, size)
			})
		},
	}
	c.Flags().BoolVar(&json, "json", false, "write one JSON object for each step")
	c.Flags().StringVar(&save, "save", "", saveHelp)
	c.Flags().StringVar(&still, "still", "", stillHelp)
	c.Flags().Var((*sizeFlag)(&size), "size", "size of that screen in cells")
	sessionFlags(c.Flags(), &o)
	c.Flags().DurationVar(&o.Limits.Time, "max-time", time.Minute, "how long the script may take; 0 for any time")
	return c
}

// runScript runs a script; after is called when its last line has run.
func runScript(name string, o actions.Options, json bool, save string, after func(*actions.Session) error) error {
	script, err := openScript(name)
	if err != nil {
		return err
	}
	defer script.Close()
	if why, err := script.Missing(); err != nil || why != "" {
		fmt.Fprintln(stderr, "cowscope:", why)
		return err
	}
	file, err := saved.Create(save)
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	debug.SetGCPercent(400) // what a step leaves behind is small beside what it reads: collect it more seldom
	s, err := actions.Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Close() })() // cuts short what is running
	w, err := file.Begin(s.Info(), s.History()[0], o.ASLR, version)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(stdout, 64<<10)
	show := progress(script.Len())
	rep, err := script.Run(ctx, s, func(st *history.Step, line int) error {
		show(line)
		write := st.WriteText
		if json {
			write = st.WriteJSON
		}
		return errors.Join(w.Write(st, line), write(out, line), out.Flush()) // what was done is kept and told, whatever happens next
	})
	show(0)
	if err == nil && ctx.Err() == nil {
		err = after(s)
	}
	switch {
	case ctx.Err() != nil:
		return statusError{exitFailed, fmt.Errorf("interrupted after %d steps", rep.Steps)}
	case err != nil:
		return err
	case rep.Ended != "":
		return statusError{exitFailed, errors.New(rep.Ended)}
	case rep.Failed > 0:
		return statusError{exitFailed, fmt.Errorf("%d of the expectations failed", rep.Failed)}
	}
	return nil
}

// openScript reads a script, which stays open until cowscope ends: a long one is read again as it
// runs.
func openScript(name string) (*actions.Script, error) {
	if name == "-" {
		return actions.ReadScript("-", os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, printable.Error(err)
	}
	return actions.ReadScript(name, f)
}

// progress shows on the terminal how far a long script is, where the transcript does not show it:
// it gives a function that is told the line of each step, and 0 at the end.
func progress(steps int) func(line int) {
	if steps < 1000 || !term.IsTerminal(os.Stderr.Fd()) || term.IsTerminal(os.Stdout.Fd()) {
		return func(int) {}
	}
	done, next := 0, time.Now().Add(time.Second)
	shown := false
	return func(line int) {
		switch done++; {
		case line == 0 && shown:
			stderr.Control("\r\x1b[K")
		case line > 0 && time.Now().After(next):
			next, shown = time.Now().Add(200*time.Millisecond), true
			stderr.Control(fmt.Sprintf("\r%d of %d steps, line %d\x1b[K", done, steps, line))
		}
	}
}
