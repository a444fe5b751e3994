package actions

import (
	"fmt"
	"strings"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// Sessions that last: what is long past is forgotten, and what is there now is not.

func TestNewest(t *testing.T) {
	var n history.Names
	for i := range 1000 {
		n = n.With("p1", fmt.Sprintf("x%d", i), history.Binding{Range: vmspace.Range{Start: uint64(i), End: uint64(i) + 1}, Step: i})
	}
	n = n.With("p1", "anew", history.Binding{Range: vmspace.Range{Start: 7, End: 8}, Step: 1000}).With("p1", "z", history.Binding{Range: vmspace.Range{Start: 9, End: 10}, Step: 1001})
	n = n.Inherit("p1", "p2").With("p2", "b", history.Binding{Range: vmspace.Range{Start: 1, End: 2}, Step: 1002})
	small := n.With("p3", "a", history.Binding{Range: vmspace.Range{Start: 0, End: 1}, Step: 1003})
	m := small.Newest(100, 0, func(_ string, addr uint64) (uint64, bool) { return addr, addr < 40 })
	for _, label := range []string{"p1", "p2"} {
		if m.Len(label) != 100 {
			t.Errorf("%s has %d names", label, m.Len(label))
		}
		for name, want := range map[string]bool{"x999": true, "x960": true, "anew": true, "x8": true, "x7": false, "x39": true, "x40": false, "x500": false} {
			if _, ok := m.Get(label, name); ok != want {
				t.Errorf("%s: %s: %v, want %v", label, name, ok, want)
			}
		}
	}
	if _, ok := m.Get("p3", "a"); !ok || m.NextFree() != small.NextFree() {
		t.Errorf("a is kept: %v; the next one is %s", ok, m.NextFree())
	}
	m = m.With("p1", "c", history.Binding{Range: vmspace.Range{Start: 1, End: 2}, Step: 1004})
	if m.NextFree() != "d" {
		t.Errorf("a, b and c are in use, and %s is next", m.NextFree())
	}
	if n.Len("p1") != 1002 {
		t.Error("the names before have changed")
	}
	if m = m.Without("p1").Without("p9"); m.Len("p1") != 0 || m.Len("p2") != 100 || m.Processes() != 2 {
		t.Errorf("without p1: %d and %d names", m.Len("p1"), m.Len("p2"))
	}
}

// Names that a person gave stay as long as they name something that is mapped, in whatever part, and
// no more than so many.
func TestNewestGiven(t *testing.T) {
	var n history.Names
	for i := range uint64(1000) {
		r := vmspace.Range{Start: 10 * i, End: 10*i + 10}
		n = n.WithAll("p1", []history.Bound{{Name: fmt.Sprintf("x%d", i), Binding: history.Binding{Range: r, Step: int(i)}, Given: i%2 == 0}})
	}
	n = n.With("p1", "anew", history.Binding{Range: vmspace.Range{Start: 80, End: 105}, Step: 1000})
	n = n.With("p1", "part", history.Binding{Range: vmspace.Range{Start: 123, End: 125}, Step: 1001})
	mapped := func(_ string, addr uint64) (uint64, bool) { return max(addr, 49), addr < 4000 } // nothing below 49
	m := n.Newest(100, 1000, mapped)
	for name, want := range map[string]bool{"x999": true, "x2": false, "x4": true, "x3": false, "x8": false, "x10": true, "x12": true, "x398": true, "x400": false, "anew": true} {
		if _, ok := m.Get("p1", name); ok != want {
			t.Errorf("%s: %v, want %v", name, ok, want)
		}
	}
	m = n.Newest(100, 20, mapped)
	for name, want := range map[string]bool{"x398": true, "x360": true, "x4": false} {
		if _, ok := m.Get("p1", name); ok != want {
			t.Errorf("of 20, %s: %v, want %v", name, ok, want)
		}
	}
	if m.Len("p1") != 120 {
		t.Errorf("%d names, want 120", m.Len("p1"))
	}
}

// A name of something that is mapped outlives many that are not.
func TestNamesOfALongSession(t *testing.T) {
	if testing.Short() {
		t.Skip("needs time: 32,000 commands")
	}
	s, err := Open(Options{Brief: true, Glance: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	l.all("keep = mmap 4p rw private anon", "write keep 1")
	var text strings.Builder
	const given, rounds = family.MostNames/4 + 1000, family.MostNames + 10
	for i := range given {
		fmt.Fprintf(&text, "y%d = mmap 1p rw private anon noreserve\n", i)
	}
	fmt.Fprintf(&text, "munmap y0\n")
	for i := range rounds {
		fmt.Fprintf(&text, "x%d = mmap 1p rw private anon fixed addr=0x10000000\n", i)
	}
	l.script(text.String())
	l.reads("read keep", 1)
	for i := range given {
		name := fmt.Sprintf("y%d", i)
		if _, ok := s.f.Names.Get("p1", name); ok != (i > 0) {
			t.Fatalf("%s is known: %v", name, ok)
		}
	}
	if n := s.f.Names.Len("p1"); n > family.MostNames+given {
		t.Errorf("%d names", n)
	}
	l.all(fmt.Sprintf("read x%d", rounds-1))
	if _, err := s.Do(t.Context(), "read x1"); err == nil || !strings.Contains(err.Error(), "nothing is called x1") {
		t.Error("the first of many:", err)
	}
}

// Processes that ended, and that somebody waited for, are remembered for a while.
func TestManyChildren(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	s, err := Open(Options{Limits: family.Limits{Processes: 2}, Brief: true, Glance: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	const children = family.MostDead + 20
	var text strings.Builder
	for i := range children {
		fmt.Fprintf(&text, "fork\n@p%d exit 3\nwait\nexpect result ok\nexpect exited p%[1]d 3\n", i+2)
	}
	l.script(text.String())
	if n := len(s.f.Members); n != 1+family.MostDead {
		t.Errorf("%d processes are remembered", n)
	}
	if _, err := s.Do(t.Context(), "expect exited p2 3"); err == nil {
		t.Error("p2 is not forgotten")
	}
	for i := range 2 * verb.UnwaitedFor {
		l.all("fork", fmt.Sprintf("@p%d exit", children+2+i))
	}
	if st := l.want("refused", "fork"); !strings.Contains(st.Why, "wait removes one") || !strings.Contains(st.Why, "--max-processes") {
		t.Error(st.Why)
	}
	l.all("wait", "fork")
}

// Files that nobody maps any more make room.
func TestManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	s, err := Open(Options{Brief: true, Glance: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, "file f%d 1p\nmmap 1p rw shared file=f%[1]d addr=0x10000000 fixed\nrm f%[1]d\n", i)
	}
	l.script(text.String())
	text.Reset()
	for i := range 255 {
		fmt.Fprintf(&text, "file g%d 1p\n", i)
	}
	l.script(text.String())
	if st := l.want("refused", "file g255 1p"); !strings.Contains(st.Why, "256 files") || !strings.Contains(st.Why, "rm") {
		t.Error(st.Why)
	}
	l.all("munmap 0x10000000 1p", "file g255 1p")
	l.want("refused", "file g256 1p")
	l.all("file g3 2p", "rm g3", "file g256 1p")
}
