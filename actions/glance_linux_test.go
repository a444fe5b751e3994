package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/feature/machinetest"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"

	"pgregory.net/rapid"
)

// What is read of a script's step is less than what is read in the lab, and nothing that is said of
// it may differ for that: the same lines run in a session of either kind, with addresses that are
// not randomised, and every step comes out the same.

func TestGlancesMissNothing(t *testing.T) {
	glances, commands := 0, 0
	defer func() { t.Logf("%d commands, %d glances", commands, glances) }()
	machinetest.Hold(t)
	rapid.Check(t, func(t *rapid.T) {
		both := openBoth(t)
		defer both[0].Close()
		defer both[1].Close()
		var script []string
		for range rapid.IntRange(20, 60).Draw(t, "commands") {
			line := drawPlainLine(t, both[0])
			script = append(script, line)
			var said [2]string
			for i, s := range both {
				said[i] = saidOf(t, s, line)
			}
			commands++
			if both[1].glanced {
				glances++
			}
			if strings.Contains(said[0]+said[1], "cowscope's limit") { // it is found out at a time of its own
				return
			}
			if cameApart(said) {
				return
			}
			if said[0] != said[1] {
				if again := runBoth(t, script); again[0] == again[1] { // somebody else's, who read the arguments of a process, say, which brings a page in
					return
				}
				a, b := apart(said[0], said[1])
				t.Fatalf("%s\n\n# read in full: …%s\n# glanced at:   …%s", strings.Join(script, "\n"), a, b)
			}
		}
	})
}

