package cli

import (
	"strings"

	"cowscope/tui"

	"github.com/spf13/cobra"
)

func watchCommand() *cobra.Command {
	var o tui.LabOptions
	c := &cobra.Command{
		Use:   "watch [PID|NAME]",
		Short: "the same screen on a living process and its children, unstopped",
		Long: "watch opens the screen on a process that lives, and on the processes that it has started: their mappings and the\n" +
			"states of their pages, read from /proc as they change. Nothing is stopped, traced or written to.\n" +
			"Page faults are told as they happen, each with the place in the code that took it, where the kernel allows it\n" +
			"(perf-faults in cowscope doctor): T lists those places, and the inspector says who touched a page first.\n" +
			"It needs the right to read the process: one's own, or root. Without PID or NAME it lists the processes to choose from,\n" +
			"and so it does where several have that name.",
		Example: "  cowscope watch\n" +
			"  cowscope watch redis-server\n" +
			"  cowscope watch $$",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Program, o.Out = version, stdout
			return tui.RunWatch(strings.Join(args, ""), o)
		},
	}
	screenFlags(c.Flags(), &o.ScreenOptions)
	outputFlags(c.Flags(), &o.Output)
	c.Flags().StringVar(&o.Save, "save", "", saveHelp)
	return c
}
