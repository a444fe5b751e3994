package feature

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var versionLike = regexp.MustCompile(`^\d+(\.\d+){1,2}$`)

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All {
		if !regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`).MatchString(f.Name) || seen[f.Name] {
			t.Errorf("the name %q is taken, or not lower-case words joined by -", f.Name)
		}
		seen[f.Name] = true
		if f.What == "" || strings.HasSuffix(f.What, ".") || f.probe == nil {
			t.Errorf("%s: %q is no phrase, or there is no probe", f.Name, f.What)
		}
		if lead := 3 + 2 + len("populate-advice") + 2; lead+len(f.What) > columns {
			t.Errorf("%s: %q does not fit a line", f.Name, f.What)
		}
		if f.Since != "" && !versionLike.MatchString(f.Since) {
			t.Errorf("%s: %q is no version", f.Name, f.Since)
		}
	}
	if All[0].Name != "ptrace" {
		t.Error("what everything else hangs on does not come first")
	}
	if !slices.Equal(Names(), slices.Compact(Names())) || len(Names()) != len(All) {
		t.Errorf("names: %q", Names())
	}
}

func TestVersions(t *testing.T) {
	for release, want := range map[string]string{
		"6.18.44-fc-v669": "6.18.44", "6.1.0-18-amd64": "6.1.0", "5.15.0+": "5.15.0", "6.18": "6.18", "6.6.0_rc1": "6.6.0", "": "", "x": "",
	} {
		if got := version(release); got != want {
			t.Errorf("version of %q is %q, want %q", release, got, want)
		}
	}
	for _, c := range []struct {
		kernel, since string
		want          bool
	}{
		{"6.18.44", "6.7", false}, {"6.7", "6.18", true}, {"6.9.3", "6.10", true}, {"6.10", "6.10", false}, {"6.10.0", "6.10", false},
		{"5.15", "6.1", true}, {"2.4.37", "2.6.25", true}, {"6.18", "2.6.25", false}, {"6.18", "", false}, {"", "6.7", false},
	} {
		if got := older(c.kernel, c.since); got != c.want {
			t.Errorf("%s is older than %s: %v", c.kernel, c.since, got)
		}
	}
}

// report is one that no machine gives: a missing subject, long words, and what a terminal would
// obey.
var report = Report{Kernel: "5.15.0", Arch: "arm64", PageSize: 16384, User: "mal\x1b[31mory", Features: []Result{
	{"ptrace", "a subject can be started, driven and confined", false, "cannot start the subject: no\x1b]0;title\a " + strings.Repeat("long", 40), ""},
	{"frames", "frame numbers", true, "", "4.2"},
	{"query", "a mapping", false, "PROCMAP_QUERY fails; it came with Linux 6.11 <&>", "6.11"},
}}

func text(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkText(t *testing.T, r Report) {
	t.Helper()
	out := text(t, r.WriteText)
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > 80 || strings.TrimRight(line, " ") != line || strings.ContainsAny(line, "\x1b\a\t") {
			t.Errorf("does not fit a terminal: %q", line)
		}
	}
	flat := strings.Join(strings.Fields(out), " ")
	for _, f := range r.Features {
		mark := map[bool]string{true: "yes", false: "no"}[f.Available]
		if want := mark + " " + f.Name + " " + f.What; !strings.Contains(flat, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}

func TestText(t *testing.T) {
	checkText(t, report)
	out := text(t, report.WriteText)
	for _, want := range []string{"Linux 5.15.0 on arm64, pages of 16384 bytes, user mal\\x1b[31mory\n", "it came with Linux 6.11",
		"1 of 3 are available; no subject can be started", "cannot start the subject: no\\x1b]0;title\\a\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if report.Startable() == nil || (Report{Features: report.Features[1:]}).Startable() != nil {
		t.Error("whether a subject can be started is told wrongly")
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 5, nil},
		{"one two", 7, []string{"one two"}},
		{"one two", 6, []string{"one", "two"}},
		{"elephants go", 5, []string{"eleph", "ants", "go"}},
		{"éé éé", 2, []string{"éé", "éé"}},
	} {
		if got := wrap(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// The JSON has these members and no others, in this order: scripts rely on it.
func TestJSON(t *testing.T) {
	got := text(t, Report{Kernel: "6.18.44", Arch: "amd64", PageSize: 4096, User: "root",
		Features: []Result{{"frames", "not told", true, "", "4.2"}}}.WriteJSON)
	want := `{"kernel":"6.18.44","arch":"amd64","page_size":4096,"user":"root","features":[{"name":"frames","available":true,"reason":"","since":"4.2"}]}` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	out := text(t, report.WriteJSON)
	var back Report
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&back); err != nil || back.User != report.User || back.Features[2].Reason != report.Features[2].Reason {
		t.Errorf("%v: %+v", err, back)
	}
}

func TestUserName(t *testing.T) {
	if got := UserName(0); runtime.GOOS == "linux" && got != "root" {
		t.Errorf("user 0 is %q", got)
	}
	if got := UserName(3999999999); got != "uid 3999999999" {
		t.Errorf("a user without a name is %q", got)
	}
	if r := Probe(); r.Arch != runtime.GOARCH || r.PageSize != os.Getpagesize() || r.User != UserName(os.Geteuid()) {
		t.Errorf("%+v", r)
	}
}

// A name is known without being tried.
func TestKnown(t *testing.T) {
	for _, n := range Names() {
		if err := Known(n); err != nil {
			t.Error(err)
		}
	}
	if err := Known("guards"); err == nil || !strings.Contains(err.Error(), "did you mean guard?") {
		t.Error(err)
	}
}
