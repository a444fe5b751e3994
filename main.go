// Cowscope is a terminal laboratory for virtual memory. This file is its command line, nothing else: the flags and the help of every
// command, and its exit status. It is long because the top level of the repository has room for one file.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cowscope/actions"
	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/lesson"
	"cowscope/actions/saved"
	"cowscope/tui"
	"cowscope/tui/cast"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const version = "0.1.0"

// The exit statuses, beside 0.
const (
	exitFailed = 1 // an expectation of a script failed, or a process could not be read
	exitUsage  = 2 // a mistake on the command line or in a script, or a screen that cannot be used
	exitStart  = 3 // the subject cannot be started
)

// All that is written goes through these two, but for the screen, which draws cells of its own.
var (
	stdout = printable.NewWriter(os.Stdout)
	stderr = printable.NewWriter(os.Stderr)
)

func main() {
	if status := run(os.Args[1:]); status != 0 {
		os.Exit(status)
	}
}

// run runs a command line, and gives its exit status.
func run(args []string) int {
	c := command()
	c.SetArgs(args)
	var err error
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		// Completion is off, and cobra's hidden command for it writes to standard error past our writer.
		err = fmt.Errorf("unknown command %q for %q", args[0], c.Name())
	} else {
		err = c.Execute()
	}
	if err != nil {
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

// flagError is a mistake on the command line, in one line whatever was given there.
type flagError struct{ error }

func (e flagError) Error() string { return printable.Line(e.error.Error()) }
func (e flagError) Unwrap() error { return e.error }

// status is the exit status that an error calls for.
func status(err error) int {
	var start *actions.StartError
	var own statusError
	var ended tui.SignalError
	switch {
	case errors.As(err, &start):
		return exitStart
	case errors.As(err, &own):
		return own.status
	case errors.As(err, &ended):
		return ended.Status()
	}
	return exitUsage
}

func command() *cobra.Command {
	c := labCommand("cowscope")
	c.Version = version
	c.SilenceErrors = true
	c.SetOut(stdout)
	c.SetErr(stderr)
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError{err} })
	c.CompletionOptions.DisableDefaultCmd = true
	c.AddCommand(labCommand("lab"), lessonCommand(), demoCommand(), execCommand(), snapshotCommand(), doctorCommand(), replayCommand())
	for _, t := range tui.Topics {
		c.AddCommand(topicCommand(t))
	}
	return c
}

// topicCommand is a chapter of the manual: cowscope help keys.
func topicCommand(t tui.Topic) *cobra.Command {
	c := &cobra.Command{Use: t.Name, Short: t.About}
	c.SetHelpFunc(func(*cobra.Command, []string) {
		if err := t.Write(stdout); err != nil {
			fmt.Fprintln(stderr, "cowscope:", err)
		}
	})
	return c
}

// labCommand is the lab, by itself and as a subcommand.
func labCommand(use string) *cobra.Command {
	var o tui.LabOptions
	c := &cobra.Command{
		Use:          use,
		Short:        "a terminal laboratory for virtual memory",
		Long:         "cowscope opens a screen on a fresh subject process: keystrokes make it mmap, mprotect, read, write, execute, fork and\nmunmap; the screen shows, from /proc, the mappings, the protections and the copy-on-write state of every page.",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(*cobra.Command, []string) error { return tui.RunLab(o) },
	}
	f := c.Flags()
	sessionFlags(f, &o.Options)
	screenFlags(f, &o.ScreenOptions)
	outputFlags(f, &o.Output)
	f.StringVar(&o.Save, "save", "", saveHelp)
	f.StringVar(&o.From, "from", "", "first run the commands of this saved session again, and say where the kernel answers differently")
	f.IntVar(&o.Until, "until", -1, "with --from: up to this step; left out, all of them")
	o.Program, o.Out = version, stdout
	return c
}

const saveHelp = "save each step to this file as it happens, for replay"

