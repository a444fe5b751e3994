package run

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cowscope/actions/history"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// program is one of testdata/programs. The comment at its head says what it is about, and may have
// lines of its own:
//
//	flags: FLAGS       of the compiler, beside -g and the level of optimisation
//	chance: WHAT       is different each time, so nothing is counted
type program struct {
	source string // its path
	lines  []string
	flags  []string
	chance bool
}

func readProgram(t *testing.T, source string) program {
	t.Helper()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	p := program{source: source, lines: strings.Split(string(text), "\n")}
	for _, l := range p.lines {
		l, comment := strings.CutPrefix(l, "// ")
		if !comment {
			break
		}
		if flags, ok := strings.CutPrefix(l, "flags: "); ok {
			p.flags = strings.Fields(flags)
		}
		p.chance = p.chance || strings.HasPrefix(l, "chance: ")
	}
	return p
}

// claims are the comments at the ends of lines, by number of the line. What they list with "; " is
// all told of the line; of what is separated by ", or " one is enough, and none is nothing at all.
func (p program) claims() map[int][]string {
	all := map[int][]string{}
	for i, l := range p.lines {
		if code, what, ok := strings.Cut(l, " // "); ok && strings.TrimSpace(code) != "" {
			all[i+1] = strings.Split(what, "; ")
		}
	}
	return all
}

// TestPrograms has small programs run, each of which shows something else about memory. They do what
// they do alone; their comments say which of their lines does what, and that is told of these lines
// and of no other; and strace(1) and perf(1) count what is told.
func TestPrograms(t *testing.T) {
	sources, err := filepath.Glob("testdata/programs/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatal("no programs: ", err)
	}
	for _, s := range sources {
		t.Run(strings.TrimSuffix(filepath.Base(s), ".c"), func(t *testing.T) {
			source, err := filepath.Abs(s)
			if err != nil {
				t.Fatal(err)
			}
			p := readProgram(t, source)
			for _, level := range []string{"-O0", "-O2"} {
				if testing.Short() && level != "-O2" {
					continue
				}
				t.Run(level, func(t *testing.T) { p.holds(t, compile(t, source, append([]string{"-g", level}, p.flags...)...)) })
			}
		})
	}
}

func (p program) holds(t *testing.T, binary string) {
	setarch := tool(t, "setarch")
	want := ranAlone(t, setarch, "-R", binary)
	steps, got := p.run(t, os.Environ(), setarch, binary)
	if got != want {
		t.Errorf("alone it is %+v, and when it is run %+v", want, got)
	}
	p.holdsLines(t, steps)
	if !p.chance {
		t.Run("strace", func(t *testing.T) { heldByStrace(t, steps, setarch, "-R", binary) })
		t.Run("perf", func(t *testing.T) { p.heldByPerf(t, setarch, binary) })
	}
}

// outcome is what a program has written, and the exit status that a shell has for it.
type outcome struct {
	out    string
	status int
}

// run runs the program at addresses that are the same each time: its page faults are, too. The steps
// begin with it, and not with setarch(8).
func (p program) run(t *testing.T, env []string, setarch, binary string) ([]*history.Step, outcome) {
	t.Helper()
	out := scratchFile(t)
	steps, r := allTo(t, env, out, setarch, "-R", binary)
	if r.Untold() != nil {
		t.Skip("needs perf-faults: ", r.Untold())
	}
	execs := 0
	i := slices.IndexFunc(steps, func(st *history.Step) bool {
		if st.Event == "exec" {
			execs++
		}
		return execs == 2
	})
	if i < 0 {
		t.Fatal("setarch has not executed it")
	}
	return steps[i:], outcome{contents(t, out), r.Status()}
}

// holdsLines holds the comments of the program against what is told.
func (p program) holdsLines(t *testing.T, steps []*history.Step) {
	claims, told := p.claims(), map[int][]string{}
	var own []vmspace.Range // what the program has mapped itself
	for _, st := range steps {
		if st.At == nil || st.At.File != p.source {
			continue
		}
		what, mine := st.Verb, true
		switch st.Event {
		case "fault":
			what = string(st.Happened)
			// Others are of its code, its variables, its stack or its heap.
			mine = slices.ContainsFunc(own, func(r vmspace.Range) bool { return r.Contains(st.Fault) })
		case "signal":
			what = st.Result.String()
		case "call":
			mine = st.Verb != "brk" // malloc(3) of whatever library makes it
			if st.Result != history.OK {
				what += " " + st.Result.String()
			}
			if p := st.After.Process(st.Process); p != nil && (st.Verb == "mmap" || st.Verb == "mremap" || st.Verb == "shmat") {
				if m, ok := p.MappingAt(st.Value); ok {
					own = append(own, vmspace.Range{Start: st.Value, End: m.End})
				}
			}
		}
		told[st.At.Line] = append(told[st.At.Line], what)
		claimed := slices.ContainsFunc(claims[st.At.Line], func(c string) bool { return slices.Contains(strings.Split(c, ", or "), what) })
		if mine && !claimed && (steps[0].After.Frames || st.Event != "fault") {
			t.Errorf("line %d: %s: its comment says nothing of %q", st.At.Line, strings.TrimSpace(p.lines[st.At.Line-1]), what)
		}
	}
	for line, all := range claims {
		for _, claim := range all {
			either := strings.Split(claim, ", or ")
			if slices.Contains(either, string(vmspace.Reuse)) && !steps[0].After.Frames {
				continue // without frame numbers nothing tells a page that was copied from one that was not
			}
			if !slices.ContainsFunc(either, func(w string) bool { return slices.Contains(told[line], w) || w == "none" && told[line] == nil }) {
				t.Errorf("line %d: %s: told is %q", line, strings.TrimSpace(p.lines[line-1]), told[line])
			}
		}
	}
}

