package cli

import (
	"fmt"
	"os"

	"cowscope/actions"
	"cowscope/actions/family"
	"cowscope/actions/lang"
	"cowscope/tui"
	"cowscope/tui/cast"

	"github.com/spf13/pflag"
)

const saveHelp = "save each step to this `FILE` as it happens, for replay"

// screenFlags are the flags of all commands that draw a screen.
func screenFlags(f *pflag.FlagSet, o *tui.ScreenOptions) {
	f.BoolVar(&o.ASCII, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&o.NoColor, "no-color", false, "draw without colour; a non-empty NO_COLOR does the same")
	f.StringVar(&o.Theme, "theme", "", "the `NAME` of the theme, dark or light (default: by the terminal's background)")
}

const stillHelp = "draw the last screen into this `FILE`: .svg, .ansi or .txt"

// outputFlags are the flags of all commands that can be recorded.
func outputFlags(f *pflag.FlagSet, o *tui.Output) {
	f.StringVar(&o.Record, "record", "", "record the screen into this `FILE` for asciinema; the theme is dark unless --theme is given")
	f.IntVar(&o.Cast, "cast-version", cast.Versions[0], "version `N` of the recording's format: 2 or 3")
	f.BoolVar(&o.Input, "record-input", false, "record what is typed too")
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

// sessionFlags are the flags of all commands that start a subject.
// allowProgramHelp is the help of --allow-program.
const allowProgramHelp = "compile and run the program in C that a file brings along; it gets all your rights, so read it first"

func sessionFlags(f *pflag.FlagSet, o *actions.Options) {
	f.BoolVar(&o.ASLR, "aslr", false, "randomise the subject's addresses; without it they repeat from run to run")
	f.StringArrayVar(&o.AllowPaths, "allow-path", nil, "allow mapping this `PATH`, a file or everything in a folder; otherwise only scratch files and /dev/zero can be mapped")
	o.Limits = family.DefaultLimits
	f.IntVar(&o.Limits.Processes, "max-processes", o.Limits.Processes, "at most `N` processes at a time")
	f.Var((*memoryFlag)(&o.Limits.Memory), "max-memory", "how much memory all processes may take together: 512m, 4g")
}

// memoryFlag is an amount of memory, as a quantity of the command language.
type memoryFlag uint64

func (m *memoryFlag) String() string { return fmt.Sprintf("%dm", *m>>20) }
func (m *memoryFlag) Type() string   { return "Q" }
func (m *memoryFlag) Set(text string) error {
	n, err := lang.ParseQuantity(text, uint64(os.Getpagesize()))
	*m = memoryFlag(n)
	return err
}