// screenFlags are the flags of everything that draws a screen.
func screenFlags(f *pflag.FlagSet, o *tui.ScreenOptions) {
	f.BoolVar(&o.ASCII, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&o.NoColor, "no-color", false, "draw without colour, as a non-empty NO_COLOR does")
	f.StringVar(&o.Theme, "theme", "", "dark or light; left out, the terminal's background decides")
}

const stillHelp = "draw the last screen into this file: .svg, .ansi or .txt"

// outputFlags are the flags of everything that can be recorded.
func outputFlags(f *pflag.FlagSet, o *tui.Output) {
	f.StringVar(&o.Record, "record", "", "record the screen into this file as it happens, for asciinema; the theme is dark unless --theme says otherwise")
	f.IntVar(&o.Cast, "cast-version", cast.Versions[0], "version of the recording's format: 2 or 3")
	f.BoolVar(&o.Input, "record-input", false, "record what is typed, too")
	f.StringVar(&o.Still, "still", "", stillHelp)
}

// sizeFlag is the size of a screen.
type sizeFlag tui.Size

func (s *sizeFlag) Type() string { return "WxH" }
func (s *sizeFlag) String() string {
	if *s == (sizeFlag{}) {
		return ""
	}
	return fmt.Sprintf("%dx%d", s.W, s.H)
}
func (s *sizeFlag) Set(text string) error {
	size, err := tui.ParseSize(text)
	*s = sizeFlag(size)
	return err
}

// sessionFlags are the flags of everything that starts a subject.
func sessionFlags(f *pflag.FlagSet, o *actions.Options) {
	f.BoolVar(&o.ASLR, "aslr", false, "randomise the subject's addresses; off, they repeat from run to run")
	f.StringArrayVar(&o.AllowPaths, "allow-path", nil, "a file, or a folder with all in it, that may be mapped; without it only scratch files and /dev/zero")
	o.Limits = actions.DefaultLimits
	f.IntVar(&o.Limits.Processes, "max-processes", o.Limits.Processes, "how many processes may live at a time")
	f.Var((*memoryFlag)(&o.Limits.Memory), "max-memory", "how much memory they may take together: 512m, 4g")
}

// memoryFlag is an amount of memory in the language's units.
type memoryFlag uint64

func (m *memoryFlag) String() string { return fmt.Sprintf("%dm", *m>>20) }
func (m *memoryFlag) Type() string   { return "Q" }
func (m *memoryFlag) Set(text string) error {
	n, err := lang.ParseQuantity(text, uint64(os.Getpagesize()))
	*m = memoryFlag(n)
	return err
}

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

// openScript reads a script, which stays open until cowscope ends: a long one is read again as it runs.
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

// progress shows on the terminal how far a long script is, where the transcript does not show it: it gives a function that is told the
// line of each step, and 0 at the end.
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

func doctorCommand() *cobra.Command {
	var json bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "what this kernel and this user allow, feature by feature",
		Long:  "doctor tries every feature that cowscope can use, and tells of each that is missing why it is and what would help.\nIt changes nothing. Exit status: 0; 3 when no subject can be started.",
		Example: "  cowscope doctor\n" +
			"  cowscope doctor --json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return doctor(json) },
	}
	c.Flags().BoolVar(&json, "json", false, "write JSON")
	return c
}

func doctor(json bool) error {
	r := feature.Probe()
	write := r.WriteText
	if json {
		write = r.WriteJSON
	}
	if err := write(stdout); err != nil {
		return statusError{exitFailed, err}
	}
	if err := r.Startable(); err != nil {
		return statusError{exitStart, err}
	}
	return nil
}

