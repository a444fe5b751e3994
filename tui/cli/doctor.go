package cli

import (
	"cowscope/actions/feature"

	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	var json bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "what this kernel and this user allow, feature by feature",
		Long:  "doctor tries every feature that cowscope can use, and for each missing one prints why it is missing and what would help.\nIt changes nothing. Exit status: 0; 3 if no subject can be started.",
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
