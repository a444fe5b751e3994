package procfs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cowscope/vmspace"
)

// Texts of old and odd kernels, written as those kernels write them.

// mapsLine writes m as show_map_vma does: a path from column 74, its newlines as \012 and every
// other byte as it is.
func mapsLine(m vmspace.Mapping) string {
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
	var want []vmspace.Mapping
	var text strings.Builder
	for i, p := range oddPaths {
		at := uint64(i+1) << 16
		m := vmspace.Mapping{Range: vmspace.Range{Start: at, End: at + 1<<16}, Perms: vmspace.Perms(i % 16), Offset: uint64(i) << 40, Major: 0xfff, Minor: 1 << 20, Inode: 1<<64 - 1, Path: p}
		want = append(want, m)
		text.WriteString(mapsLine(m))
	}
	got, err := ParseMaps(nil, []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	kinds := map[string]vmspace.Kind{"[anon:a name]": vmspace.KindAnon, "[anon_shmem:x y]": vmspace.KindShmem, "/memfd: (deleted)": vmspace.KindShmem, "[heap]": vmspace.KindHeap, "[stack:123]": vmspace.KindAnon,
		"[uprobes]": vmspace.KindSpecial, "socket:[12]": vmspace.KindFile, "/SYSV00000000 (deleted)": vmspace.KindShmem}
	for _, m := range got {
		if k, ok := kinds[m.Path]; ok && m.Kind() != k {
			t.Errorf("%q is %s, want %s", m.Path, m.Kind(), k)
		}
	}
}

// The last page before the kernel's half, with four and five levels of page tables, and the last
// address of all.
func TestEndOfTheAddressSpace(t *testing.T) {
	const text = "7fffffffe000-7ffffffff000 rw-p 00000000 00:00 0 \nfffffffffff000-100000000000000 rw-p 00000000 00:00 0 \n" +
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\nffffffffffffe000-fffffffffffff000 r--p 00000000 00:00 0 \n"
	maps, err := ParseMaps(nil, []byte(text))
	if err != nil || len(maps) != 4 {
		t.Fatal(maps, err)
	}
	p := &vmspace.Process{Mappings: vmspace.NewList(maps)}
	for _, m := range maps {
		if got, ok := p.MappingAt(m.End - 1); !ok || got.Range != m.Range {
			t.Errorf("%v: %+v", m.Range, got)
		}
		if n := len(slices.Collect(p.PagesIn(m.Range))); n != 1 {
			t.Errorf("%v has %d runs", m.Range, n)
		}
		p.PageAt(m.End-1, 4096)
		vmspace.Predict(p, m.End, vmspace.Store, vmspace.NoFacts)
	}
	if _, err := ParseMaps(nil, []byte("fffffffffffff000-10000000000000000 rw-p 0 0:0 0")); err == nil {
		t.Error("an end past 64 bits parses")
	}
}

// smaps of kernels before VmFlags (3.8), LazyFree (4.12), Locked (2.6.38) and Swap (2.6.26), of one
// with more than is known, and of one that writes sizes wider than any column.
func TestOddSmaps(t *testing.T) {
	const head = "00400000-00401000 rw-p 00000000 00:00 0 \nSize:                  4 kB\n"
	for name, c := range map[string]struct {
		text  string
		want  vmspace.Counters
		state vmspace.State // of a page that is present and exclusive
		attrs vmspace.Attrs
	}{
		"2.6.16":     {"Rss:           4 kB\nShared_Clean:  0 kB\nPrivate_Dirty: 4 kB\n", vmspace.Counters{Rss: 4096, Private: 4096}, vmspace.Anon, 0},
		"3.2":        {"Rss: 4 kB\nPss: 2 kB\nReferenced: 4 kB\nSwap: 0 kB\nKernelPageSize: 4 kB\nMMUPageSize: 4 kB\nLocked: 4 kB\n", vmspace.Counters{Rss: 4096, Pss: 2048, Locked: 4096}, vmspace.Anon, 0},
		"no VmFlags": {"Rss: 4 kB\nLazyFree: 4 kB\n", vmspace.Counters{Rss: 4096, LazyFree: 4096}, vmspace.Anon, 0},
		"empty":      {"VmFlags:\nRss: 0 kB\n", vmspace.Counters{}, vmspace.Anon, 0},
		"unknown":    {"Glitter: many\nRss: 4 kB\nVmFlags: rd wr zz ?? lo 7\nHue:12 nm\n:\n", vmspace.Counters{Rss: 4096, VMFlags: []string{"rd", "wr", "zz", "??", "lo", "7"}}, vmspace.Anon, vmspace.Locked},
		"device":     {"VmFlags: rd pf\n", vmspace.Counters{VMFlags: []string{"rd", "pf"}}, vmspace.Special, 0},
		"keys":       {"Rss: 0 kB\nProtectionKey:        15\n", vmspace.Counters{ProtectionKey: 15}, vmspace.Anon, 0},
		"wide":       {"Rss:      9007199254740992 kB\n", vmspace.Counters{Rss: 9007199254740992 << 10}, vmspace.Anon, 0},
	} {
		maps, err := parseSmaps(nil, []byte(head+c.text))
		if err != nil || len(maps) != 1 {
			t.Errorf("%s: %+v, %v", name, maps, err)
			continue
		}
		if !maps[0].Smaps.Same(&c.want) {
			t.Errorf("%s: %+v, want %+v", name, maps[0].Smaps, c.want)
		}
		if s, a := maps[0].Class().Classify(vmspace.Evidence{Word: vmspace.WordPresent | vmspace.WordExclusive}); s != c.state || a != c.attrs {
			t.Errorf("%s: %s %q, want %s %q", name, s, a.Names(), c.state, c.attrs.Names())
		}
	}
}

// What is parsed and written again as the kernel does is the same text, whatever stands in the
// paths.
func FuzzMapsRoundTrip(f *testing.F) {
	f.Add(fixture(f, "maps-6.18"))
	for _, p := range oddPaths {
		f.Add([]byte(mapsLine(vmspace.Mapping{Range: vmspace.Range{Start: 0x1000, End: 0x2000}, Path: p})))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		maps, err := ParseMaps(nil, text)
		if err != nil {
			return
		}
		var again bytes.Buffer
		for _, m := range maps {
			again.WriteString(mapsLine(m))
		}
		got, err := ParseMaps(nil, again.Bytes())
		if err != nil || !slices.Equal(got, maps) {
			t.Fatalf("%q\n%+v\n%+v, %v", again.Bytes(), maps, got, err)
		}
	})
}

// Nobody can make /proc text tear a mapping's counters from it: pieces that end with a line give
// what the whole gives.
func FuzzSmapsPieces(f *testing.F) {
	f.Add(fixture(f, "smaps-future"), uint16(3))
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		whole, err := parseSmaps(nil, text)
		var p SmapsParser
		at := 0
		if len(text) > 0 {
			at = bytes.LastIndexByte(text[:int(cut)%len(text)], '\n') + 1
		}
		err2 := p.Parse(text[:at])
		if err2 == nil {
			err2 = p.Parse(text[at:])
		}
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v, and in two pieces %v", err, err2)
		}
		if err == nil && !slices.EqualFunc(whole, p.maps, func(a, b vmspace.Mapping) bool { return vmspace.SameMapping(&a, &b) }) {
			t.Fatalf("%+v\n%+v", whole, p.maps)
		}
	})
}