func lessonCommand() *cobra.Command {
	var o tui.LabOptions
	var language string
	c := &cobra.Command{
		Use:   "lesson [NAME|FILE.md]",
		Short: "a walkthrough on the live kernel: text beside the lab",
		Long: "lesson opens a lesson: one that cowscope brings along, by its name, or a file of one's own. Without a name it goes on where you\n" +
			"left off. Exit status: 0; 2 when there is no such lesson or its file is broken; 3 when no subject can be started.",
		Example: "  cowscope lesson list\n" +
			"  cowscope lesson check one-page\n" +
			"  cowscope lesson new my-lesson && cowscope lesson check my-lesson.md",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, progress, err := openLesson(language, args)
			if err != nil {
				return err
			}
			return tui.RunLesson(l, progress, o)
		},
	}
	sessionFlags(c.Flags(), &o.Options)
	screenFlags(c.Flags(), &o.ScreenOptions)
	outputFlags(c.Flags(), &o.Output)
	c.Flags().StringVar(&o.Save, "save", "", saveHelp)
	o.Program = version
	c.PersistentFlags().StringVar(&language, "language", lesson.Language(os.Getenv), "en or zh-CN")
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "the lessons in the order in which they build on each other", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				return lesson.WriteList(stdout, language, progressOrNone(), term.IsTerminal(os.Stdout.Fd()))
			}},
		&cobra.Command{Use: "check [NAME|FILE.md…]", Short: "run lessons headless on this kernel and prove every step",
			RunE: func(_ *cobra.Command, args []string) error { return checkLessons(language, args) }},
		&cobra.Command{Use: "new NAME", Short: "write NAME.md, a lesson to begin with", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return newLesson(args[0]) }},
		&cobra.Command{Use: "format", Short: "how a lesson is written, for authors", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := io.WriteString(stdout, lesson.Format)
				return err
			}})
	return c
}

// progressOrNone is where progress is kept, nil where there is no place for it.
func progressOrNone() *lesson.Progress {
	file, err := lesson.ProgressFile()
	if err != nil {
		return nil
	}
	return lesson.ProgressAt(file)
}

// openLesson finds the lesson that the arguments name; without one, the first that is not done.
func openLesson(language string, args []string) (*lesson.Lesson, *lesson.Progress, error) {
	progress := progressOrNone()
	if len(args) == 0 {
		name, err := lesson.NextOf(language, progress)
		if err != nil {
			return nil, nil, err
		}
		args = []string{name}
	}
	l, err := lesson.Find(language, args[0])
	if err != nil {
		return nil, nil, err
	}
	if why, err := l.Missing(); err != nil || why != "" {
		return nil, nil, errors.Join(err, fmt.Errorf("%s cannot run here: %s", printable.Name(args[0]), why))
	}
	return l, progress, nil
}

func checkLessons(language string, names []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	problems, err := lesson.CheckAll(ctx, stdout, language, names)
	if err == nil && problems > 0 {
		err = statusError{exitFailed, fmt.Errorf("%d of what the lessons say does not hold here", problems)}
	}
	return err
}

func newLesson(name string) error {
	file, err := lesson.Create(name)
	if err == nil {
		file = printable.Name(file)
		fmt.Fprintf(stdout, "%s is a lesson that holds: cowscope lesson %s shows it, cowscope lesson check %s proves it\n", file, file, file)
	}
	return err
}

