package cli

import (
	"errors"
	"io"
	"os"

	"cowscope/actions/feature"

	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	var json, report bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "what this kernel and this user allow, feature by feature",
		Long:  "doctor tries every feature that cowscope can use, and for each missing one prints why it is missing and what would help.\nIt changes nothing. Exit status: 0; 3 if no subject can be started.",
		Example: "  cowscope doctor\n" +
			"  cowscope doctor --json\n" +
			"  cowscope doctor --report > report.txt",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return doctor(json, report) },
	}
	c.Flags().BoolVar(&json, "json", false, "write JSON")
	c.Flags().BoolVar(&report, "report", false, "write what a bug report needs, without names, paths and addresses of yours")
	c.MarkFlagsMutuallyExclusive("json", "report")
	return c
}

func doctor(json, report bool) error {
	r := feature.Probe()
	write := r.WriteText
	switch {
	case json:
		write = r.WriteJSON
	case report:
		write = func(w io.Writer) error {
			release, _ := os.ReadFile("/etc/os-release") // not every system has one
			_, err := io.WriteString(w, versionText())
			return errors.Join(err, r.WriteShared(w, string(release)))
		}
	}
	if err := write(stdout); err != nil {
		return statusError{exitFailed, err}
	}
	if err := r.Startable(); err != nil {
		return statusError{exitStart, err}
	}
	return nil
}
