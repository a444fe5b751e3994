package tui_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"cowscope/actions"
	"cowscope/actions/feature"
	"cowscope/actions/lang"
	"cowscope/actions/lesson"
	"cowscope/actions/saved"
	"cowscope/assets"
	"cowscope/tui"
	"cowscope/tui/cast"
	"cowscope/tui/runtest"
	"cowscope/vmspace/printable"

	"golang.org/x/sys/unix"
)

// Files of strangers: scripts, demos, lessons, saved sessions. Whatever stands in whichever of
// their fields, what the program writes is printable, in lines of its own; on a terminal, beside
// sequences of its own. The fields are found in the tables of the language and in the files
// themselves, so that a new one is tried too.

const (
	// hostile is what a terminal obeys, reorders, hides, or shows as the beginning of a line.
	hostile = "A\nFORGED\r\tB\x1b]0;PWN\x07\x1b[66666t\x9b66666t\u009b66666t\x7f\u202e\u2066\u2028\u200b\ue000\U000e0041\xff"
	// subtle is what a lesson may hold of it.
	subtle = "\u200b\ue000\u00ad\U000e0041\u0378"
)

// harmless says where a text holds what a terminal would obey, or a line that a stranger wrote; ""
// where it is well.
func harmless(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			return fmt.Sprintf("a line of a stranger's: %q", line)
		}
		for i, r := range line {
			if r != '\t' && (!unicode.IsPrint(r) || r == utf8.RuneError && !strings.HasPrefix(line[i:], "\ufffd")) {
				return fmt.Sprintf("%U in %q", r, line[max(0, i-40):min(len(line), i+10)])
			}
		}
	}
	return ""
}

