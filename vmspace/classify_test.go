package vmspace

import (
	"fmt"
	"testing"
)

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
	guarded := func(word uint64) Evidence {
		return Evidence{Word: word, Scan: ScanSwapped, HaveScan: true, HaveGuard: true}
	}
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
		{"poisoned", flags(), guarded(WordSwapped), None, Poisoned},
		{"poisoned, in shared memory", shared, guarded(WordSwapped), None, Poisoned},
		{"poisoned or swapped", anon, guarded(WordSwapped), Swapped, 0},
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
		if s, a := c.m.Class().Classify(c.e); s != c.state || a != c.attrs {
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
	if got := Attrs(1<<len(AttrNames) - 1).Names(); len(got) != len(AttrNames) || Poisoned != 1<<(len(AttrNames)-1) {
		t.Errorf("attributes are %q", got)
	}
	for _, h := range Happenings {
		if h.Name == "" || h.Sentence == "" {
			t.Errorf("happening %+v", h)
		}
	}
}

const pg4k = 4096

// Pagemap words of other kernels. Before 4.2 bit 56 was never set, before 6.15 guard pages have no
// bit of their own. Bits without a name stay in the word, and get no meaning.
func TestOddWords(t *testing.T) {
	anon := Mapping{Range: Range{0x1000, 0x9000}, Perms: Read | Write}
	for _, c := range []struct {
		name  string
		e     Evidence
		state State
		attrs Attrs
	}{
		{"without bit 56, nothing else known", Evidence{Word: WordPresent}, Unknown, 0},
		{"without bit 56, flags", Evidence{Word: WordPresent, KFlags: KAnon | KSwapBacked, HaveKFlags: true}, COW, 0},
		{"guard without its bit", Evidence{Word: WordSwapped}, Swapped, 0},
		{"bits 59 and 60", Evidence{Word: WordPresent | WordExclusive | 3<<59}, Anon, 0},
		{"all flags that have no name", Evidence{Word: WordPresent | WordExclusive, KFlags: 1<<63 | 1<<45 | 1<<27 | KAnon | KSwapBacked, HaveKFlags: true}, Anon, 0},
		{"a category that is new", Evidence{Word: WordPresent | WordExclusive, Scan: ScanPresent | 1<<13, HaveScan: true}, Anon, 0},
		{"present and swapped", Evidence{Word: WordPresent | WordSwapped | WordExclusive}, Anon, 0},
	} {
		if s, a := anon.Class().Classify(c.e); s != c.state || a != c.attrs {
			t.Errorf("%s: %s %q, want %s %q", c.name, s, a.Names(), c.state, c.attrs.Names())
		}
	}
	if got := fmt.Sprint(PagemapBits(WordPresent|1<<60|1<<59), KPageBits(1<<27|1<<45|1<<24), ScanBits(1<<13|ScanHuge)); got !=
		"[present bit 60 bit 59] [ZERO_PAGE bit 27 bit 45] [HUGE bit 13]" {
		t.Error(got)
	}
}
