package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"cowscope/actions/run"
	"cowscope/actions/saved"
	"cowscope/actions/trace"
	"cowscope/tui"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var o tui.LabOptions
	var asJSON, asText bool
	c := &cobra.Command{
		Use:   "run PROG [ARG…]",
		Short: "a real program, stepped from memory event to memory event, each with its line of source",
		Long: "run starts a program and stops it at each of its memory events: a system call about memory or processes, a page fault, a deadly\n" +
			"signal. Each is shown with the function, the file and the line that caused it, and with what the page was and became. Space lets\n" +
			"the program run to its next event, n to the next line that has one, c to the end; [ and ] walk through what has happened. The\n" +
			"program has a terminal of its own on the screen; what it writes is told.\n" +
			"With --text, or where standard input or output is no terminal, each event is a line on standard error, and the program has the\n" +
			"files of cowscope. Either way the program is told of nothing. It cannot be let go: it dies with cowscope.\n" +
			"--save keeps all of it for cowscope replay. Page faults are told where the kernel allows it (perf-faults in cowscope doctor).\n" +
			"Exit status of --text and --json: that of the program, 128 and the number of the signal that killed it; 3 when it cannot be\n" +
			"started.",
		Example: "  cowscope run --text ls -l\n" +
			"  cowscope run --json true",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := exec.LookPath(args[0])
			if err != nil {
				return cannotRun(err)
			}
			cfg := trace.Config{Path: path, Args: args, Env: os.Environ()}
			if asText || asJSON || terminalWidth() == 0 || !term.IsTerminal(os.Stdin.Fd()) {
				return tellProgram(cfg, asJSON, o.Save)
			}
			o.Program, o.Out, o.ASLR = version, stdout, true
			err = tui.RunProgram(cfg, o)
			if no := (*trace.StartError)(nil); errors.As(err, &no) {
				return cannotRun(err)
			}
			return err
		},
	}
	c.Flags().SetInterspersed(false) // what follows PROG is the program's
	screenFlags(c.Flags(), &o.ScreenOptions)
	outputFlags(c.Flags(), &o.Output)
	c.Flags().BoolVar(&asText, "text", false, "write each event as a line on standard error")
	c.Flags().BoolVar(&asJSON, "json", false, "write each event as a line of JSON on standard output; the program's own output goes to standard error")
	c.Flags().StringVar(&o.Save, "save", "", saveHelp)
	for _, screen := range []string{"record", "still", "theme"} {
		c.MarkFlagsMutuallyExclusive("json", screen)
		c.MarkFlagsMutuallyExclusive("text", screen)
	}
	c.MarkFlagsMutuallyExclusive("json", "text")
	return c
}

// tellProgram writes the events of a program.
func tellProgram(cfg trace.Config, asJSON bool, save string) error {
	file, err := saved.Create(save)
	if err != nil {
		return err
	}
	defer file.Close()
	cfg.Files = []*os.File{os.Stdin, os.Stdout, os.Stderr}
	if asJSON {
		cfg.Files[1] = cfg.Files[2]
	}
	// A signal of the terminal is for the program, which has the same terminal; it ends with cowscope.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Reset(syscall.SIGINT, syscall.SIGQUIT)
	r, err := run.Open(cfg)
	if err != nil {
		return cannotRun(err)
	}
	defer r.Close()
	var keep *saved.Writer
	loaders := map[string]int{} // by process: events of the loader, which are told as one line
	for {
		st, err := r.Next(ctx)
		if errors.Is(err, trace.ErrEnded) {
			break
		}
		if err != nil {
			return statusError{exitFailed, err}
		}
		if keep == nil {
			keep, err = file.Begin(r.Info(), st, true, version)
		} else {
			err = keep.Write(st, 0)
		}
		if err != nil {
			return err
		}
		switch {
		case asJSON:
			err = st.WriteJSON(stdout, 0)
		case !r.Begun(st.Process) && (st.Event == trace.Call.String() || st.Event == trace.Fault.String()):
			loaders[st.Process]++
		default:
			if n := loaders[st.Process]; n > 0 {
				fmt.Fprintf(stderr, "     %-3s        %s of the loader, before main\n", st.Process, amount.Of(uint64(n), "event"))
				delete(loaders, st.Process)
			}
			_, err = fmt.Fprintln(stderr, run.Text(st))
		}
		if err = errors.Join(err, stdout.Flush(), stderr.Flush()); err != nil {
			return err
		}
	}
	if no := r.Untold(); no != nil && !asJSON {
		fmt.Fprintf(stderr, "page faults were not told: %v\n", no)
	}
	if status := r.Status(); status != 0 {
		return programEnded(status)
	}
	return nil
}

// cannotRun is the error of a program that does not start, in one line whatever its name is.
func cannotRun(err error) error {
	return statusError{exitStart, errors.New(printable.Line(err.Error()))}
}

// programEnded is the exit status of a program that was run, which is cowscope's then.
type programEnded int

func (e programEnded) Error() string { return fmt.Sprintf("the program exited %d", int(e)) }