// sequences are what the screen is drawn with: CSI, OSC, DCS and its like, and the short ones
// (ECMA-48, 5.3 to 5.6).
var sequences = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][ -~]*(?:\x07|\x1b\\)|[PX^_][ -~]*\x1b\\|[ -/]*[0-OQ-WYZ\\` + "`" + `-~])`)

// obeyed says what of all that a screen's terminal was given is not the program's own; "" where all
// is. Only what differs is drawn, and a line feed moves the cursor there: letters from the middle of a
// text may follow one, so where a line begins says nothing.
func obeyed(raw string) string {
	for _, s := range sequences.FindAllString(raw, -1) {
		if strings.Contains(s, "PWN") || strings.Contains(s, "66666") {
			return fmt.Sprintf("the terminal obeys %q", s)
		}
	}
	return harmless(strings.NewReplacer("\r", "", "\b", "", "FORGED", "").Replace(sequences.ReplaceAllString(raw, "")))
}

// harmless says what on the screen is not to be shown; at the end of the program, also what the terminal was given.
func (c *console) harmless() string {
	why := harmless(strings.ReplaceAll(c.text(), "FORGED", "")) // a line may be folded there
	select {
	case <-c.over:
		why += obeyed(c.raw.String())
	default: // half a sequence may have come
	}
	return why
}

// inTurn runs do for each, eight at a time: a program on a terminal mostly waits for its next frame.
func inTurn[T any](all []T, do func(T)) {
	var g sync.WaitGroup
	next := make(chan T)
	for range 8 {
		g.Go(func() {
			for x := range next {
				do(x)
			}
		})
	}
	for _, x := range all {
		next <- x
	}
	close(next)
	g.Wait()
}

// ran runs the built program and gives what it wrote and its exit status.
func ran(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.Command(program(t), args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() < 0 {
		t.Error(err)
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}

// fitting is something that fits a parameter: a hostile name or text wherever one may stand.
func fitting(p lang.Param) string {
	kind := p.Kind
	if kind == lang.KindOption {
		kind = p.Of
	}
	switch kind {
	case lang.KindFile, lang.KindText:
		return strconv.Quote(hostile)
	case lang.KindChoice:
		return p.Words[0].Name
	}
	if p.Optional {
		return ""
	}
	if p.Default != "" {
		return p.Default
	}
	return map[lang.Kind]string{lang.KindPlace: "a", lang.KindRange: "a", lang.KindPerms: "rw-p", lang.KindNumber: "1", lang.KindResult: "ok",
		lang.KindProcess: "p1", lang.KindPercent: "1%", lang.KindNodes: "0", lang.KindProt: "r", lang.KindValue: "1", lang.KindQuantity: "1p"}[kind]
}

// Every parameter of every verb, spelled raw, raw in quotes, and as the language wants it: then it runs, and the name or text is in the
// call, in the explanation, the evidence and the hints.
func TestStrangersScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	var scripts []string
	for _, a := range actions.AllVerbs {
		for i, p := range append(a.Params, lang.Param{Name: "the name"}) {
			for _, spelled := range []string{hostile, `"` + hostile + `"`, strconv.Quote(hostile), "\u202e", `"` + subtle + `"`} {
				fields := map[string]string{}
				for _, q := range a.Params {
					fields[q.Name] = fitting(q)
				}
				bind := ""
				if fields[p.Name] = spelled; i == len(a.Params) {
					bind = spelled
				}
				scripts = append(scripts, "a = mmap 4p rw private anon\n"+lang.Compose(&a.Verb, fields, bind)+"\n")
			}
		}
	}
	for _, s := range []string{
		"file NAME 4p\nmmap 2p r shared file=NAME\nread a\nsnapshot\nmmap 2p rw private file=NAME\nwrite b 1\nwrite b+9p 1\nexpect perms a rwxp\nexpect page a none",
		"file NAME TEXT\ncat NAME\ncat NAME 1 2\nfwrite NAME 1 TEXT\nexpect file NAME 0 TEXT\nexpect file NAME 0 \"x\"\nexpect file OTHER 0 \"x\"",
		"file NAME 1p\nmmap 2p rw shared file=NAME\nwrite a TEXT\nfwrite NAME 0 TEXT\nread a 40\nexpect bytes a TEXT\nwrite a+1p 1\ntruncate NAME 0\nread a\nrm NAME\nsnapshot",
		"file NAME 1p\nmmap 1p w shared file=NAME wronly\nmmap 1p rw shared file=NAME rdonly\nmmap 1p rw hugetlb private file=NAME\nmmap 1p r shared file=NAME offset=1",
		"file NAME 1p\nfile OTHER 1p\ncat \"nothing\"", "rm NAME", "file /NAME 1p", "file \"..\" 1p", "mmap 1p r private file=/NAME", "mmap 1p r private file=\".\"",
		"mmap 1p rw private anon\nwrite a TEXT\nexpect result EINVAL\nfork\n@p2 write a TEXT\nexpect exited p2 1", "use NAME", "@NAME fork", "NAME = fork", "# NAME",
		"file NAME 8m\nmmap 8m rw shared file=NAME populate\nexpect mapped a\nexpect vmas a 3\nexpect unmapped a",
	} {
		for _, name := range []string{hostile, subtle, "\xff", "a\u202eb"} {
			scripts = append(scripts, strings.NewReplacer(`/NAME`, strconv.Quote("/"+name), "NAME", strconv.Quote(name), "TEXT", strconv.Quote(name), "OTHER", strconv.Quote(name+"2")).Replace(s)+"\n")
		}
	}
	var began atomic.Int32
	runtest.Each(t, server(t), scripts, func(script string, run func(runtest.Line) runtest.Result) {
		r := run(runtest.Line{Args: []string{"exec"}, Stdin: script})
		if why := harmless(r.Out) + harmless(r.Err); why != "" {
			t.Errorf("%q: %s", script, why)
		}
		if r.Out == "" { // a mistake, before anything ran
			return
		}
		began.Add(1)
		r = run(runtest.Line{Args: []string{"exec", "--json"}, Stdin: script})
		if why := harmless(r.Out) + harmless(r.Err); why != "" {
			t.Errorf("%q: %s", script, why)
		}
		for line := range strings.Lines(r.Out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q: %q is not JSON", script, line)
			}
		}
	})
	if n := began.Load(); n < 60 {
		t.Errorf("only %d of %d scripts ran", n, len(scripts))
	}
}

// spoilt are the texts that are made of one by putting something at the beginning, behind the first word and at the end of a line, for one
// line of each kind. A kind is the first word of a line, and the fenced block that it stands in.
func spoilt(text string, seen map[string]bool, by ...string) (out []string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	fence := ""
	for i, line := range lines {
		word := strings.TrimRight(strings.SplitN(strings.TrimSpace(line)+" ", " ", 2)[0], ":")
		if rest, ok := strings.CutPrefix(line, "```"); ok {
			fence = map[bool]string{true: rest, false: ""}[fence == ""]
		}
		if fence == "" && i > 8 && word != "" && !strings.HasPrefix(word, "#") && !strings.HasPrefix(word, "```") && !slices.Contains(tui.DemoWords(), word) {
			word = "prose"
		}
		if kind := fence + " " + word; seen[kind] {
			continue
		} else {
			seen[kind] = true
		}
		at := len(line) - len(strings.TrimLeft(line, " ")) + len(word)
		for _, b := range by {
			for _, l := range []string{b + line, line[:min(at, len(line))] + b + line[min(at, len(line)):], line + b} {
				changed := slices.Clone(lines)
				changed[i] = l
				out = append(out, strings.Join(changed, "\n")+"\n")
			}
		}
	}
	return out
}

// fileOf writes a file of its own into a folder of its own.
func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every kind of line of a lesson.
func TestStrangersLessons(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	seen := map[string]bool{}
	_, example, _ := strings.Cut(lesson.Format, "~~~~markdown\n")
	example, _, _ = strings.Cut(example, "~~~~")
	texts := spoilt(example, seen, hostile, subtle)
	texts = append(texts, spoilt(lesson.Template("one"), seen, hostile, subtle)...)
	names, err := assets.Lessons.ReadDir("lessons/en")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := assets.Lessons.ReadFile("lessons/en/" + n.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, spoilt(string(b), seen, hostile)...)
	}
	// What the format's own tables name has to be among them.
	kinds := strings.Join(slices.Collect(maps.Keys(seen)), "\n")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)|^- \\*\\*([a-z]+)").FindAllStringSubmatch(lesson.Format, -1) {
		if !strings.Contains(kinds, " "+m[1]+m[2]) && !strings.Contains(kinds, " ```"+m[1]+m[2]) {
			t.Errorf("no line of the kind %s%s was tried", m[1], m[2])
		}
	}
	runtest.Each(t, server(t), texts, func(text string, run func(runtest.Line) runtest.Result) {
		path := fileOf(t, "l.md", text)
		r := run(runtest.Line{Args: []string{"lesson", "check", path}})
		if why := harmless(r.Out) + harmless(r.Err); why != "" || r.Out+r.Err == "" {
			t.Errorf("%q: %s", text, why)
		}
	})
}

