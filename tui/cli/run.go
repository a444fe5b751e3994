package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/run"
	"cowscope/actions/saved"
	"cowscope/actions/trace"
	"cowscope/tui"
	"cowscope/tui/terminal"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var o tui.LabOptions
	var asJSON, asText, free bool
	var script, pprof string
	var pid int
	c := &cobra.Command{
		Use:   "run {PROG [ARG…] | -p PID}",
		Short: "a real program, stepped from memory event to memory event, each with its line of source",
		Long: "run starts a program and stops it at each of its memory events: a system call about memory or processes, a page fault, a deadly\n" +
			"signal. Each is shown with the function, the file and the line that caused it, and with what the page was and became. Space lets\n" +
			"the program run to its next event, n to the next line that has one, c to the end; [ and ] walk through what has happened. The\n" +
			"program has a terminal of its own on the screen; what it writes is told. Wherever it is stopped, the commands of the lab work in it,\n" +
			"such as mmap, mprotect, write and fork: it carries them out, and notices nothing else.\n" +
			"With --text, or where standard input or output is no terminal, each event is a line on standard error, and the program has the\n" +
			"files of cowscope. Either way the program is told of nothing. It cannot be let go: it dies with cowscope.\n" +
			"With --free the program is not stopped once it runs: it is watched as cowscope watch does it, from its first instruction on. A kill -9\n" +
			"of cowscope ends it, but not what it has started.\n" +
			"With -p a running process is attached to, and let go when cowscope ends. It has no filter of system calls, so each of its calls stops\n" +
			"it twice, whatever it is about. A kill -9 of cowscope may kill it too, if it is taking a page fault at that moment.\n" +
			"With --script the lines of a file walk through the program: each is a word that lets it run on (step, next, finish, until, continue),\n" +
			"a command of the lab that it carries out, or an expectation; what happened is written as cowscope exec does it, and the program has a terminal of its own, which nobody types at.\n" +
			"Exit status then: 0, 1 if an expect failed, 2 if there is a mistake in the script, 3 when the program cannot be started.\n" +
			"--save keeps all of it for cowscope replay. Page faults are told where the kernel allows it (perf-faults in cowscope doctor).\n" +
			"Exit status of --text and --json: that of the program, 128 and the number of the signal that killed it; 3 when it cannot be\n" +
			"started.",
		Example: "  cowscope run --text ls -l\n" +
			"  echo until call mmap | cowscope run --script - true\n" +
			"  cowscope run --json true",
		Args: func(c *cobra.Command, args []string) error {
			switch given := c.Flags().Changed("pid"); {
			case given && len(args) > 0:
				return fmt.Errorf("-p attaches to a running process, and %s would be started: give only one of them", printable.Line(args[0]))
			case given:
				return nil
			}
			return cobra.MinimumNArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			cfg := trace.Config{PID: pid}
			if !c.Flags().Changed("pid") {
				path, err := exec.LookPath(args[0])
				if err != nil {
					return cannotRun(err)
				}
				cfg = trace.Config{Path: path, Args: args, Env: os.Environ()}
			} else if pid <= 0 {
				return fmt.Errorf("%d is no PID", pid)
			}
			if script != "" {
				return runWords(cfg, script, asJSON, o.Save)
			}
			if pprof != "" {
				return profileProgram(cfg, pprof)
			}
			if !free && (asText || asJSON || terminalWidth() == 0 || !term.IsTerminal(os.Stdin.Fd())) {
				return tellProgram(cfg, asJSON, o.Save)
			}
			o.Program, o.Out, o.ASLR = version, stdout, true
			show := tui.RunProgram
			if free {
				show = tui.RunFreely
			}
			err := show(cfg, o)
			if errors.As(err, new(*trace.StartError)) || errors.As(err, new(*trace.AttachError)) {
				return cannotRun(err)
			}
			return err
		},
	}
	c.Flags().SetInterspersed(false) // what follows PROG is the program's
	screenFlags(c.Flags(), &o.ScreenOptions)
	outputFlags(c.Flags(), &o.Output)
	c.Flags().IntVarP(&pid, "pid", "p", 0, "attach to this running process instead of starting PROG")
	c.Flags().BoolVar(&free, "free", false, "do not stop the program: watch it run at full speed, and walk back through what was seen")
	c.Flags().BoolVar(&asText, "text", false, "write each event as a line on standard error")
	c.Flags().BoolVar(&asJSON, "json", false, "write each event as a line of JSON on standard output; the program's own output goes to standard error")
	c.Flags().StringVar(&script, "script", "", "a script of the words of run, such as until main and expect page counter anon; - is standard input")
	c.Flags().StringVar(&pprof, "pprof", "", "write a profile for pprof to this file: page faults, and the bytes that were brought in, by stack of calls; events are not shown")
	c.Flags().StringVar(&o.Save, "save", "", saveHelp)
	for _, screen := range []string{"record", "still", "theme"} {
		c.MarkFlagsMutuallyExclusive("json", screen)
		c.MarkFlagsMutuallyExclusive("text", screen)
		c.MarkFlagsMutuallyExclusive("script", screen)
		c.MarkFlagsMutuallyExclusive("pprof", screen)
	}
	for _, other := range []string{"json", "text", "pprof", "script", "pid"} {
		c.MarkFlagsMutuallyExclusive("free", other)
	}
	c.MarkFlagsMutuallyExclusive("json", "text", "pprof")
	c.MarkFlagsMutuallyExclusive("text", "script")
	c.MarkFlagsMutuallyExclusive("pprof", "script")
	c.MarkFlagsMutuallyExclusive("pprof", "save")
	return c
}

