package vmspace

import "testing"

// The words below are as kernel 6.18 gives them on x86-64, frames included where root reads them.
const (
	wordAnon   = 0x8180_0000_0015_31ba // present, exclusive, soft-dirty
	wordCOW    = 0x8080_0000_0015_31ba
	wordZero   = 0x8000_0000_0000_3e05
	wordFile   = 0xa000_0000_0012_3456
	wordFileMe = 0xa100_0000_0012_3456
	wordSwap   = 0x4000_0000_0000_0a62
	wordGuard  = 0x4400_0000_0000_009f
	wordUffd   = 0x8300_0000_0015_31ba
)

// One table, long because it has a row for every case.
func TestClassify(t *testing.T) {
	anon := Mapping{Range: Range{0x1000, 0x9000}, Perms: Read | Write}
	file := Mapping{Range: Range{0x1000, 0x9000}, Perms: Read, Inode: 7, Path: "/lib/x"}
	shared := Mapping{Range: Range{0x1000, 0x9000}, Perms: Read | SharedMap, Inode: 7, Path: "/dev/zero (deleted)"}
	devZero := Mapping{Range: Range{0x1000, 0x9000}, Perms: Read, Inode: 7, Path: "/dev/zero"}
	vdso := Mapping{Range: Range{0x1000, 0x9000}, Perms: Read | Exec, Path: "[vdso]"}
	flags := func(words ...string) Mapping {
		m := anon
		m.Smaps = &Counters{VMFlags: words}
		return m
	}
	scan := func(word uint64, cats uint16) Evidence { return Evidence{Word: word, Scan: cats, HaveScan: true} }
	kpage := func(word, flags uint64) Evidence { return Evidence{Word: word, KFlags: flags, HaveKFlags: true} }
	for _, c := range []struct {
		name  string
		m     Mapping
		e     Evidence
		state State
		attrs Attrs
	}{
		{"nothing", anon, scan(0, 0), None, 0},
		{"soft-dirty without a page", anon, scan(WordSoftDirty, 0), None, 0},
		{"anon", anon, scan(wordAnon&^WordSoftDirty, ScanPresent), Anon, 0},
		{"anon, soft-dirty", anon, scan(wordAnon, ScanPresent), Anon, SoftDirty},
		{"cow by scan", anon, scan(wordCOW, ScanPresent), COW, SoftDirty},
		{"cow by kpageflags", anon, kpage(wordZero, KAnon|KSwapBacked), COW, 0},
		{"cow or zero", anon, Evidence{Word: wordZero}, Unknown, 0},
		{"cow in a file", file, Evidence{Word: wordZero}, COW, 0},
		{"zero by scan", anon, scan(wordZero, ScanPresent|ScanPFNZero), Zero, 0},
		{"zero by kpageflags", anon, kpage(wordZero, KZeroPage), Zero, 0},
		{"zero by frame", anon, Evidence{Word: wordZero, ZeroFrame: true}, Zero, 0},
		{"cow by frame", anon, Evidence{Word: wordZero, OtherFrame: true}, COW, 0},
		{"huge zero", anon, scan(wordZero, ScanPresent|ScanPFNZero|ScanHuge), Zero, Huge},
		{"zero of /dev/zero", devZero, scan(wordZero, ScanPresent|ScanPFNZero), Zero, 0},
		{"cow or zero of /dev/zero", devZero, Evidence{Word: wordZero}, Unknown, 0},
		{"file", file, scan(wordFile, ScanPresent), File, 0},
		{"a page of a file where no file is", anon, scan(wordFile, ScanPresent), Unknown, 0},
		{"file, mapped once", file, scan(wordFileMe, ScanPresent), File, 0},
		{"copied from a file", file, scan(wordAnon&^WordSoftDirty, ScanPresent), Anon, 0},
		{"shared", shared, scan(wordFile, ScanPresent), Shared, 0},
		{"swapped", anon, scan(wordSwap, ScanSwapped), Swapped, 0},
		{"shared and swapped", shared, scan(wordSwap|WordFile, ScanSwapped), Swapped, 0},
		{"guard by word", anon, Evidence{Word: wordGuard}, Guard, 0},
		{"guard by scan", anon, scan(wordSwap, ScanSwapped|ScanGuard), Guard, 0},
		{"uffd-wp", anon, scan(wordUffd, ScanPresent), Anon, UffdWP},
		{"marker of userfaultfd", flags(), scan(WordSwapped|WordUffdWP, ScanSwapped), None, UffdWP},
		{"marker of userfaultfd in shared memory", shared, scan(WordSwapped|WordUffdWP, ScanSwapped), None, UffdWP},
		{"marker or swapped", anon, scan(WordSwapped|WordUffdWP, ScanSwapped), Swapped, UffdWP},
		{"vdso", vdso, scan(wordFile, ScanPresent), Special, 0},
		{"vdso untouched", vdso, scan(0, 0), None, 0},
		{"device", flags("rd", "pf"), scan(wordCOW&^WordSoftDirty, ScanPresent), Special, 0},
		{"mixed", flags("mm"), scan(wordAnon&^WordSoftDirty, ScanPresent), Special, 0},
		{"locked", flags("lo"), scan(wordAnon&^WordSoftDirty, ScanPresent), Anon, Locked},
		{"locked but absent", flags("lo"), scan(0, 0), None, 0},
		{"locked guard", flags("lo"), scan(wordGuard, ScanSwapped), Guard, 0},
		{"locked by kpageflags", anon, kpage(wordAnon&^WordSoftDirty, KAnon|KSwapBacked|KMlocked), Anon, Locked},
		{"huge", anon, scan(wordAnon&^WordSoftDirty, ScanPresent|ScanHuge), Anon, Huge},
		{"huge by kpageflags", anon, kpage(wordAnon&^WordSoftDirty, KAnon|KSwapBacked|KTHP), Anon, Huge},
		{"part of a huge page, mapped by others", anon, Evidence{Word: wordAnon &^ WordSoftDirty, Scan: ScanPresent | ScanHuge, HaveScan: true,
			KFlags: KAnon | KSwapBacked | KTHP, HaveKFlags: true, Mapcount: 2}, COW, Huge},
		{"part of a huge page, mapped alone", anon, Evidence{Word: wordAnon &^ WordSoftDirty, Scan: ScanPresent, HaveScan: true,
			KFlags: KAnon | KSwapBacked | KTHP, HaveKFlags: true}, Anon, 0},
		{"hugetlb", flags("ht"), scan(wordAnon&^WordSoftDirty, ScanPresent), Anon, Huge},
		{"ksm", anon, kpage(wordZero, KKSM|KAnon|KSwapBacked), COW, KSM},
		{"ksm, mapped once", anon, kpage(wordAnon&^WordSoftDirty, KKSM|KAnon|KSwapBacked), COW, KSM},
		{"dirty and referenced", anon, kpage(wordAnon&^WordSoftDirty, KAnon|KSwapBacked|KDirty|KReferenced), Anon, Dirty | Referenced},
		{"lazyfree", anon, kpage(wordAnon&^WordSoftDirty, KAnon), Anon, LazyFree},
		{"lazyfree, written again", flags(), kpage(wordAnon&^WordSoftDirty, KAnon), Anon, 0},
	} {
		if s, a := Classify(c.m, c.e); s != c.state || a != c.attrs {
			t.Errorf("%s: %v %q, want %v %q", c.name, s, a.Names(), c.state, c.attrs.Names())
		}
	}
}

