package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"cowscope/actions/kernel"
)

// version is that of the program, as saved sessions have it, and released the date of the manual.
const version, released = "0.1.0", "2026-11-30"

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
