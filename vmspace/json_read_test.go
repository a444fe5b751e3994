package vmspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// sampleJSON is a snapshot with a bit of everything.
func sampleJSON(t testing.TB) []byte {
	p := space(t, []string{"10-14 rw-p", "14-20 r--p /f\x1b[m\"@2", "20-30 rw-s /dev/zero"}, []string{"11+2 anon 100 1", "14+3 file", "20+1 shared 7 2", "21+1 shared 99 2"})
	p.MinorFlt, p.RSS = 5, 5*pg4k
	maps := p.Mappings.Slice(0, 3)
	maps[0].Smaps = &Counters{Rss: 8192, Pss: 4096, VMFlags: []string{"rd", "wr"}, ProtectionKey: 3}
	maps[2].Major, maps[2].Minor = 8, 0x11
	p.Mappings = NewList(maps)
	runs := p.Pages.Slice(0, 4)
	runs[0].Attrs = Huge | Locked
	p.Pages = NewList(runs)
	p.Changed = []Range{{0x1000, 0x2000}}
	s := &Snapshot{PageSize: pg4k, Frames: true, Processes: []*Process{p, {Member: Member{Label: "p2", Parent: "p1", PID: 2, Shares: "p1", Thread: true}, State: Zombie, Err: "dead"}}}
	var out bytes.Buffer
	if err := s.WriteJSON(&out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// again reads a snapshot and writes it.
func again(text []byte) ([]byte, error) {
	var out bytes.Buffer
	err := ReadJSON(bytes.NewReader(text), 1<<14, func(pageSize uint64) Sink { return NewJSON(&out, pageSize, true, nil) })
	return out.Bytes(), err
}

// What was written is read, and written again as it was, also after a program has laid it out anew.
func TestReadJSON(t *testing.T) {
	text := sampleJSON(t)
	var laid bytes.Buffer
	if err := json.Indent(&laid, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	for _, in := range [][]byte{text, laid.Bytes()} {
		if out, err := again(in); err != nil || !bytes.Equal(out, text) {
			t.Errorf("%v\n%s\n%s", err, text, out)
		}
	}
	if out, err := again([]byte(`{"processes":[]}`)); err != nil || string(out) != `{"page_size":16384,"processes":[]}`+"\n" {
		t.Errorf("%s %v", out, err)
	}
}

// What no snapshot has is a mistake, with its place.
func TestReadJSONMistakes(t *testing.T) {
	text := string(sampleJSON(t))
	for _, c := range []struct{ old, new, want string }{
		{text, "", "line 1, byte 0: the text ends too early"},
		{text, "\n\n[]", "line 3, byte 3: { is expected, not ["},
		{text, `{"a":1}`, "unknown member \"a\": there are page_size, processes"},
		{text, `{"page_size":4096}`, "processes is missing"},
		{text, `{"page_size":4096,"page_size":4096}`, "page_size comes twice"},
		{text, `{"processes":[],"page_size":4096}`, "must come before processes"},
		{text, `{"processes":[]} x`, "something follows"},
		{text, `{"processes":3}`, "[ is expected, not 3"},
		{text, `{"processes":[{"mappings":[]}]}`, "label is missing before mappings"},
		{text, `{"processes":[{"label":"p1"}]}`, "mappings is missing"},
		{`"page_size":4096`, `"page_size":4095`, "must be a power of two"},
		{`"page_size":4096`, `"page_size":65536`, "a mapping cannot reach from 0xa000"},
		{`"page_size":4096`, `"page_size":"4096"`, "another type"},
		{`"pid":1`, `"pid":-1`, "the process id is -1"},
		{`"pid":1`, `"pid":1.5`, "another type"},
		{`"state":"running"`, `"state":"ru\u001bnning"`, `unknown state of a process "ru\x1bnning"`},
		{`"minor":5,`, ``, "minor is missing"},
		{`"start":"0xa000"`, `"start":"a000"`, "is not a hexadecimal number"},
		{`"start":"0xa000"`, `"start":40960`, "another type"},
		{`"start":"0xa000"`, `"start":"0xa001"`, "a mapping cannot reach"},
		{`"end":"0xe000"`, `"end":"0xf000"`, "comes after one that ends at 0xf000"},
		{`"perms":"rw-p"`, `"perms":"wr-p"`, `perms are "wr-p"`},
		{`"kind":"anon"`, `"kind":"none"`, `unknown kind of mapping "none"`},
		{`"device":"08:11"`, `"device":"08"`, `the device is "08"`},
		{`"count":2`, `"count":0`, "a run of 0 pages at"},
		{`"count":2`, `"count":18446744073709551615`, "does not fit in a mapping"},
		{`"start":"0x15000"`, `"start":"0x14000"`, "a run of pages begins at 0x14000"},
		{`"state":"anon"`, `"state":"any"`, `unknown state of a page "any"`},
		{`"attrs":["locked"]`, `"attrs":["lucked"]`, `unknown attribute of a page "lucked"`},
		{`"mapcount":1`, `"mapcount":-1`, "mapcount of a page is -1"},
		{`"frame":"0x64"`, `"frame":"0xffffffffffffffff"`, "frame number 0xffffffffffffffff is too large"},
		{`"source"`, `"sauce"`, "unknown field"},
		{`]}]}` + "\n", `]}]`, "ends too early"},
		{`"path":""`, `"path":"` + strings.Repeat("x", 3<<20) + `"`, "a value is longer than 1048576 bytes"},
	} {
		if !strings.Contains(text, c.old) {
			t.Errorf("%s is not in the sample", c.old)
		}
		_, err := again([]byte(strings.Replace(text, c.old, c.new, 1)))
		var mistake *JSONError
		if !errors.As(err, &mistake) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, not %s", c.new, err, c.want)
		}
	}
}

// An error of the reader or of the sink is that error.
func TestReadJSONFailures(t *testing.T) {
	broken := errors.New("broken")
	text := sampleJSON(t)
	err := ReadJSON(io.MultiReader(bytes.NewReader(text[:100]), &failing{broken}), 4096, func(size uint64) Sink { return NewText(io.Discard, size) })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	err = ReadJSON(bytes.NewReader(text), 4096, func(size uint64) Sink { return failing{broken} })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)    { return 0, f.err }
func (f failing) Process(*Process) error      { return nil }
func (f failing) Pages(*Mapping, []Run) error { return f.err }
func (f failing) End([]Range) error           { return nil }
func (f failing) Close(bool) error            { return nil }

// Whatever the text: it is a mistake, or what is written of it is read again, and stays the same.
func FuzzReadJSON(f *testing.F) {
	f.Add(sampleJSON(f))
	f.Add([]byte(`{"page_size":4096,"processes":[{"label":"","pid":1,"state":"gone","rss":0,"mappings":[],"changed":[{"start":"0x0","end":"0xffffffffffffffff"}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := again(text)
		if err != nil {
			return
		}
		twice, err := again(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\n%s\n%s", err, once, twice)
		}
	})
}

// The table has a line a mapping, and what it comes to.
func TestTable(t *testing.T) {
	p := space(t, []string{"10-14 rw-p", "14-20 r--p /some/folder/with/a/long/name/f\x1b[m", "20-30 rw-p [heap]"}, []string{"11+2 anon 100 1", "13+1 zero", "14+3 file", "20+1 cow 7 2", "22+2 swapped"})
	p.MinorFlt, p.Changed = 5, []Range{{0x1000, 0x2000}}
	maps := p.Mappings.Slice(0, 3)
	for i := range maps {
		maps[i].Smaps = &Counters{Rss: 8192, Pss: 4096, Private: 1024}
	}
	p.Mappings = NewList(maps)
	runs := p.Pages.Slice(0, 5)
	runs[0].Attrs = Huge | Locked | Dirty
	p.Pages = NewList(runs)
	s := &Snapshot{PageSize: pg4k, Processes: []*Process{p, {Member: Member{Label: "p2", Parent: "p1", PID: 2}, State: Gone, Err: "no such process"}}}
	for width, want := range map[int]string{
		0: `p1 pid 1, running, faults 5 minor 0 major
a000-e000   rw-p anon        4  1 zero, 2 anon huge locked
e000-14000  r--p file        6  3 file            "/some/folder/with/a/long/name/f\x1b[m"
14000-1e000 rw-p heap       10  1 cow, 2 swapped  [heap]
changed while being read: 1000-2000
mapped: 3 mappings, 20 pages (80 KiB)
pages:  1 zero (4 KiB), 2 anon huge locked (8 KiB), 1 cow (4 KiB), 3 file (12 KiB), 2 swapped (8 KiB)
memory: rss 24 KiB, pss 12 KiB, uss 3 KiB

p2 pid 2, child of p1, gone, faults 0 minor 0 major
  no such process
`,
		70: `p1 pid 1, running, faults 5 minor 0 major
range       perm kind    pages  in which state    path
a000-e000   rw-p anon        4  1 zero, 2 anon huge locked
e000-14000  r--p file        6  3 file            …/long/name/f\x1b[m"
14000-1e000 rw-p heap       10  1 cow, 2 swapped  [heap]
`,
	} {
		var b strings.Builder
		if err := s.To(NewTable(&b, pg4k, width)); err != nil {
			t.Fatal(err)
		}
		if width == 0 && b.String() != want || !strings.HasPrefix(b.String(), want) {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	}
}

// A snapshot with very many mappings is read piece by piece.
func BenchmarkReadJSON(b *testing.B) {
	var maps []Mapping
	var runs []Run
	for i := range uint64(60_000) {
		at := 1<<32 + i*8*pg4k
		maps = append(maps, Mapping{Range: Range{at, at + 4*pg4k}, Perms: Read, Path: fmt.Sprint("/f", i)})
		runs = append(runs, Run{Start: at, Pages: 1, State: Anon, Mapcount: -1})
	}
	s := &Snapshot{PageSize: pg4k, Processes: []*Process{{Member: Member{Label: "p1", PID: 1}, Mappings: NewList(maps), Pages: NewList(runs)}}}
	var out bytes.Buffer
	if err := s.WriteJSON(&out, nil); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(out.Len()))
	for b.Loop() {
		if err := ReadJSON(bytes.NewReader(out.Bytes()), pg4k, func(uint64) Sink { return failing{} }); err != nil {
			b.Fatal(err)
		}
	}
}