func TestTables(t *testing.T) {
	for i, s := range States {
		if int(s.State) != i || s.Name == "" || s.Sentence == "" || s.Evidence == "" {
			t.Errorf("state %d is %+v", i, s)
		}
	}
	if got := Attrs(1<<len(AttrNames) - 1).Names(); len(got) != len(AttrNames) || Referenced != 1<<(len(AttrNames)-1) {
		t.Errorf("attributes are %q", got)
	}
	for _, h := range Happenings {
		if h.Name == "" || h.Sentence == "" {
			t.Errorf("happening %+v", h)
		}
	}
}

func TestRefineRuns(t *testing.T) {
	run := func(page, n, frame uint64, s State) Run {
		return Run{Start: page * pg4k, Pages: n, Word: WordPresent, Frame: frame, State: s, Mapcount: -1}
	}
	mine := []Run{run(0, 10, 100, Anon), run(10, 5, 300, Anon), run(20, 2, 900, Anon)}
	theirs := NewList([]Run{run(2, 3, 102, COW), run(7, 2, 555, COW), run(10, 5, 300, Anon), run(20, 2, 900, File)})
	want := []Run{run(0, 2, 100, Anon), run(2, 3, 102, COW), run(5, 5, 105, Anon), run(10, 5, 300, COW), run(20, 2, 900, Anon)}
	got := refine(mine, theirs, sameFrame)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("run %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if same := refine(mine, NewList([]Run{run(0, 10, 7, COW)}), sameFrame); &same[0] != &mine[0] {
		t.Error("nothing to refine should change nothing")
	}
}

const pg4k = 4096

// What may be a huge page is as large as one is with pages of that size.
func TestPerhapsHalfSplit(t *testing.T) {
	for size, table := range map[uint64]uint64{4 << 10: 512, 16 << 10: 2048, 64 << 10: 8192} {
		run := func(page, n uint64, s State, word uint64) Run {
			return Run{Start: page * size, Pages: n, Word: WordPresent | word, State: s, Mapcount: -1, Shift: shiftOf(size)}
		}
		for name, c := range map[string]struct {
			mine, theirs Run
			unsure       uint64 // pages
		}{
			"a whole block":         {run(table, table, Anon, WordExclusive), run(table+9, 3, COW, 0), 3},
			"a page less":           {run(table, table-1, Anon, WordExclusive), run(table+9, 3, COW, 0), 0},
			"as long, and crooked":  {run(table+1, table, Anon, WordExclusive), run(table+9, 3, COW, 0), 0},
			"two blocks, one known": {run(table, 2*table, Anon, WordExclusive), run(2*table-1, 2, Anon, WordExclusive), 0},
			"over an edge":          {run(table, 2*table, Anon, WordExclusive), run(2*table-1, 2, COW, 0), 2},
		} {
			n := uint64(0)
			for _, r := range refine([]Run{c.mine}, NewList([]Run{c.theirs}), perhapsHalfSplit) {
				if r.State == Unknown {
					n += r.Pages
				}
			}
			if n != c.unsure {
				t.Errorf("%s, pages of %d: %d are not known, want %d", name, size, n, c.unsure)
			}
		}
	}
}