// A lesson that holds what it may hold, everywhere, on the screen, in a recording and in a picture.
func TestStrangersLessonOnTheScreen(t *testing.T) {
	text := strings.NewReplacer("TITLE", "Title"+subtle, "summary: One", "summary: One"+subtle, "Say what", "Say"+subtle+" &#x1b;]0;PWN&#7; [x](http://a\u202fb"+subtle+") what",
		"## Look", "## Look"+subtle, "We write", "We"+subtle+" write", "why: Only", "why: Only"+subtle, "A page comes", "A page"+subtle+" comes", "private anon\n", "private anon # "+"comment"+subtle+"\n").Replace(lesson.Template("TITLE"))
	text = strings.Replace(text, "title: TITLE", "title: Title"+subtle, 1)
	path := fileOf(t, "l"+strings.ReplaceAll(hostile, "\x00", "")+".md", text)
	dir := t.TempDir()
	tape, still := filepath.Join(dir, "x.cast"), filepath.Join(dir, "x.svg")
	c := start(t, 120, 36, []string{"XDG_STATE_HOME=" + t.TempDir(), "SHELL=" + hostile}, "lesson", "--record", tape, "--still", still, "--record-input", path)
	c.sees("Title", "Say").keys("\r").sees("Look").keys("\r").keys(":" + hostile).sees("FORGED").keys("\x03").ends()
	if why := c.harmless(); why != "" {
		t.Error(why)
	}
	harmlessFile(t, tape)
	harmlessFile(t, still)
}

