// Package feature finds out what this kernel and this user allow, feature by feature, and the
// reason for each missing one.
//
// A feature is a row of All: a name for scripts (`needs frames guard`), what it is for, the Linux
// version that brought it, and a probe. A probe tries the feature itself, with memory of cowscope
// that it frees again, or reads a setting. It changes no setting and leaves nothing behind, so that
// it may run at any time and any number of times.
package feature

import (
	"fmt"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cowscope/actions/lang"
)

// Feature is something that a kernel may have or allow.
type Feature struct {
	Name  string // short lower-case words joined by -
	What  string // one phrase
	Since string // the Linux that brought it, "" where that makes no sense
	probe func(*machine) (reason string)
}

// Result is the result of a probe.
type Result struct {
	Name      string `json:"name"`
	What      string `json:"-"`
	Available bool   `json:"available"`
	Reason    string `json:"reason"` // why it is missing and what would help; "" if it is available
	Since     string `json:"since"`
}

// Report is the results for this machine.
type Report struct {
	Kernel   string   `json:"kernel"` // the release, digits and dots only
	Arch     string   `json:"arch"`
	PageSize int      `json:"page_size"`
	User     string   `json:"user"`
	Features []Result `json:"features"`
}

// probing lets one probe run at a time: two of them could together reach a limit (of locked memory,
// of processes) that neither reaches alone.
var probing sync.Mutex

// Probe tries every feature again.
func Probe() Report {
	m := newMachine()
	r := Report{Kernel: m.kernel, Arch: runtime.GOARCH, PageSize: os.Getpagesize(), User: UserName(os.Geteuid())}
	for _, f := range All {
		reason := f.try(m)
		r.Features = append(r.Features, Result{f.Name, f.What, reason == "", reason, f.Since})
	}
	return r
}

// known holds the results of Available.
var known = struct {
	sync.Mutex
	machine func() *machine
	reasons map[string]string
}{machine: sync.OnceValue(newMachine), reasons: map[string]string{}}

// Available reports whether a feature is available, or the reason why not. It is tried once per run
// of the program. The error says that there is no such feature.
func Available(name string) (ok bool, reason string, err error) {
	i := slices.IndexFunc(All, func(f Feature) bool { return f.Name == name })
	switch {
	case elsewhere != "":
		return false, elsewhere, nil
	case i < 0:
		return false, "", unknown(name)
	}
	known.Lock()
	defer known.Unlock()
	reason, tried := known.reasons[name]
	if !tried {
		reason = All[i].try(known.machine())
		known.reasons[name] = reason
	}
	return reason == "", reason, nil
}

// Names lists the names of all features, in the order of All.
func Names() []string {
	var names []string
	for _, f := range All {
		names = append(names, f.Name)
	}
	return names
}

// try runs the probe. If the kernel is too old, that is the reason given.
func (f Feature) try(m *machine) string {
	probing.Lock()
	defer probing.Unlock()
	reason := f.probe(m)
	if reason != "" && older(m.kernel, f.Since) {
		reason += fmt.Sprintf("; it came with Linux %s, this is %s", f.Since, m.kernel)
	}
	return reason
}

// older compares versions number by number, as far as both go.
func older(kernel, since string) bool {
	a, b := numbers(kernel), numbers(since)
	n := min(len(a), len(b))
	return slices.Compare(a[:n], b[:n]) < 0
}

func numbers(version string) []int {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		out = append(out, n)
	}
	return out
}

// version is the part of a release before the first character that is neither a digit nor a dot.
func version(release string) string {
	if i := strings.IndexFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		return release[:i]
	}
	return release
}

// UserName is the name of a user, or the number if there is no name.
func UserName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid " + id
}

// unknown says that there is no such feature, and which one may be meant.
func unknown(name string) error {
	if near := lang.Nearest(name, Names()); near != "" {
		return fmt.Errorf("no feature %q; did you mean %s?", name, near)
	}
	return fmt.Errorf("no feature %q; there are %s", name, strings.Join(Names(), ", "))
}

// Known reports whether there is such a feature, without trying it. On a system without features
// every name is accepted.
func Known(name string) error {
	if elsewhere != "" || slices.ContainsFunc(All, func(f Feature) bool { return f.Name == name }) {
		return nil
	}
	return unknown(name)
}