// openProgram starts a program with the files of cowscope; with quiet, its standard output is standard
// error. A signal of the terminal is for the program, which has the same terminal: it ends with
// cowscope. done gives everything back.
func openProgram(cfg trace.Config, quiet bool) (r *run.Run, ctx context.Context, done func(), err error) {
	cfg.Files = []*os.File{os.Stdin, os.Stdout, os.Stderr}
	if quiet {
		cfg.Files[1] = cfg.Files[2]
	}
	until := beside
	if cfg.PID != 0 {
		until = untilLetGo
	}
	ctx, release := until()
	if r, err = run.Open(cfg); err != nil {
		release()
		return nil, nil, nil, cannotRun(err)
	}
	return r, ctx, func() { r.Close(); release() }, nil
}

// beside is a context for a program that has the terminal of cowscope. A signal that is ignored here would
// be ignored in the program too (execve(2)), so those of the terminal are caught, and nothing is done.
func beside() (context.Context, func()) {
	ctx, stop := terminal.Until(syscall.SIGTERM, syscall.SIGHUP)
	unheard := make(chan os.Signal, 1)
	terminal.Notify(unheard, syscall.SIGINT, syscall.SIGQUIT)
	return ctx, func() {
		signal.Stop(unheard)
		stop()
	}
}

// untilLetGo is a context that ends with every signal that can be caught: a process that was attached to
// is let go then, also where nobody reads what is told of it any more (SIGPIPE).
func untilLetGo() (context.Context, func()) {
	return terminal.Until(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGQUIT)
}

// interrupted is the error of what a signal has ended.
func interrupted(ctx context.Context) error { return fmt.Errorf("interrupted: %w", context.Cause(ctx)) }

// ended is the exit status of a program that was run.
func ended(r *run.Run) error {
	if status := r.Status(); status != 0 {
		return programEnded(status)
	}
	return nil
}

