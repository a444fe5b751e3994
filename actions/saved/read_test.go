package saved

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/printable"
)

// story is a session that was recorded on Linux 6.18, as root.
func story(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/story.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadStory(t *testing.T) {
	rec, err := Read(bytes.NewReader(story(t)))
	if err != nil {
		t.Fatal(err)
	}
	if rec.Kernel != "Linux 6.18" || rec.Arch != "amd64" || !rec.Frames || len(rec.Steps) != 21 || rec.Lines[3] != 3 {
		t.Errorf("%+v, %d steps", rec.Header, len(rec.Steps))
	}
	st := rec.Steps[4]
	if st.Command != `@p2 write a "HELLO"` || st.Happened != vmspace.Copy || len(st.Changes) == 0 || st.Before != rec.Steps[3].After {
		t.Errorf("%+v", st)
	}
	if b := spoil(t, story(t), 2, `"state":"stopped"`, `"state":"stopped","changed":[{"start":"0x1000","end":"0x2000"}]`); !reflect.DeepEqual(
		stepsOf(must(Read(bytes.NewReader(b))))[2].After.Process("p1").Changed, []vmspace.Range{{Start: 0x1000, End: 0x2000}}) {
		t.Error("where a process changed is lost")
	}
	// What predicts rests on facts and files, which come back too.
	f := rec.Steps[10].Focus
	if p := rec.Steps[11].Predict("p1", f.Start+4096, vmspace.Load); len(p.Can) != 1 || p.Can[0] != vmspace.BusErr {
		t.Errorf("%+v", p)
	}
}

var anyPlace = regexp.MustCompile(`"(start|end|stack_limit|fault_address)":"0x([0-9a-f]+)"|"(rss|pss|offset|page_size)":([0-9]+)`)

// resized is a recording with pages of another size: all that lies in the user's half of the
// addresses is as many pages as it was.
func resized(b []byte, size uint64) []byte {
	by := size / 4096
	return anyPlace.ReplaceAllFunc(b, func(field []byte) []byte {
		m := anyPlace.FindSubmatch(field)
		if len(m[3]) > 0 {
			n, _ := strconv.ParseUint(string(m[4]), 10, 64)
			return fmt.Appendf(nil, `"%s":%d`, m[3], n*by)
		}
		n, _ := strconv.ParseUint(string(m[2]), 16, 64)
		if n < 1<<47 {
			n *= by
		} else { // the vsyscall page
			n = n&^0x1000 + n&0x1000*by
		}
		return fmt.Appendf(nil, `"%s":"0x%x"`, m[1], n)
	})
}

// A recording has the page size of its machine, whatever this one has.
func TestReadOtherPageSizes(t *testing.T) {
	was := stepsOf(must(Read(bytes.NewReader(story(t)))))
	for _, size := range []uint64{16 << 10, 64 << 10} {
		rec, err := Read(bytes.NewReader(resized(story(t), size)))
		if err != nil {
			t.Fatal(size, err)
		}
		for i, st := range rec.Steps {
			if st.After.PageSize != size || len(st.Changes) != len(was[i].Changes) {
				t.Errorf("step %d: pages of %d, changes %+v, want %+v", i, st.After.PageSize, st.Changes, was[i].Changes)
			}
			for j, c := range st.Changes {
				if w := was[i].Changes[j]; c.Pages != w.Pages || c.From != w.From || c.To != w.To || c.Range.Len()*4096 != w.Range.Len()*size {
					t.Errorf("step %d: %+v, want %+v", i, c, w)
				}
			}
		}
		if f := rec.Steps[1].Focus; f.Pages(size) != 4 || rec.Steps[3].After.Process("p1").Resident(f) != 1 {
			t.Errorf("mapped %v", f)
		}
		f := rec.Steps[10].Focus
		for at, want := range map[uint64]vmspace.Happening{size - 1: vmspace.NoFault, size: vmspace.BusErr} {
			if p := rec.Steps[11].Predict("p1", f.Start+at, vmspace.Load); len(p.Can) != 1 || p.Can[0] != want {
				t.Errorf("byte %d: %+v", at, p)
			}
		}
	}
}

// A file that was cut short, anywhere, gives the steps before the cut.
func TestReadCut(t *testing.T) {
	b := story(t)
	for cut := 0; cut < len(b); cut += 97 {
		whole := bytes.Count(b[:cut], []byte("\n")) - 1 // without the header
		atEnd := whole >= 0 && b[cut-1] == '\n' || b[cut] == '\n'
		if atEnd && b[cut] == '\n' {
			whole++ // all but the newline
		}
		rec, err := Read(bytes.NewReader(b[:cut]))
		steps := 0
		if rec != nil {
			steps = len(rec.Steps)
		}
		if steps != max(whole, 0) || (err == nil) != (atEnd && whole > 0) {
			t.Errorf("cut after %d bytes: %d steps of %d: %v", cut, steps, whole, err)
		}
	}
}

// spoil puts text in the place of what matches, once, in the line of a step.
func spoil(t *testing.T, b []byte, step int, match, text string) []byte {
	t.Helper()
	lines := strings.SplitAfter(string(b), "\n")
	re := regexp.MustCompile(match)
	at := re.FindStringIndex(lines[step+1])
	if at == nil {
		t.Fatalf("step %d has no %s", step, match)
	}
	lines[step+1] = lines[step+1][:at[0]] + text + lines[step+1][at[1]:]
	return []byte(strings.Join(lines, ""))
}

// Whatever is wrong is said with its line, and what came before it is kept.
func TestReadHostile(t *testing.T) {
	for _, c := range []struct {
		step            int
		match, by, want string
	}{
		{-1, `"session"`, `"movie"`, "not a saved session"},
		{-1, `^`, `{`, "not a saved session"},
		{-1, `"version":1`, `"version":2`, "reads version 1"},
		{-1, `"version":1`, `"version":0`, "count from 1"},
		{-1, `"version":1`, `"version":"1"`, "not a saved session"},
		{-1, `4096`, `0`, "page_size is 0"},
		{-1, `4096`, `12288`, "page_size is 12288"},
		{-1, `4096`, `"4096"`, "page_size: string"},
		{-1, `4096`, `16384`, "does not begin and end with a page"},
		{2, `{`, `x`, "not JSON"},
		{2, `^.*\n`, "\n", "not JSON"},
		{2, `^.*\n`, "[]\n", "where"},
		{2, `^.*\n`, "{}\n", "not the label of a process"},
		{2, `^.*\n`, strings.Repeat("[", 1<<20) + "\n", "depth"},
		{2, `"step":2`, `"step":3`, "step 3 where step 2 belongs"},
		{2, `"step":2`, `"step":-1`, "step -1 where"},
		{2, `"step":2`, `"step":1e99`, "where"},
		{2, `"process":"p1"`, `"process":"\u001b[2J"`, "not the label of a process"},
		{2, `"current":"p1"`, `"current":"p"`, "not the label of a process"},
		{2, `"current":"p1"`, `"current":"p1p2"`, "not the label of a process"},
		{2, `"focus":\{"start":"0x7ffff7ff3000"`, `"focus":{"start":"7ffff7ff3000"`, "not a hexadecimal number"},
		{2, `"focus":\{"start":"0x7ffff7ff3000"`, `"focus":{"start":"0x17ffff7ff30000000"`, "not a hexadecimal number"},
		{2, `"predicted":\["zero-fill"\]`, `"predicted":[` + strings.Repeat(`"a",`, 300) + `"b"]`, "more than 256"},
		{1, `"value":"0x7ffff7ff3000"`, `"value":"-1"`, "not a hexadecimal number"},
		{5, `"bytes":"68`, `"bytes":"6`, "not bytes in hexadecimal"},
		{8, `"fault_address":"0x`, `"fault_address":"`, "not a hexadecimal number"},
		{0, `"full":true,`, ``, "no whole snapshot"},
		{0, `"names":\[\{"process":"p1","name":"text"`, `"names":[{"process":"p1","name":""`, "the name \""},
		{0, `"start":"0x400000","end":"0x401000","step"`, `"start":"0x400000","end":"0x1000","step"`, "from 0x400000 to 0x1000"},
		{9, `"device":"[^"]*"`, `"device":"1:2:3"`, "a number such as 08:01"},
		{9, `"files":\[`, `"files":[null,1,`, "number"},
		{0, `"labels":\["p1"\]`, `"labels":["p1","p2"]`, "the snapshot does not contain it"},
		{0, `"labels":\["p1"\]`, `"labels":[]`, "not among the labels"},
		{0, `"labels":\["p1"\]`, `"labels":["p1","p1"]`, "twice"},
		{0, `"labels":\["p1"\]`, `"labels":"p1"`, "where a list belongs"},
		{0, `"state":"stopped"`, `"state":"stopped","changed":[{"start":"0x2","end":"0x1"}]`, "a range from 0x2 to 0x1"},
		{0, `"state":"stopped"`, `"state":"sleeping"`, "unknown state of a process"},
		{0, `"pid":\d+,"state"`, `"pid":-7,"state"`, "pid -7"},
		{0, `"rss":8192,"st`, `"rss":-8192,"st`, "number"},
		{2, `"at":1`, `"at":99`, "cannot be replaced"},
		{2, `"at":1`, `"at":-1`, "splice at -1"},
		{2, `"drop":1`, `"drop":-1`, "splice at"},
		{2, `"drop":1`, `"drop":9223372036854775807`, "cannot be replaced"},
		{2, `"drop":1,`, ``, "overlaps"},
		{2, `\{"at":1`, `{},{"at":1`, "adds 0"},
		{0, `"end":"0x7ffff7ffb000"`, `"end":"0x7ffff7ffc000"`, "overlaps"},
		{0, `"end":"0x7ffff7ffb000"`, `"end":"0x7ffff7ff7000"`, "a mapping from"},
		{0, `"end":"0x7ffff7ffb000"`, `"end":"0x7ffff7ffa800"`, "begin and end with a page"},
		{0, `"perms":"r-xp"`, `"perms":"rwxt"`, "rw-p would be right"},
		{0, `"device":"00:01"`, `"device":"00:100000000"`, "a number such as 08:01"},
		{0, `"path":"\[vvar\]"`, `"path":"` + strings.Repeat("a", maxPath+1) + `"`, "path of more"},
		{0, `"path":"\[vvar\]"`, `"path":"","path_hex":"zz"`, "not bytes in hexadecimal"},
		{0, `"rd","ex"`, `"` + strings.Repeat("r", 33) + `"`, "word of 33 bytes"},
		{0, `"rd","ex"`, strings.Repeat(`"r",`, 300) + `"x"`, "more than 256"},
		{2, `"count":1`, `"count":0`, "run of 0 pages"},
		{2, `"count":1`, `"count":5`, "does not lie in one mapping"},
		{2, `"count":1`, `"count":4503599627370495`, "does not fit"},
		{2, `"count":1`, `"count":18446744073709551615`, "a run of"},
		{2, `"start":"0x7ffff7ff3000","count"`, `"start":"0x7ffff7ff3001","count"`, "does not fit"},
		{2, `"start":"0x7ffff7ff3000","count"`, `"start":"0x500000","count"`, "does not lie in one mapping"},
		{2, `"state":"anon"`, `"state":"anonymous"`, "unknown state of a page"},
		{2, `"frame":"0x`, `"frame":"0xffffffffff`, "more bits"},
		{2, `"scan":"0x`, `"scan":"0x1000`, "more bits"},
		{2, `"mapcount":1`, `"mapcount":-5`, "mapped -5 times"},
		{2, `"mapcount":1`, `"mapcount":1,"attrs":["tiny"]`, "unknown attribute"},
		{18, `"mappings":\[`, `"mappings":[{"at":0,"drop":1},`, "does not lie in one mapping"}, // text goes, its page stays
	} {
		line := c.step + 2
		rec, err := Read(bytes.NewReader(spoil(t, story(t), c.step, c.match, c.by)))
		if c.by == "16384" {
			line = 2 // what the header says is seen to be wrong there
		}
		var at *Error
		if !errors.As(err, &at) || at.Line != line || !strings.Contains(err.Error(), c.want) {
			t.Errorf("step %d, %.80s: %.200v, want line %d: %s", c.step, c.by, err, line, c.want)
		}
		if got := len(stepsOf(rec)); got != max(c.step, 0) {
			t.Errorf("step %d, %.80s: %d steps are left", c.step, c.by, got)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\n\u009b") {
			t.Errorf("the error is hostile itself: %q", err)
		}
	}
}

func must(rec *Recording, err error) *Recording {
	if err != nil {
		panic(err)
	}
	return rec
}

func stepsOf(rec *Recording) []*history.Step {
	if rec == nil {
		return nil
	}
	return rec.Steps
}

// Fields that are not known are of a newer cowscope, and ignored; so is all that is hostile in
// texts, until it is shown.
func TestReadLenient(t *testing.T) {
	for _, c := range []struct {
		step      int
		match, by string
	}{
		{-1, `"version":1`, `"version":1,"moon":"full"`},
		{2, `"step":2`, `"step":2,"moon":{"phase":[1,2]}`},
		{2, `"count":1`, `"count":1,"heat":3`},
		{2, `"command":"([^"\\]|\\.)*`, `"command":"\u001b[2Jrm -rf\n\u009b`},
		{2, `"happened":"zero-fill"`, `"happened":"levitation"`},
		{0, `"path":"\[vvar\]"`, `"path":"\u001b]0;x\u0007\nfoo"`},
	} {
		rec, err := Read(bytes.NewReader(spoil(t, story(t), c.step, c.match, c.by)))
		if err != nil || len(rec.Steps) != 21 {
			t.Errorf("%s: %v", c.by, err)
			continue
		}
		var b bytes.Buffer
		if err := errors.Join(rec.WriteList(&b), rec.WriteJSON(printable.NewWriter(&b))); err != nil {
			t.Error(err)
		}
		if i := bytes.IndexFunc(b.Bytes(), func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0) }); i >= 0 {
			t.Errorf("%s: a terminal would obey %q", c.by, b.Bytes()[max(0, i-20):i+5])
		}
	}
}