// heldByStrace holds the calls of the first process against those that strace(1) sees.
func heldByStrace(t *testing.T, steps []*history.Step, args ...string) {
	strace := tool(t, "strace")
	var names []string
	for _, name := range verb.ForeignNames() {
		names = append(names, "?"+name) // one that this strace or processor does not know is none
	}
	log := scratchFile(t)
	ranAlone(t, append([]string{strace, "-f", "-qq", "-e", "signal=none", "-e", "trace=" + strings.Join(names, ","), "-o", log.Name()}, args...)...)
	line := regexp.MustCompile(`^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\().*?(<unfinished \.\.\.>|= (?:\?|-?\w+)(?: (E\w+))?)`)
	var want []string
	first, execs := "", 0
	for l := range strings.Lines(contents(t, log)) {
		m := line.FindStringSubmatch(l)
		if m == nil || m[4] == "<unfinished ...>" {
			continue
		}
		if first == "" {
			first = m[1]
		}
		name := m[2] + m[3]
		if name == "execve" {
			execs++
			continue
		}
		if m[1] == first && execs >= 2 && !strings.HasPrefix(name, "exit") {
			want = append(want, strings.TrimSpace(name+" "+m[5]))
		}
	}
	var got []string
	for _, st := range steps {
		if st.Process != "p1" || st.Verb == "" || st.Event == "exec" {
			continue
		}
		name := st.Verb
		if st.Result != history.OK {
			name += " " + st.Result.String()
		}
		got = append(got, name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("told is\n%q\nand strace sees\n%q", got, want)
	}
}

// heldByPerf holds the page faults against those that perf(1) counts. A run has now and then one
// fault more, with or without cowscope: pages of the C library that another process has locked for the
// moment are not mapped with their neighbours. Then both are counted again. The environment is that
// which perf makes: it lies on the stack, and its length decides how many pages of that are used.
func (p program) heldByPerf(t *testing.T, setarch, binary string) {
	perf := tool(t, "perf")
	env := strings.Split(strings.TrimSuffix(ranAlone(t, perf, "stat", "-o", os.DevNull, "-e", "minor-faults:u", "env", "-0").out, "\x00"), "\x00")
	var told, counts []uint64
	for range 6 {
		steps, _ := p.run(t, env, setarch, binary)
		n := uint64(0)
		for _, st := range steps {
			n += st.Minor + st.Major
		}
		told, counts = append(told, n), append(counts, perfCounts(t, setarch, perf, binary))
		if slices.Contains(counts, n) {
			return
		}
	}
	t.Errorf("told are %d page faults, and perf counts %d", told, counts)
}

// perfCounts is how many page faults perf counts of a program.
func perfCounts(t *testing.T, setarch, perf, binary string) (counted uint64) {
	t.Helper()
	log := scratchFile(t)
	ranAlone(t, setarch, "-R", perf, "stat", "-x", ",", "-o", log.Name(), "-e", "minor-faults:u,major-faults:u", binary)
	n := 0
	for l := range strings.Lines(contents(t, log)) {
		if field, rest, ok := strings.Cut(l, ","); ok && strings.Contains(rest, "-faults") {
			c, err := strconv.ParseUint(field, 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", l, err)
			}
			counted += c
			n++
		}
	}
	if n != 2 {
		t.Fatalf("perf says %q", contents(t, log))
	}
	return counted
}

// tool is the path of a program that others wrote.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s: %v", name, err)
	}
	return path
}

// ranAlone runs a program.
func ranAlone(t *testing.T, args ...string) outcome {
	t.Helper()
	out := scratchFile(t)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout = out
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		return outcome{contents(t, out), 128 + int(ws.Signal())}
	}
	return outcome{contents(t, out), cmd.ProcessState.ExitCode()}
}

func scratchFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func contents(t *testing.T, f *os.File) string {
	t.Helper()
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
