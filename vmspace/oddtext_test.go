package vmspace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Texts of old and odd kernels, written as those kernels write them.

// mapsLine writes m as show_map_vma does: a path from column 74, its newlines as \012 and every other byte as it is.
func mapsLine(m Mapping) string {
	line := fmt.Sprintf("%08x-%08x %s %08x %02x:%02x %d", m.Start, m.End, m.Perms, m.Offset, m.Major, m.Minor, m.Inode)
	if m.Path == "" {
		return line + " \n"
	}
	return fmt.Sprintf("%-73s%s\n", line+" ", strings.ReplaceAll(m.Path, "\n", `\012`))
}

// oddPaths are names that a file, or a mapping, may have.
var oddPaths = []string{
	"/a b  c", "/two\nlines", "/\x1b[2J\x07\xff", "/lib (deleted)", "/ (deleted) (deleted)", "/" + strings.Repeat("x/", 2047) + "y", "/\t\r",
	"/1000-2000 rw-p 00000000 00:00 0", "/VmFlags: lo", "[anon:a name]", "[anon:]", "[anon_shmem:x y]", "//anon", "/dev/zero", "/dev/zero (deleted)",
	"socket:[12]", "anon_inode:[perf_event]", "/SYSV00000000 (deleted)", "/memfd: (deleted)", "[stack:123]", "[heap]", "[uprobes]", "(unreachable)/x",
}

func TestOddPaths(t *testing.T) {
	var want []Mapping
	var text strings.Builder
	for i, p := range oddPaths {
		at := uint64(i+1) << 16
		m := Mapping{Range: Range{at, at + 1<<16}, Perms: Perms(i % 16), Offset: uint64(i) << 40, Major: 0xfff, Minor: 1 << 20, Inode: 1<<64 - 1, Path: p}
		want = append(want, m)
		text.WriteString(mapsLine(m))
	}
	got, err := parseMaps(nil, []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	kinds := map[string]Kind{"[anon:a name]": KindAnon, "[anon_shmem:x y]": KindShmem, "/memfd: (deleted)": KindShmem, "[heap]": KindHeap, "[stack:123]": KindAnon,
		"[uprobes]": KindSpecial, "socket:[12]": KindFile, "/SYSV00000000 (deleted)": KindShmem}
	for _, m := range got {
		if k, ok := kinds[m.Path]; ok && m.Kind() != k {
			t.Errorf("%q is %s, want %s", m.Path, m.Kind(), k)
		}
	}
}

// The last page before the kernel's half, with four and five levels of page tables, and the last address of all.
func TestEndOfTheAddressSpace(t *testing.T) {
	const text = "7fffffffe000-7ffffffff000 rw-p 00000000 00:00 0 \nfffffffffff000-100000000000000 rw-p 00000000 00:00 0 \n" +
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\nffffffffffffe000-fffffffffffff000 r--p 00000000 00:00 0 \n"
	maps, err := parseMaps(nil, []byte(text))
	if err != nil || len(maps) != 4 {
		t.Fatal(maps, err)
	}
	p := &Process{Mappings: NewList(maps)}
	for _, m := range maps {
		if got, ok := p.MappingAt(m.End - 1); !ok || got.Range != m.Range {
			t.Errorf("%v: %+v", m.Range, got)
		}
		if n := len(slices.Collect(p.PagesIn(m.Range))); n != 1 {
			t.Errorf("%v has %d runs", m.Range, n)
		}
		p.PageAt(m.End-1, pg4k)
		Predict(p, m.End, Store, NoFacts)
	}
	if _, err := parseMaps(nil, []byte("fffffffffffff000-10000000000000000 rw-p 0 0:0 0")); err == nil {
		t.Error("an end past 64 bits parses")
	}
}

// smaps of kernels before VmFlags (3.8), LazyFree (4.12), Locked (2.6.38) and Swap (2.6.26), of one with more than is known, and of one that
// writes sizes wider than any column.
func TestOddSmaps(t *testing.T) {
	const head = "00400000-00401000 rw-p 00000000 00:00 0 \nSize:                  4 kB\n"
	for name, c := range map[string]struct {
		text  string
		want  Counters
		state State // of a page that is present and exclusive
		attrs Attrs
	}{
		"2.6.16":     {"Rss:           4 kB\nShared_Clean:  0 kB\nPrivate_Dirty: 4 kB\n", Counters{Rss: 4096}, Anon, 0},
		"3.2":        {"Rss: 4 kB\nPss: 2 kB\nReferenced: 4 kB\nSwap: 0 kB\nKernelPageSize: 4 kB\nMMUPageSize: 4 kB\nLocked: 4 kB\n", Counters{Rss: 4096, Pss: 2048, Locked: 4096}, Anon, 0},
		"no VmFlags": {"Rss: 4 kB\nLazyFree: 4 kB\n", Counters{Rss: 4096, LazyFree: 4096}, Anon, 0},
		"empty":      {"VmFlags:\nRss: 0 kB\n", Counters{}, Anon, 0},
		"unknown":    {"Glitter: many\nRss: 4 kB\nVmFlags: rd wr zz ?? lo 7\nHue:12 nm\n:\n", Counters{Rss: 4096, VMFlags: []string{"rd", "wr", "zz", "??", "lo", "7"}}, Anon, Locked},
		"device":     {"VmFlags: rd pf\n", Counters{VMFlags: []string{"rd", "pf"}}, Special, 0},
		"keys":       {"Rss: 0 kB\nProtectionKey:        15\n", Counters{ProtectionKey: 15}, Anon, 0},
		"wide":       {"Rss:      9007199254740992 kB\n", Counters{Rss: 9007199254740992 << 10}, Anon, 0},
	} {
		maps, err := parseSmaps(nil, []byte(head+c.text))
		if err != nil || len(maps) != 1 {
			t.Errorf("%s: %+v, %v", name, maps, err)
			continue
		}
		if !maps[0].Smaps.same(&c.want) {
			t.Errorf("%s: %+v, want %+v", name, maps[0].Smaps, c.want)
		}
		if s, a := Classify(maps[0], Evidence{Word: WordPresent | WordExclusive}); s != c.state || a != c.attrs {
			t.Errorf("%s: %s %q, want %s %q", name, s, a.Names(), c.state, c.attrs.Names())
		}
	}
}

// Pagemap words of other kernels. Before 4.2 bit 56 was never set, before 6.15 guard pages have no bit of their own. Bits without a name stay
// in the word, and get no meaning.
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
		if s, a := Classify(anon, c.e); s != c.state || a != c.attrs {
			t.Errorf("%s: %s %q, want %s %q", c.name, s, a.Names(), c.state, c.attrs.Names())
		}
	}
	if got := fmt.Sprint(PagemapBits(WordPresent|1<<60|1<<59), KPageBits(1<<27|1<<45|1<<24), ScanBits(1<<13|ScanHuge)); got !=
		"[present bit 60 bit 59] [ZERO_PAGE bit 27 bit 45] [HUGE bit 13]" {
		t.Error(got)
	}
}

