// Cowscope is a terminal laboratory for virtual memory. This file is its command line, nothing else.
package main

import (
	"errors"
	"fmt"
	"os"

	"cowscope/tui"

	"github.com/spf13/cobra"
)

const version = "0.1.0"

// usageError is a mistake on the command line or a screen that cannot be used: exit status 2.
const (
	exitUsage = 2
	exitStart = 3
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "cowscope:", err)
		var e *tui.StartError
		if errors.As(err, &e) {
			os.Exit(exitStart)
		}
		os.Exit(exitUsage)
	}
}

func command() *cobra.Command {
	var o tui.LabOptions
	c := &cobra.Command{
		Use:           "cowscope",
		Short:         "a terminal laboratory for virtual memory",
		Long:          "cowscope opens a screen on a fresh subject process: keystrokes make it mmap, mprotect, read, write, execute, fork and\nmunmap; the screen shows, from /proc, the mappings, the protections and the copy-on-write state of every page.",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(*cobra.Command, []string) error { return tui.RunLab(o) },
	}
	f := c.Flags()
	f.BoolVar(&o.ASLR, "aslr", false, "randomise the subject's addresses; off, they repeat from run to run")
	f.BoolVar(&o.ASCII, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&o.NoColor, "no-color", false, "draw without colour, as a non-empty NO_COLOR does")
	f.StringVar(&o.Theme, "theme", "", "dark or light; left out, the terminal's background decides")
	c.CompletionOptions.DisableDefaultCmd = true
	return c
}
