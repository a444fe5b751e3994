package cli

import (
	"strings"

	"cowscope/tui"

	"github.com/spf13/cobra"
)

func watchCommand() *cobra.Command {
	var o tui.LabOptions
	var asJSON bool
	c := &cobra.Command{
		Use:   "watch [PID|NAME]",
		Short: "the same screen on a living process and its children, unstopped",
		Long: "watch opens the screen on a process that lives, and on the processes that it has started: their mappings and the\n" +
			"states of their pages, read from /proc as they change. Nothing is stopped, traced or written to.\n" +
			"Page faults are told as they happen, each with the place in the code that took it, where the kernel allows it\n" +
			"(perf-faults in cowscope doctor): T lists those places, and the inspector says who touched a page first.\n" +
			"M marks the moment and shows what was written, copied, appeared and went since then. Only M again stops anything: the\n" +
			"first thread, once, for less than 1 ms, to lend a userfaultfd, by which every write is known. Until cowscope ends,\n" +
			"first writes to pages take a fault, mappings do not merge with new ones, and huge pages are split at a write.\n" +
			"It needs the right to read the process: one's own, or root. Without PID or NAME it lists the processes to choose from,\n" +
			"and so it does where several have that name.\n" +
			"The head of the screen says what watching costs: the share of a CPU that cowscope takes, all its threads together, and for how\n" +
			"long it held the mmap_lock of a process at most, when the threads of that process can neither map nor unmap.\n" +
			"With --json it draws nothing and needs no terminal: it writes a line for the first picture, and one for each that differs from\n" +
			"the one before, with the changes and the processes that have changed, until the process ends or watch is interrupted. Exit status: 0.",
		Example: "  cowscope watch\n" +
			"  cowscope watch redis-server\n" +
			"  cowscope watch $$\n" +
			"  cowscope watch --json redis-server",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Program, o.Out = version, stdout
			if asJSON {
				return tui.StreamWatch(strings.Join(args, ""), o)
			}
			return tui.RunWatch(strings.Join(args, ""), o)
		},
	}
	c.ValidArgsFunction = processes()
	screenFlags(c.Flags(), &o.ScreenOptions)
	outputFlags(c.Flags(), &o.Output)
	c.Flags().StringVar(&o.Save, "save", "", saveHelp)
	c.Flags().BoolVar(&asJSON, "json", false, "write each picture that differs as a line of JSON")
	for _, screen := range []string{"save", "record", "still", "theme"} {
		c.MarkFlagsMutuallyExclusive("json", screen)
	}
	return c
}