// profileProgram runs a program to its end, and writes where it takes memory.
func profileProgram(cfg trace.Config, name string) (err error) {
	file, err := run.CreateProfile(name)
	if err != nil {
		return err
	}
	defer file.Close()
	r, ctx, done, err := openProgram(cfg, false)
	if err != nil {
		return err
	}
	defer done()
	p := run.NewProfile()
	r.Collect(p)
	for err == nil {
		_, err = r.Next(ctx)
	}
	if cfg.PID != 0 && ctx.Err() != nil {
		err = nil // it is let go
	} else if ctx.Err() != nil {
		err = interrupted(ctx)
	} else if !errors.Is(err, trace.ErrEnded) {
		err = statusError{exitFailed, err}
	} else {
		err = ended(r)
	}
	if no := r.Untold(); no != nil {
		fmt.Fprintf(stderr, "page faults were not told: %v\n", no)
	}
	if e := errors.Join(p.Write(file), file.Close()); e != nil {
		return printable.Error(e)
	}
	return err
}

// tellProgram writes the events of a program.
func tellProgram(cfg trace.Config, asJSON bool, save string) error {
	file, err := saved.Create(save)
	if err != nil {
		return err
	}
	defer file.Close()
	r, ctx, done, err := openProgram(cfg, asJSON)
	if err != nil {
		return err
	}
	defer done()
	var keep *saved.Writer
	loaders := map[string]int{} // by process: events of the loader, which are told as one line
	for {
		st, err := r.Next(ctx)
		if errors.Is(err, trace.ErrEnded) {
			break
		}
		if err != nil && cfg.PID != 0 && ctx.Err() != nil {
			return nil // it is let go
		}
		if err != nil && ctx.Err() != nil {
			return interrupted(ctx)
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
		err = errors.Join(err, stdout.Flush(), stderr.Flush())
		if err != nil && cfg.PID == 0 && ctx.Err() != nil {
			return interrupted(ctx)
		}
		if err != nil {
			return err
		}
	}
	if no := r.Untold(); no != nil && !asJSON {
		fmt.Fprintf(stderr, "page faults were not told: %v\n", no)
	}
	return ended(r)
}

// runWords walks a program through a script.
func runWords(cfg trace.Config, name string, asJSON bool, save string) error {
	script, err := readyScript(name, func(file string, r io.Reader) (*actions.Script, error) {
		return actions.ReadScriptOf(run.Grammar, file, r)
	})
	if script == nil {
		return err
	}
	defer script.Close()
	file, err := saved.Create(save)
	if err != nil {
		return err
	}
	defer file.Close()
	until := terminal.Interruptible
	if cfg.PID != 0 {
		until = untilLetGo
	}
	ctx, stop := until()
	defer stop()
	l, err := run.OpenLab(ctx, cfg)
	if err != nil {
		return cannotRun(err)
	}
	defer l.Close()
	w, err := file.Begin(l.Info(), l.History()[0], true, version)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(stdout, 64<<10)
	at, failed := 0, 0
	tell := func(st *history.Step) {
		var e error
		switch {
		case asJSON:
			e = st.WriteJSON(out, at)
		case st.Check:
			e = st.WriteText(out, at)
		default:
			_, e = fmt.Fprintln(out, run.Text(st))
		}
		if st.N > 0 {
			e = errors.Join(e, w.Write(st, at))
		}
		if st.Check && !st.OK() {
			failed++
		}
		err = errors.Join(err, e, out.Flush())
	}
	l.Follow(0, tell)
	wrong := script.Each(func(n int, cmd *lang.Command) error {
		at = n
		if !asJSON && !actions.IsExpectation(cmd) {
			fmt.Fprintf(out, "> %s\n", cmd)
			err = errors.Join(err, out.Flush()) // it may take long
		}
		st, e := l.Do(ctx, cmd.Line)
		if e == nil && st != nil && !st.Check && !asJSON && st.Why != "" {
			fmt.Fprintf(out, "     %s\n", st.Why)
		}
		return errors.Join(e, err)
	})
	err = errors.Join(wrong, err, out.Flush())
	if no := l.Untold(); no != "" && !asJSON {
		fmt.Fprintln(stderr, no)
	}
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx)
	case errors.As(err, new(*actions.ScriptError)):
		return err
	case err != nil:
		return statusError{exitFailed, err}
	case failed > 0:
		return statusError{exitFailed, fmt.Errorf("%d expectations failed", failed)}
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