func demoCommand() *cobra.Command {
	var o tui.DemoOptions
	var all bool
	var dir string
	c := &cobra.Command{
		Use:   "demo [NAME|FILE]",
		Short: "a script drives the real screen, at the pace of a person",
		Long: "demo plays a demo: one that cowscope brings along, by its name, or a file of one's own. Space stops it and lets it go on, q leaves.\n" +
			"A recording or a picture needs no terminal: where there is none, or with --size or --steady, the demo is drawn unseen and without\n" +
			"waiting; the recording has the script's pace.\n" +
			"Exit status: 0; 1 when an expectation of the demo does not hold or it could not come to its end; 2 when there is no such demo or it\n" +
			"is broken; 3 when no subject can be started.",
		Example: "  cowscope demo list\n" +
			"  cowscope demo cow --record cow.cast --size 120x36\n" +
			"  cowscope demo cow --steady --still cow.svg\n" +
			"  cowscope demo --all --steady --record-dir casts",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case all && (len(args) > 0 || dir == "" || o.Record != "" || o.Still != ""):
				return errors.New("--all goes with --record-dir DIR, and with no NAME, no --record and no --still")
			case !all && dir != "":
				return errors.New("--record-dir goes with --all; --record FILE is for one demo")
			case all:
				return demoStatus(tui.RecordDemos(dir, o, func(line string) { fmt.Fprintln(stdout, line) }))
			case len(args) == 0:
				return errors.New("demo needs a NAME or a FILE: cowscope demo list tells what there is")
			}
			return runDemo(args[0], o)
		},
	}
	f := c.Flags()
	sessionFlags(f, &o.Options)
	screenFlags(f, &o.ScreenOptions)
	outputFlags(f, &o.Output)
	f.StringVar(&o.Save, "save", "", saveHelp)
	o.Program = version
	f.Var((*sizeFlag)(&o.Size), "size", "size of the screen of a recording or a picture; left out, the demo's own")
	f.BoolVar(&o.Steady, "steady", false, "stand-ins for process ids and frame numbers, and the script's time: the same files in every run")
	f.BoolVar(&o.Fast, "fast", false, "without pauses")
	f.BoolVar(&all, "all", false, "record all demos that cowscope brings along")
	f.StringVar(&dir, "record-dir", "", "directory for the recordings of --all")
	c.AddCommand(&cobra.Command{Use: "list", Short: "the demos that cowscope brings along", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return tui.WriteDemos(stdout, term.IsTerminal(os.Stdout.Fd()))
		}})
	return c
}

func runDemo(name string, o tui.DemoOptions) error {
	d, err := tui.FindDemo(name)
	if err != nil {
		return err
	}
	if why, err := d.Missing(); err != nil || why != "" {
		fmt.Fprintln(stderr, "cowscope:", why)
		return err
	}
	return demoStatus(tui.RunDemo(d, o))
}

// demoStatus gives the error of a demo that went another way its exit status.
func demoStatus(err error) error {
	var wrong tui.DemoError
	if errors.As(err, &wrong) {
		return statusError{exitFailed, err}
	}
	return err
}

func replayCommand() *cobra.Command {
	var o tui.ScreenOptions
	var list, json, format bool
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "walk through a saved session, on any system",
		Long: "replay opens the screen on a session that was saved with --save: [ and ] step through it, both ways.\n" +
			"It needs no Linux, no ptrace and no root. A file that is damaged is shown up to the damage.\n" +
			"Exit status: 0; 1 when a file is damaged and --list or --json told what is before that; 2 when it cannot be read at all.",
		Example: "  cowscope exec --save walk.jsonl story.cow\n" +
			"  cowscope replay --list walk.jsonl\n" +
			"  cowscope replay --json walk.jsonl",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format {
				_, err := io.WriteString(stdout, saved.Format)
				return err
			}
			if len(args) == 0 {
				return errors.New("replay needs the FILE of a saved session")
			}
			return replay(args[0], o, list, json)
		},
	}
	screenFlags(c.Flags(), &o)
	c.Flags().BoolVar(&list, "list", false, "write one line for each step, and draw no screen")
	c.Flags().BoolVar(&json, "json", false, "write one JSON object for each step, as exec --json does")
	c.Flags().BoolVar(&format, "format", false, "describe the format of the file")
	return c
}

func replay(name string, o tui.ScreenOptions, list, json bool) error {
	rec, damage := saved.Open(name)
	if rec == nil {
		return damage
	}
	var err error
	switch {
	case json:
		err = rec.WriteJSON(stdout)
	case list:
		err = rec.WriteList(stdout)
	case damage != nil:
		return tui.RunReplay(rec, o, damage.Error())
	default:
		return tui.RunReplay(rec, o, "")
	}
	if err := errors.Join(err, damage); err != nil {
		return statusError{exitFailed, err}
	}
	return nil
}
