package saved

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Page faults and their places come back as they were saved.
func TestFaultsAreSaved(t *testing.T) {
	file, err := Open("testdata/story.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	first, st := *file.Steps[0], *file.Steps[1]
	st.Faults = []history.Fault{
		{Process: "p1", TID: 7, Start: 0x7fff_f7fb_4000, Pages: 3, Count: 4, Major: 1, Did: vmspace.ZeroFill,
			At: vmspace.Place{Function: "main", Offset: 0x1c, File: "/src/a.c", Line: 20, Object: "/bin/a", At: 0x11c}},
		{TID: 8, Count: 1 << 40, Kernel: true},
	}
	st.Lost = 12
	st.TID, st.Wrote = 9, "a line\nand half of one"
	st.At = &history.Site{Place: vmspace.Place{Function: "make", Offset: 4, File: "/src/a.c", Line: 11, Object: "/bin/a", At: 0x104}, Text: "return mmap(0, n);", Source: []string{"int f()", "{", "    return mmap(0, n);"}, From: 9, Callers: []string{"main", "_start"}}
	var b bytes.Buffer
	w, err := NewWriter(&b, file.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*history.Step{&first, &st} {
		if err := w.Write(s, 0); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if got := got.Steps[1]; !reflect.DeepEqual(got.Faults, st.Faults) || got.Lost != st.Lost {
		t.Errorf("%+v and %d lost, want %+v", got.Faults, got.Lost, st.Faults)
	} else if !reflect.DeepEqual(got.At, st.At) || got.TID != st.TID || got.Wrote != st.Wrote {
		t.Errorf("thread %d at %+v %q, want %+v", got.TID, got.At, got.At.Callers, st.At)
	}
	if got := got.Steps[0]; got.Faults != nil || got.Lost != 0 || got.At != nil || got.TID != 0 {
		t.Errorf("a step without: %+v", got.Faults)
	}
}

// A fault that cannot be is refused.
func TestFaultsRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`[{"process":"init"}]`, "is not the label"},
		{`[{"process":"p1","pages":281474976710657}]`, "281474976710657 pages"},
		{`[{"process":"p1","at":{"line":-1}}]`, "line -1"},
		{`[{"process":"p1","at":{"object":"` + strings.Repeat("x", maxPath+1) + `"}}]`, "a name of more than"},
	} {
		var l list[faultJSON]
		if err := json.Unmarshal([]byte(c.text), &l); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: %v, want %q", c.text, err, c.want)
		}
	}
	r := &reader{lim: limits{memory: 1 << 20}, texts: map[string]string{}}
	if err := r.faults(&history.Step{}, &stepJSON{Touched: list[faultJSON]{{Process: "p1", Address: "12"}}}); err == nil {
		t.Error("an address that is not hexadecimal is read")
	}
	if err := r.faults(&history.Step{}, &stepJSON{Touched: make(list[faultJSON], 1<<14)}); err == nil {
		t.Error("a million bytes are not counted")
	}
	for name, at := range map[string]*history.SiteJSON{
		"the number":  {PlaceJSON: history.PlaceJSON{Line: -1}},
		"an address":  {PlaceJSON: history.PlaceJSON{Address: "12"}},
		"the callers": {Callers: make([]string, mostCallers+1)},
		"the lines":   {Source: make([]string, mostLines+1)},
		"a line":      {Source: []string{strings.Repeat("x", maxPath+1)}},
		"the first":   {From: -1},
		"the source":  {Text: strings.Repeat("x", maxPath+1)},
		"a caller":    {Callers: []string{strings.Repeat("x", maxPath+1)}},
	} {
		if err := r.site(&history.Step{}, &stepJSON{StepJSON: history.StepJSON{At: at}}); err == nil {
			t.Errorf("%s that cannot be is read", name)
		}
	}
}
