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

// screenFlags are the flags of everything that draws a screen.
func screenFlags(f *pflag.FlagSet, o *tui.ScreenOptions) {
	f.BoolVar(&o.ASCII, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&o.NoColor, "no-color", false, "draw without colour, as a non-empty NO_COLOR does")
	f.StringVar(&o.Theme, "theme", "", "the `NAME` of the colours, dark or light; left out, the terminal's background decides")
}

const stillHelp = "draw the last screen into this `FILE`: .svg, .ansi or .txt"

// outputFlags are the flags of everything that can be recorded.
func outputFlags(f *pflag.FlagSet, o *tui.Output) {
	f.StringVar(&o.Record, "record", "", "record the screen into this `FILE` as it happens, for asciinema; the theme is dark unless --theme says otherwise")
	f.IntVar(&o.Cast, "cast-version", cast.Versions[0], "version `N` of the recording's format: 2 or 3")
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
	f.StringArrayVar(&o.AllowPaths, "allow-path", nil, "this `PATH`, a file or a folder with all in it, may be mapped; without it only scratch files and /dev/zero")
	o.Limits = family.DefaultLimits
	f.IntVar(&o.Limits.Processes, "max-processes", o.Limits.Processes, "at most `N` processes live at a time")
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
