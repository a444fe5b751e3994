package vmspace

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testNames are the test functions of the whole repository.
func testNames(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// Everything that is said of a page has its evidence, and each row its test.
func TestProofsAreComplete(t *testing.T) {
	tests := testNames(t)
	rows := map[string]int{}
	for _, p := range Proofs {
		rows[p.Of]++
		if !strings.Contains(tests, "\nfunc "+p.Test+"(") {
			t.Errorf("%s: there is no test %s", p.Of, p.Test)
		}
		if p.From == "" || p.Says == "" || p.Since == "" || p.shows == nil {
			t.Errorf("%+v has gaps", p)
		}
	}
	names := []string{"mapcount", "frame"}
	for _, s := range States {
		names = append(names, s.Name)
	}
	for _, n := range append(names, AttrNames[:]...) {
		if rows[n] == 0 {
			t.Errorf("nothing is said of the evidence for %s", n)
		}
		delete(rows, n)
	}
	for n := range rows {
		t.Errorf("%s is no state, no attribute, no count and no frame", n)
	}
}

// The documentation has the table's rows, all of them and in order.
func TestProofsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, p := range Proofs {
		table.WriteString(fmt.Sprintf("//	%-12s%-14s%-46s%-8s%s\n", p.Of, p.From, p.Says, p.Since, p.Test))
	}
	if !strings.Contains(string(doc), table.String()) {
		t.Errorf("doc.go should have\n%s", table.String())
	}
}

// What was read is told with its bits, and what was not is told as inferred, with the reason.
func TestGrounds(t *testing.T) {
	anon := Mapping{Range: Range{0x1000, 0x9000}, Perms: Read | Write, Smaps: &Counters{}}
	lazy, swap := anon, anon
	lazy.Smaps, swap.Smaps = &Counters{LazyFree: 8 << 10, KSM: 4 << 10}, &Counters{Swap: 4 << 10}
	page := func(s State, word uint64, edit func(*Run)) Run {
		r := Run{Start: 0x2000, Pages: 1, State: s, Word: word, Mapcount: -1}
		if edit != nil {
			edit(&r)
		}
		return r
	}
	frame := func(f uint64) func(*Run) { return func(r *Run) { r.Frame = f } }
	for _, c := range []struct {
		name           string
		m              Mapping
		page, other    Run
		seen, inferred string
	}{
		{"anon", anon, page(Anon, WordPresent|WordExclusive, nil), Run{}, "56 exclusive", ""},
		{"cow, hidden", anon, page(COW, WordPresent, nil), Run{}, "61 and 56 clear", "may be mapped elsewhere too, since a fork"},
		{"cow, hidden, in two", anon, page(COW, WordPresent, nil), page(COW, WordPresent, nil), "56 clear", "bit 56 is clear here and in p2"},
		{"cow, seen in two", anon, page(COW, WordPresent, frame(7)), page(COW, WordPresent, frame(7)), "a relative's frame", ""},
		{"cow, of a stranger", anon, page(COW, WordPresent, frame(7)), page(COW, WordPresent, frame(8)), "56 clear", "by a process that is not shown"},
		{"cow, counted", anon, page(COW, WordPresent, func(r *Run) { r.Frame, r.Mapcount = 7, 2 }), Run{}, "56 clear", ""},
		{"cow, merged", anon, page(COW, WordPresent|WordExclusive, func(r *Run) { r.Frame, r.Mapcount, r.KFlags, r.Attrs = 7, 1, KKSM, KSM }),
			Run{}, "21 KSM", ""},
		{"swapped", swap, page(Swapped, WordSwapped, nil), Run{}, "62 swapped", ""},
		{"not swapped", anon, page(Swapped, WordSwapped, nil), Run{}, "62 swapped", "smaps counts nothing swapped here: a marker or a page"},
		{"not swapped, uffd", anon, page(Swapped, WordSwapped|WordUffdWP, nil), Run{}, "62 swapped", "a marker of userfaultfd"},
		{"lazyfree somewhere", lazy, page(Anon, WordPresent|WordExclusive, nil), Run{}, "56 exclusive", "smaps counts 8 KiB of this mapping as freed"},
		{"merged somewhere", lazy, page(COW, WordPresent, nil), Run{}, "", "4 KiB of this mapping as merged (KSM); which pages, only root"},
		{"a look-alike", anon, page(Unknown, WordPresent, nil), Run{}, "nothing decides", "look alike here"},
		{"torn", anon, page(Unknown, WordPresent|WordFile, nil), Run{}, "nothing decides", "one of them was read too late"},
		{"blind", Mapping{Range: anon.Range, Path: "[vvar]"}, page(Special, 0, nil), Run{}, "a name in brackets", "pagemap says nothing"},
	} {
		p := &Process{Member: Member{Label: "p1"}, Mappings: NewList([]Mapping{c.m}), Pages: NewList([]Run{c.page})}
		s := &Snapshot{PageSize: pg4k, Processes: []*Process{p}}
		if c.other.Pages > 0 {
			s.Processes = append(s.Processes, &Process{Member: Member{Label: "p2"}, Mappings: p.Mappings, Pages: NewList([]Run{c.other})})
		}
		g := s.Grounds(p, c.m, c.page)
		seen, inferred := strings.Join(g.Seen, "; "), strings.Join(g.Inferred, "; ")
		if !strings.Contains(seen, c.seen) || !strings.Contains(inferred, c.inferred) || (c.inferred == "") != (inferred == "") {
			t.Errorf("%s: seen %q, inferred %q", c.name, seen, inferred)
		}
	}
	p := &Process{Member: Member{Label: "p1"}, Mappings: NewList([]Mapping{anon}), Changed: []Range{anon.Range}}
	g := (&Snapshot{Processes: []*Process{p}}).Grounds(p, anon, page(Unknown, WordPresent|WordExclusive, nil))
	if strings.Join(g.Inferred, "") != "the mapping changed while it was read" {
		t.Errorf("%q", g.Inferred)
	}
}