// What is parsed and written again as the kernel does is the same text, whatever stands in the paths.
func FuzzMapsRoundTrip(f *testing.F) {
	f.Add(fixture(f, "maps-6.18"))
	for _, p := range oddPaths {
		f.Add([]byte(mapsLine(Mapping{Range: Range{0x1000, 0x2000}, Path: p})))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		maps, err := parseMaps(nil, text)
		if err != nil {
			return
		}
		var again bytes.Buffer
		for _, m := range maps {
			again.WriteString(mapsLine(m))
		}
		got, err := parseMaps(nil, again.Bytes())
		if err != nil || !slices.Equal(got, maps) {
			t.Fatalf("%q\n%+v\n%+v, %v", again.Bytes(), maps, got, err)
		}
	})
}

// Nobody can make /proc text tear a mapping's counters from it: pieces that end with a line give what the whole gives.
func FuzzSmapsPieces(f *testing.F) {
	f.Add(fixture(f, "smaps-future"), uint16(3))
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		whole, err := parseSmaps(nil, text)
		var p smapsParser
		at := 0
		if len(text) > 0 {
			at = bytes.LastIndexByte(text[:int(cut)%len(text)], '\n') + 1
		}
		err2 := p.parse(text[:at])
		if err2 == nil {
			err2 = p.parse(text[at:])
		}
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v, and in two pieces %v", err, err2)
		}
		if err == nil && !slices.EqualFunc(whole, p.maps, func(a, b Mapping) bool { return SameMapping(&a, &b) }) {
			t.Fatalf("%+v\n%+v", whole, p.maps)
		}
	})
}
