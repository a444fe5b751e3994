package cli

import (
	"cowscope/tui"

	"github.com/spf13/cobra"
)

// labCommand is the lab, as the root command and as a subcommand.
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
	f.StringVar(&o.From, "from", "", "first run the commands of the session saved in `FILE` again, and report where the kernel answers differently")
	f.IntVar(&o.Until, "until", -1, "with --from: only up to step `N`")
	o.Program, o.Out = version, stdout
	return c
}
