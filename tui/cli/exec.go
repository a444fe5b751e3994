package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/saved"
	"cowscope/tui"
	"cowscope/tui/terminal"
	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
)

func execCommand() *cobra.Command {
	var o actions.Options
	var json bool
	var save, still string
	var lines []string
	size := tui.DefaultSize
	c := &cobra.Command{
		Use:   "exec [FILE|-]",
		Short: "run a script without a screen; the transcript goes to standard output",
		Long:  "exec runs the lines of a script, of standard input, or those of -c, in a fresh subject and writes what happened.\nExit status: 0; 1 if an expect failed or the script could not reach its end; 2 if there is a mistake on the command line or in the\nscript; 3 if no subject can be started; 128 plus its number if a signal ended it.",
		Example: "  cowscope exec story.cow\n" +
			"  cowscope exec -c 'a = mmap 4p rw private anon' -c 'write a 1'\n" +
			"  echo 'mmap 4p rw private anon' | cowscope exec --json\n" +
			"  cowscope exec --max-memory 4g --max-processes 100 story.cow",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "-"
			switch {
			case len(args) > 0 && lines != nil:
				return errors.New("either a file or -c: both are scripts")
			case len(args) > 0:
				name = args[0]
			}
			if err := tui.CheckStill(still); err != nil {
				return err
			}
			o.Brief, o.Glance = true, save == "" && still == ""
			return runScript(name, lines, o, json, save, func(s *actions.Session) error {
				if still == "" {
					return nil
				}
				return tui.WriteStill(still, s, tui.ScreenOptions{}, size)
			})
		},
	}
	c.ValidArgsFunction = endings("cow")
	c.Flags().StringArrayVarP(&lines, "command", "c", nil, "a `LINE` to run; with several, one after the other")
	c.Flags().BoolVar(&json, "json", false, "write one JSON object for each step")
	c.Flags().StringVar(&save, "save", "", saveHelp)
	c.Flags().StringVar(&still, "still", "", stillHelp)
	c.Flags().Var((*sizeFlag)(&size), "size", "size of that screen in cells")
	sessionFlags(c.Flags(), &o)
	c.Flags().DurationVar(&o.Limits.Time, "max-time", time.Minute, "how long the script may take; 0 for no limit")
	return c
}

// runScript runs a script, or the lines if there are any; after is called after its last line.
func runScript(name string, lines []string, o actions.Options, json bool, save string, after func(*actions.Session) error) error {
	read := actions.ReadScript
	if lines != nil {
		name = "-"
		read = func(string, io.Reader) (*actions.Script, error) {
			return actions.ReadScript("-c", strings.NewReader(strings.Join(lines, "\n")))
		}
	}
	script, err := readyScript(name, read)
	if script == nil {
		return err
	}
	defer script.Close()
	file, err := saved.Create(save)
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, stop := terminal.Interruptible()
	defer stop()
	// A step leaves little garbage compared with what it reads: collect less often.
	debug.SetGCPercent(400)
	s, err := actions.Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { s.Close() })() // interrupts a running command
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
		// A step that was made is saved and written, whatever happens next.
		return errors.Join(w.Write(st, line), write(out, line), out.Flush())
	})
	show(0)
	if err == nil && ctx.Err() == nil {
		err = after(s)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted after %d steps: %w", rep.Steps, context.Cause(ctx))
	case err != nil:
		return err
	case rep.Ended != "":
		return statusError{exitFailed, errors.New(rep.Ended)}
	case rep.Failed > 0:
		return statusError{exitFailed, fmt.Errorf("%d expectations failed", rep.Failed)}
	}
	return nil
}

// readyScript opens a script that this machine can run. Where it lacks what the script needs, that is
// said, and there is none.
func readyScript[S interface {
	*actions.Script | *actions.Checklist
	Missing() (string, error)
	Close()
}](name string, read func(file string, r io.Reader) (S, error)) (S, error) {
	script, err := openScript(name, read)
	if err != nil {
		return nil, err
	}
	if why, err := script.Missing(); err != nil || why != "" {
		script.Close()
		fmt.Fprintln(stderr, "cowscope:", why)
		return nil, err
	}
	return script, nil
}

// openScript opens a script, which stays open until cowscope ends: a long one is read again while
// it runs.
func openScript[S any](name string, read func(file string, r io.Reader) (S, error)) (none S, err error) {
	if name == "-" {
		return read("-", os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return none, printable.Error(err)
	}
	return read(name, f)
}

// progress shows on the terminal how far a long script is, unless the transcript is shown there: it
// returns a function to call with the line of each step, and with 0 at the end.
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
