package cli

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"cowscope/actions/kernel"

	"github.com/spf13/cobra"
)

// version is that of the program, as saved sessions have it, and released the date of the manual.
const version, released = "0.1.0", "2026-11-30"

// answerVersion gives a command the flag --version. That of cobra can say more than a number only by a
// template, and a program that may execute one keeps every exported method of every type: 3 MB.
func answerVersion(c *cobra.Command) {
	asked := c.Flags().BoolP("version", "v", false, "version for "+c.Name())
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if *asked {
			_, err := io.WriteString(stdout, versionText())
			return err
		}
		return run(c, args)
	}
}

// versionText says what was built, from what, and where it runs. A build outside a clone of the
// sources, or without git, knows no commit.
func versionText() string {
	var b strings.Builder
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	fmt.Fprintf(&b, "cowscope %s\n", version)
	if m := info.Main.Version; m != "" && m != "(devel)" {
		fmt.Fprintf(&b, "module %s\n", m)
	}
	if commit := setting["vcs.revision"]; commit != "" {
		changed := ""
		if setting["vcs.modified"] == "true" {
			changed = ", with changes"
		}
		fmt.Fprintf(&b, "commit %s of %s%s\n", commit, cmp.Or(setting["vcs.time"], "an unknown date"), changed)
	} else {
		b.WriteString("commit unknown\n")
	}
	fmt.Fprintf(&b, "%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&b, "%s\n", kernel.Release())
	return b.String()
}