// harmlessFile checks a recording or a picture, which people may show on a terminal as it is.
func harmlessFile(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		t.Error(path, err)
	}
	text := string(b)
	switch filepath.Ext(path) {
	case ".ansi":
		text = regexp.MustCompile(`\x1b\[[\d;:]*m`).ReplaceAllString(text, "")
	case ".svg":
		for d := xml.NewDecoder(bytes.NewReader(b)); err == nil; {
			_, err = d.Token()
		}
		if err != io.EOF {
			t.Errorf("%s: %v", path, err)
		}
	case ".cast":
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q is not JSON", line)
			}
		}
		h, events, err := cast.Read(bytes.NewReader(b))
		played := ""
		for _, e := range events {
			if e.Kind == cast.Output {
				played += e.Data
			}
			if why := harmless(e.Data); e.Kind == cast.Marker && why != "" {
				t.Errorf("a marker: %s", why)
			}
		}
		if why := harmless(h.Title+h.Term+h.Shell) + obeyed(played); why != "" || err != nil {
			t.Errorf("a player: %s, %v", why, err)
		}
	}
	if why := harmless(text); why != "" {
		t.Errorf("%s: %s", filepath.Base(path), why)
	}
}

// Every kind of line of a demo, drawn unseen, with all files that it can leave behind.
func TestStrangersDemos(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	const demo = "# A title\nneeds ptrace\nsize 100x30\nsay \"A caption.\"\npause 0.1\nkey m\nkey Enter\nwrite a \"hello\"\nfile data \"text\"\nmmap 1p r shared file=data\nexpect page a 1p anon\n"
	seen := map[string]bool{}
	texts := spoilt(demo, seen, hostile, subtle, "\u202e")
	texts = append(texts, spoilt("# A title\nneeds ptrace\nprogram pages.c\nsay \"A caption.\"\nkey c\nuntil main\n", seen, hostile, subtle)...)
	texts = append(texts, strings.NewReplacer("title", "title"+hostile[9:], "caption", "caption"+strings.Trim(strconv.Quote(hostile), `"`), "hello", strings.Trim(strconv.Quote(hostile), `"`),
		`data`, strconv.Quote(hostile)).Replace(demo))
	for _, w := range tui.DemoWords() {
		if !seen[" "+w] {
			t.Errorf("no line of the kind %s was tried", w)
		}
	}
	var drawn atomic.Int32
	inTurn(texts, func(text string) {
		path := fileOf(t, "d"+hostile+".cow", text)
		dir := filepath.Dir(path)
		for _, still := range []string{"x.svg", "x.ansi", "x.txt"} {
			out, complaint, status := ran(t, "", "demo", path, "--steady", "--still", filepath.Join(dir, still), "--record", filepath.Join(dir, "x.cast"))
			if why := harmless(out) + harmless(complaint); why != "" {
				t.Errorf("%q: %s", text, why)
			}
			if status >= 2 { // not a demo
				return
			}
			harmlessFile(t, filepath.Join(dir, still))
			harmlessFile(t, filepath.Join(dir, "x.cast"))
			drawn.Add(1)
		}
	})
	if n := drawn.Load(); n < 10 {
		t.Errorf("only %d were drawn", n)
	}
	c := start(t, 120, 36, nil, "demo", "--fast", fileOf(t, "d"+hostile+".cow", texts[len(texts)-1]))
	c.sees("The lab is yours now").keys("q").ends()
	if why := c.harmless(); why != "" {
		t.Error(why)
	}
}

// leaf is a place in a JSON value.
type leaf struct {
	kind string // the place, without the indexes
	put  func(any)
}

// leaves are the places below v, itself first.
func leaves(kind string, v any, put func(any)) []leaf {
	out := []leaf{{kind, put}}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, leaves(kind+"."+k, v[k], func(x any) { v[k] = x })...)
		}
	case []any:
		for i := range v {
			out = append(out, leaves(kind+"[]", v[i], func(x any) { v[i] = x })...)
		}
	}
	return out
}

// spoiltSession is a saved session with one field changed.
type spoiltSession struct{ kind, text string }