// endless is a line that never ends.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	e.read += len(b)
	return copy(b, bytes.Repeat([]byte{'a'}, len(b))), nil
}

// A line without an end is read no further than a line may be long.
func TestReadEndlessLine(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	head, _, _ := bytes.Cut(story(t), []byte("\n"))
	e := &endless{}
	rec, err := Read(io.MultiReader(bytes.NewReader(append(head, '\n')), e))
	if rec != nil || err == nil || !strings.Contains(err.Error(), "line 2: the line is too long: 67108864 bytes") || e.read > fileLimits.line+1<<20 {
		t.Errorf("%v after %d bytes", err, e.read)
	}
	if _, err := Read(&endless{}); err == nil || !strings.Contains(err.Error(), "not a saved session") {
		t.Error(err)
	}
}

// Short lines that cost much are counted: the reading ends at the limit of memory, and keeps what
// it has.
func TestReadLimit(t *testing.T) {
	b := spoil(t, story(t), 0, `,"pages":.*`, `}]}}`+"\n")
	lines := bytes.SplitAfter(b, []byte("\n"))
	var file bytes.Buffer
	file.Write(lines[0])
	file.Write(lines[1])
	const step = `{"step":%d,"process":"p1","pid":1,"current":"p1","snapshot":{"processes":[{"label":"p1","pid":1,"state":"stopped","mappings":[{"at":0,"drop":1},{"at":1,"add":[%s]}]}]}}` + "\n"
	const mapping = `{"start":"0x400000","end":"0x401000","perms":"r-xp","device":"00:00"}`
	for i := range 200 {
		fmt.Fprintf(&file, step, i+1, mapping)
	}
	rec, err := read(bytes.NewReader(file.Bytes()), limits{line: 1 << 20, memory: 256 << 10})
	if n := len(stepsOf(rec)); n < 10 || n > 190 || err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("%d steps: %v", n, err)
	}
	if rec, err = Read(bytes.NewReader(file.Bytes())); err != nil || len(rec.Steps) != 201 {
		t.Errorf("%d steps: %v", len(stepsOf(rec)), err)
	}
}