// Whether a huge page is shared in part, only counters say where frames are hidden; a glance has none.
func TestGlanceAtAHugePage(t *testing.T) {
	if always, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || !strings.Contains(string(always), "[always]") {
		t.Skip("needs transparent_hugepage/enabled to be always: memory that was advised is not plain")
	}
	machinetest.Hold(t)
	lines := []string{"fork", "a = mmap 4m rw private anon fixed addr=0x40000000", "@p2 b = mmap 4m rw private anon fixed addr=0x40000000", "fill a 1", "@p2 fill b 7", "@p2 fork", "@p2 write b+2p 1", "@p2 write b+4p 1", "@p3 write b+2p 1"}
	var said [2][]string
	for i, glance := range []bool{false, true} {
		s, err := Open(Options{Brief: glance, Glance: glance, Limits: family.Limits{Memory: 256 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, line := range lines {
			st, err := s.Do(context.Background(), line)
			if err != nil || !st.OK() {
				t.Fatalf("%s: %v %v", line, err, st)
			}
			text := ""
			for _, c := range st.Changes {
				text += fmt.Sprintf(" %s %s %x %d %s %s", c.Kind, c.Process, c.Range.Start, c.Pages, c.From, c.To)
			}
			said[i] = append(said[i], text)
		}
	}
	for i, line := range lines {
		if said[0][i] != said[1][i] {
			t.Errorf("%s:\nread in full:%s\nglanced at:  %s", line, said[0][i], said[1][i])
		}
	}
}

// A step on plain memory is glanced at. Which of the random ones are is for chance to say.
func TestGlance(t *testing.T) {
	machinetest.Hold(t)
	s, err := Open(Options{Brief: true, Glance: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		line    string
		glanced bool
	}{{"a = mmap 4p rw private anon", true}, {"write a 1", true}, {"b = mmap 1p rw shared anon", false}, {"write b 1", false}, {"fill a 1", true}, {"fork", false}} {
		if st, err := s.Do(context.Background(), c.line); err != nil || !st.OK() || s.glanced != c.glanced {
			t.Errorf("%s: %v, %v, glanced at: %v, want %v", c.line, st, err, s.glanced, c.glanced)
		}
	}
}

// openBoth opens a session of either kind.
func openBoth(t *rapid.T) (both [2]*Session) {
	for i, brief := range []bool{false, true} {
		s, err := Open(Options{Brief: brief, Glance: brief, Limits: family.Limits{Memory: 256 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		s.uncounted(t)
		both[i] = s
	}
	return both
}

// runBoth runs a script in new sessions, and gives what is said of its last line.
func runBoth(t *rapid.T, script []string) (said [2]string) {
	both := openBoth(t)
	defer both[0].Close()
	defer both[1].Close()
	for _, line := range script {
		for i, s := range both {
			said[i] = saidOf(t, s, line)
		}
	}
	return said
}

// cameApart says whether the kernel gave the writer of a page its old frame in one session and a
// new one in the other, as it may where somebody else had the page until just before: from then on
// the two are not alike.
func cameApart(said [2]string) bool {
	reuse, copied := `"happened":"reuse"`, `"happened":"copy"`
	return strings.Contains(said[0], reuse) && strings.Contains(said[1], copied) || strings.Contains(said[1], reuse) && strings.Contains(said[0], copied)
}

// joined puts neighbours together that changed alike: whether they are told as one depends on their
// frames.
func joined(changes []vmspace.Change, size uint64) []vmspace.Change {
	var out []vmspace.Change
	for _, c := range changes {
		c.FromFrame, c.ToFrame = min(c.FromFrame, 1), min(c.ToFrame, 1)
		if n := len(out); n > 0 {
			if o := &out[n-1]; o.Kind == c.Kind && o.Process == c.Process && o.From == c.From && o.To == c.To && o.Range.End == c.Range.Start && o.Pages > 0 &&
				o.FromFrame == c.FromFrame && o.ToFrame == c.ToFrame && o.Range.Len() == o.Pages*size {
				o.Range.End, o.Pages = c.Range.End, o.Pages+c.Pages
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// drawPlainLine draws a command on plain memory, or now and then any.
func drawPlainLine(t *rapid.T, s *Session) string {
	if rapid.IntRange(0, 3).Draw(t, "any") == 0 {
		return drawLine(t, s)
	}
	st := s.last()
	d := drawer{t, st, drawProcess(t, st)}
	at := "@" + d.label + " "
	switch pick(t, "plain", "mmap", "mmap", "write", "write", "read", "touch", "fill", "mprotect", "munmap", "dontneed", "fork", "keys") {
	case "mmap":
		return at + "mmap " + pick(t, "size", "1p", "3p", "8p", "20p", "4m") + " " + d.prot() + " private anon" + pick(t, "place", "", "", "", " fixed addr="+d.place())
	case "write":
		return at + "write " + d.place() + ` "some bytes"`
	case "read":
		return at + "read " + d.place() + " 20"
	case "touch":
		return at + "touch " + d.span() + pick(t, "access", "", " write")
	case "fill":
		return at + "fill " + d.span() + " 7"
	case "mprotect":
		return at + "mprotect " + d.span() + " " + d.prot()
	case "dontneed":
		return at + "madvise " + d.span() + " dontneed"
	case "keys": // now and then: who has dealt with keys is not glanced at any more
		if rapid.IntRange(0, 9).Draw(t, "now") == 0 {
			return at + pick(t, "keys", "pkey_alloc", "pkey_mprotect "+d.span()+" rw 1", "pkey_set 1", "pkey_set 0 write")
		}
		return at + "mprotect " + d.span() + " x"
	case "fork":
		if len(st.After.Processes) < maxFamily {
			return at + "fork"
		}
	}
	return at + "munmap " + d.span()
}

// apart gives the parts of two texts around the place where they come apart.
func apart(a, b string) (string, string) {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	part := func(s string) string { return s[max(0, i-100):min(len(s), i+200)] }
	return part(a), part(b)
}

// uncounted has the session do without counts of frames: those of the vdso are about every process
// of the machine.
func (s *Session) uncounted(t *rapid.T) {
	r, err := observe.NewReader(observe.Options{NoKPage: true})
	if err != nil {
		t.Fatal(err)
	}
	s.f.Reader.Close()
	s.f.Reader = r
	if _, err := s.Do(context.Background(), "snapshot"); err != nil {
		t.Fatal(err)
	}
}

// saidOf runs a line and gives all that is said of it, but for the numbers that no two processes
// share.
func saidOf(t *rapid.T, s *Session, line string) string {
	st, err := s.Do(context.Background(), line)
	var mistake *lang.SyntaxError
	if errors.As(err, &mistake) {
		return err.Error() + "\n"
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if st == nil {
		return "\n"
	}
	if p := st.After.Process(st.Process); p != nil {
		if m, _ := p.MappingAt(st.Focus.Start); m.Kind() == vmspace.KindStack {
			st.Bytes = nil // the kernel leaves random ones there for the program's use (AT_RANDOM, getauxval(3))
		}
	}
	if len(st.Bytes) > 1000 {
		st.Bytes = nil // the program's text names its file, which is of one descriptor or another
	}
	st.PID = 0
	for _, m := range s.f.Members {
		if st.Value == uint64(m.PID) {
			st.Value = 0
		}
		pid := regexp.MustCompile(fmt.Sprintf(`\b%d\b`, m.PID))
		st.Call, st.Why = pid.ReplaceAllString(st.Call, m.Label), pid.ReplaceAllString(st.Why, m.Label)
	}
	// A new page can get the frame that the one in its place had, and what the kernel lends is lent
	// to others too, who come and go.
	st.Changes = slices.DeleteFunc(st.Changes, func(c vmspace.Change) bool {
		p := st.After.Process(c.Process)
		if p == nil || c.Kind != vmspace.ChangeCount {
			return c.Kind == vmspace.ChangeFrame
		}
		m, _ := p.MappingAt(c.Range.Start)
		return m.Kind() == vmspace.KindSpecial
	})
	b, err := json.Marshal([]any{st.JSON(0), fmt.Sprint(joined(st.Changes, st.After.PageSize))})
	if err != nil {
		t.Fatal(err)
	}
	return ownNumbers.ReplaceAllString(string(b), "…")
}

// ownNumbers are frames, which are shorter than addresses, and inodes.
var ownNumbers = regexp.MustCompile(`\b0x[0-9a-f]{3,8}\b|#[0-9]+|"inode":[0-9]+`)

// The page with the subject's own instructions comes back with the next command, whatever it is
// about, and without a fault of the command's.
func TestInstructionsComeBack(t *testing.T) {
	for _, glance := range []bool{false, true} {
		s, err := Open(Options{Brief: glance, Glance: glance})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		l := &lab{t, s}
		l.all("fork", "@p2 madvise text 1p dontneed")
		st := l.want("ok", "@p2 a = mmap 2p rw private anon")
		if !strings.Contains(st.Why, "no memory yet") {
			t.Errorf("glance %v: %s", glance, st.Why)
		}
		text, _ := subject.Text()
		if st.After.Process("p2").PageAt(text, st.After.PageSize).State != vmspace.File {
			t.Errorf("glance %v: the page of the instructions is not seen", glance)
		}
	}
}

// At address 0, too, a glance sees what was mapped there before.
func TestGlanceAtZero(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: others may not map below vm.mmap_min_addr")
	}
	require(t, "droppable")
	s, err := Open(Options{Brief: true, Glance: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	l.all("a = mmap 1p rw droppable anon fixed addr=0x0")
	if st := l.want("ok", "mmap 1p rw private anon fixed addr=0x0"); len(st.Changes) != 1 || st.Changes[0].Kind != vmspace.ChangeFlags {
		t.Errorf("changes: %v", st.Changes)
	}
}