// spoiltSessions changes one field of each kind, in each of several ways.
func spoiltSessions(t *testing.T, session string, seen map[string]bool) (out []spoiltSession) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(session, "\n"), "\n")
	parse := func(line string) (v any) {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	const mark = "THE PLACE"
	inJSON, _ := json.Marshal(hostile)
	for i, line := range lines {
		v := parse(line)
		name := map[bool]string{true: "head", false: "step"}[i == 0]
		for n, l := range leaves(name, v, func(any) {}) {
			if seen[l.kind] {
				continue
			}
			seen[l.kind] = true
			w := parse(line) // of which one place is changed
			leaves(name, w, func(x any) { w = x })[n].put(mark)
			b, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			// As JSON has it; as raw bytes, with what is no UTF-8; lone surrogates.
			for _, by := range []string{string(inJSON), `"\u001b]0;PWN` + strings.NewReplacer("\n", "", "\r", "", "\t", "", "\x07", "", "\x1b", "").Replace(hostile) + `"`, `"p1\ud800\udc00\ud800\nFORGED\u009b66666t"`} {
				changed := slices.Clone(lines)
				changed[i] = strings.Replace(string(b), `"`+mark+`"`, by, 1)
				out = append(out, spoiltSession{l.kind, strings.Join(changed, "\n") + "\n"})
			}
		}
	}
	return out
}

// sessions are saved sessions that have every field of the format between them.
func sessions(t *testing.T) (out []spoiltSession) {
	t.Helper()
	b, err := os.ReadFile(storyFile)
	if err != nil {
		t.Fatal(err)
	}
	// Page faults are told of what is watched or run alone, and a place only of what is run.
	const faults = `,"tid":7,"wrote":"a line\\n","at":{"function":"main","file":"/a.c","line":1,"text":"x = 1;","source":["x = 1;"],"from":1,"callers":["_start"]},"page_faults":[{"process":"p1","thread":7,"address":"0x400000","pages":1,"count":2,"major":1,"kernel":true,"happened":"map",` +
		`"at":{"function":"main","file":"/a.c","line":1,"object":"/a","offset":"0x1","address":"0x401000"}}],"lost":1}`
	lines := strings.SplitAfterN(string(b), "}\n", 3)
	lines[1] = strings.TrimSuffix(lines[1], "}\n") + faults + "\n"
	seen := map[string]bool{}
	out = spoiltSessions(t, strings.Join(lines, ""), seen)
	path := filepath.Join(t.TempDir(), "s.jsonl")
	script := "file \"\\xff\" 1p\nmmap 1p rw shared file=\"\\xff\"\nfile data 1p\nmmap 1p rw private file=data\nwrite b 1\nread b 4\nexpect page b none\npkey_alloc\npkey_mprotect b rw 1\nmemfd m 1p sealing\nseal m grow\nmemfd h 2m hugetlb\nsetrlimit as 64g\nsetrlimit memlock 4p\nuffd_register b missing\nrestart\nkill SIGSTOP\nread 0x0\nmmap 0 rw anon\nthread\nsnapshot\n"
	if _, complaint, status := ran(t, script, "exec", "--save", path); status != 1 {
		t.Fatal(status, complaint)
	}
	if b, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	out = append(out, spoiltSessions(t, string(b), seen)...)
	absent := []string{"path_hex", "changes", "error", "changed", "never_forked", "reprotected", "only_stack", "removed", "check"}
	absent = append(absent, "as_limit", "memlock_limit", "unknown") // where this machine sets no limits, and hides none
	if os.Getuid() == 0 {
		absent = append(absent, "memlock") // holds root back from nothing
	}
	for name, fields := range map[string][]string{"pkeys": {"pkru", "protection_key"}, "uffd": {"userfaultfd"}} {
		if ok, _, err := feature.Available(name); err != nil || !ok {
			absent = append(absent, fields...)
		}
	}
	kinds := strings.Join(slices.Collect(maps.Keys(seen)), "\n") + "\n"
	// A mapping of a file whose path is no UTF-8 is nowhere to be had without one: the scratch folder's files have no names there.
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(saved.Format, -1) {
		if f := m[1]; !strings.Contains(kinds, "."+f+"\n") && !slices.Contains(absent, f) {
			t.Errorf("no field %s was tried", f)
		}
	}
	return out
}