// Whoever gives one of these a new field has to save it, or to say here that it needs no saving.
func TestNothingIsForgotten(t *testing.T) {
	for _, c := range []struct {
		of     any
		fields string
	}{
		{history.Step{}, "N Process PID Command Verb Event Outcome Before After Names Current Files Changes Check Why Facts Keys Limits Claims TID At Wrote Faults Lost Reason"}, // but for the claims, which a test holds at once
		{history.Outcome{}, "Call Result Value Want Got Evidence HasValue Fault Minor Major Done Bytes Focus Predicted Happened"},
		{history.Binding{}, "Range Step"},
		{history.Fault{}, "Process TID Start Pages Count Major Kernel Did At"},
		{vmspace.Place{}, "Function Offset File Line Object At"},
		{actions.Info{}, "Mode Kernel Rights Note Cost Refuses Still"}, // of which the machine alone is saved
		{history.File{}, "Name Removed Major Minor Inode Size Seals HugePage"},
		{vmspace.Snapshot{}, "PageSize Frames Processes"},
		{vmspace.Process{}, "Member State MinorFlt MajorFlt RSS Started Mappings Pages Changed Shift Err"},
		{vmspace.Member{}, "Label Parent PID Shares Thread"},
		{vmspace.Mapping{}, "Range Perms Offset Major Minor Inode Path Smaps"},
		{vmspace.Counters{}, "Rss Pss Swap Locked LazyFree AnonHuge KSM Private Clean Anonymous VMFlags ProtectionKey"},
		{vmspace.Run{}, "Start Pages Word Frame KFlags Scan Attrs Mapcount State Shift"},
		{vmspace.Facts{}, "FileSize Limits OnlyStack NeverForked Reprotected Arch ExecOnly Poison Keys Userfaultfd WriteTracked ProtectedMoved"}, // the keys of a step's processes
		{history.Trait[vmspace.Keys]{}, "Process Value"},
		{vmspace.Keys{}, "PKRU Known Used"},
		{vmspace.Limits{}, "Known Stack Space Locked"},
	} {
		var names []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(c.of)) {
			if len(f.Index) == 1 && f.IsExported() {
				names = append(names, f.Name)
			}
		}
		if got := strings.Join(names, " "); got != c.fields {
			t.Errorf("%T has the fields\n%s, and is saved with\n%s", c.of, got, c.fields)
		}
	}
}
