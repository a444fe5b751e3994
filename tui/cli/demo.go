package cli

import (
	"errors"
	"fmt"
	"os"

	"cowscope/tui"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	var o tui.DemoOptions
	var all bool
	var dir string
	c := &cobra.Command{
		Use:   "demo [NAME|FILE]",
		Short: "a script drives the real screen, at the pace of a person",
		Long: "demo plays a demo: a built-in one, by its name, or your own, by its file. Space pauses and continues, q leaves.\n" +
			"A recording or a picture needs no terminal: if there is none, or with --size or --steady, the demo is drawn invisibly and without\n" +
			"waiting; the recording keeps the pace of the script.\n" +
			"Exit status: 0; 1 if an expectation fails or the demo cannot reach its end; 2 if there is no such demo or it\n" +
			"has a mistake; 3 if no subject can be started.",
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
				return errors.New("demo needs a NAME or a FILE; cowscope demo list lists the names")
			}
			return runDemo(args[0], o)
		},
	}
	c.ValidArgsFunction = demoNames()
	f := c.Flags()
	sessionFlags(f, &o.Options)
	screenFlags(f, &o.ScreenOptions)
	outputFlags(f, &o.Output)
	f.StringVar(&o.Save, "save", "", saveHelp)
	o.Program = version
	f.Var((*sizeFlag)(&o.Size), "size", "size of the screen of a recording or a picture (default: the demo's own)")
	f.BoolVar(&o.Steady, "steady", false, "stand-ins for process ids and frame numbers, and the script's own time: every run writes the same files")
	f.BoolVar(&o.Fast, "fast", false, "without pauses")
	f.BoolVar(&o.AllowProgram, "allow-program", false, allowProgramHelp)
	f.BoolVar(&all, "all", false, "record all built-in demos")
	f.StringVar(&dir, "record-dir", "", "directory `DIR` for the recordings of --all")
	c.AddCommand(&cobra.Command{Use: "list", Short: "the built-in demos", Args: cobra.NoArgs,
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

// demoStatus gives the error of a failed demo its exit status.
func demoStatus(err error) error {
	var wrong tui.DemoError
	if errors.As(err, &wrong) {
		return statusError{exitFailed, err}
	}
	return err
}