// Every field of a saved session: in the list, as JSON, on the screen from its first step to its last, and when it runs again.
func TestStrangersSessions(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	all := sessions(t)
	if len(all) < 150 {
		t.Fatalf("only %d sessions", len(all))
	}
	runtest.Each(t, server(t), all, func(s spoiltSession, run func(runtest.Line) runtest.Result) {
		path := fileOf(t, "s"+hostile+".jsonl", s.text)
		for _, flag := range []string{"--list", "--json"} {
			r := run(runtest.Line{Args: []string{"replay", flag, path}})
			if why := harmless(r.Out) + harmless(r.Err); why != "" || r.Out+r.Err == "" {
				t.Errorf("%s: %s: %s", s.kind, flag, why)
			}
			for line := range strings.Lines(r.Out) {
				if flag == "--json" && !json.Valid([]byte(line)) {
					t.Errorf("%s: %q is not JSON", s.kind, line)
				}
			}
		}
	})
	shown := map[string]bool{}
	all = slices.DeleteFunc(all, func(s spoiltSession) bool { // of each kind, those that can be shown, or one that cannot
		rec, err := saved.Read(strings.NewReader(s.text))
		key := fmt.Sprint(s.kind, err == nil)
		gone := rec == nil || shown[key]
		shown[key] = true
		return gone
	})
	inTurn(all, func(s spoiltSession) {
		path := fileOf(t, "s.jsonl", s.text)
		steps := len(unfailing(saved.Read(strings.NewReader(s.text))).Steps) - 1
		c := start(t, 120, 36, nil, "replay", path)
		c.sees(fmt.Sprintf("step 0/%d", steps))
		for i := range steps {
			c.keys("]").sees(fmt.Sprintf("step %d/%d", i+1, steps))
			if why := c.harmless(); why != "" {
				t.Errorf("%s: %s", s.kind, why)
				break
			}
		}
		c.keys("ii?").keys("\x03").ends()
		if why := c.harmless(); why != "" {
			t.Errorf("%s: %s", s.kind, why)
		}
		c = start(t, 120, 36, nil, "lab", "--from", path)
		if c.appears("ran again") {
			c.keys("q")
		}
		c.ends()
		if why := c.harmless(); why != "" {
			t.Errorf("lab --from: %s: %s", s.kind, why)
		}
	})
}

// A file that any process has mapped, whatever its name is: the list says it in one line, and JSON keeps what it is.
func TestStrangersMappings(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.ToValidUTF8(hostile, "")) // JSON has Unicode only
	if err := os.WriteFile(path, make([]byte, os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	self := strconv.Itoa(os.Getpid())
	out, complaint, _ := ran(t, "", "snapshot", self)
	if why := harmless(out) + harmless(complaint); why != "" || !strings.Contains(out, printable.Name(path)) {
		t.Errorf("%s\n%s%s", why, complaint, out)
	}
	out, complaint, _ = ran(t, "", "snapshot", "--json", self)
	var s struct {
		Processes []struct{ Mappings []struct{ Path string } }
	}
	if why := harmless(out) + harmless(complaint); why != "" {
		t.Error(why)
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || len(s.Processes) != 1 ||
		!slices.ContainsFunc(s.Processes[0].Mappings, func(m struct{ Path string }) bool { return m.Path == path }) {
		t.Errorf("%q is not among the paths: %v", path, err)
	}
}

// What is typed into the lab, pasted into it, and called by a stranger's name there.
func TestStrangersInTheLab(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	dir := t.TempDir()
	still := filepath.Join(dir, "x.svg")
	c := start(t, 160, 40, []string{"TMPDIR=" + dir + "/" + hostile, "SHELL=" + hostile}, "--still", still, "--record", filepath.Join(dir, "x.cast"))
	name := strconv.Quote(hostile)
	c.sees("step 0/0").keys(":file " + name + " 4p\r").sees("step 1/1").keys(":mmap 2p r shared file=" + name + "\r").sees("step 2/2")
	c.keys(":expect file " + name + " 0 \"x\"\r").sees("step 3/3").keys(":cat \"\\u202enone\"\r").sees("there is no file").keys("\x15")
	c.keys("\x1b[200~" + strings.NewReplacer("\x1b", "", "\n", "").Replace(hostile) + "\x1b[201~").keys("\x03").ends()
	if why := c.harmless(); why != "" {
		t.Error(why)
	}
	harmlessFile(t, still)
	harmlessFile(t, filepath.Join(dir, "x.cast"))
}

// unfailing is a recording, damaged or not.
func unfailing(rec *saved.Recording, _ error) *saved.Recording { return rec }

// appears waits until the screen holds what is wanted, or the program ends before.
func (c *console) appears(want string) bool {
	c.t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(c.text(), want) {
		select {
		case <-c.news:
		case <-c.over:
			return false
		case <-deadline:
			c.t.Fatalf("the screen never held %q:\n%s", want, c.text())
		}
	}
	return true
}
