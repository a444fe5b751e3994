package procfs

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"cowscope/vmspace"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/text/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseMaps(t *testing.T) {
	maps, err := ParseMaps(nil, fixture(t, "maps-6.18"))
	if err != nil {
		t.Fatal(err)
	}
	if len(maps) != 12 {
		t.Fatalf("%d mappings", len(maps))
	}
	var kinds []string
	for _, m := range maps {
		kinds = append(kinds, m.Kind().String())
	}
	if got := strings.Join(kinds, " "); got != "shmem heap anon file file shmem anon file special special stack special" {
		t.Errorf("kinds are %s", got)
	}
	want := vmspace.Mapping{Range: vmspace.Range{Start: 0x7ffff7c26000, End: 0x7ffff7d7c000}, Perms: vmspace.Read | vmspace.Exec, Offset: 0x26000, Major: 0xfe, Inode: 1234567,
		Path: "/usr/lib/x86_64-linux-gnu/libc.so.6"}
	if maps[4] != want {
		t.Errorf("%+v, want %+v", maps[4], want)
	}
	if maps[7].Path != "/tmp/two\nlines  and blanks" || maps[5].Perms.String() != "rw-s" || maps[6].Path != "" {
		t.Errorf("%+v", maps[5:8])
	}
}

func TestParseMapsErrors(t *testing.T) {
	good := "1000-2000 rw-p 00000000 00:00 0\n"
	for text, want := range map[string]string{
		"\n":                                  "maps line 1: bad start",
		good + "x":                            "maps line 2: bad start",
		good + "2000-3000 rw":                 "maps line 2: bad permissions",
		good + "3000-3000 rw-p ":              "maps line 2: ends before",
		good + good:                           "maps line 2: overlaps",
		"1-2 rwxq 0 0:0 0":                    "bad permissions",
		"1-2 rwxp g 0:0 0":                    "bad offset",
		"1-2 rwxp 0 0:":                       "bad device",
		"1-2 rwxp 0 0:0 ":                     "bad inode",
		"1-2 rwxp 0 0:0 99999999999999999999": "bad inode",
		"1-2 rwxp 0 123456789:0 1":            "bad device",
		"11111111111111111-2 rwxp 0 0:0 0":    "bad start",
		"1-2 rwxp 0 0:0 1 ok\n2-3 rwxp 0 0:0 zz path": "maps line 2: bad inode",
	} {
		if _, err := ParseMaps(nil, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestParseMapsAllocates holds that a mapping costs no allocation but for a new name.
func TestParseMapsAllocates(t *testing.T) {
	var text bytes.Buffer
	for i := range 1000 {
		a := 0x1000 * (i + 1)
		text.WriteString(fmt.Sprintf("%x-%x", a, a+0x1000) + " rw-p 00000000 fe:00 77   /usr/lib/libthing.so\n")
	}
	dst := make([]vmspace.Mapping, 0, 1000)
	if n := testing.AllocsPerRun(20, func() {
		if _, err := ParseMaps(dst, text.Bytes()); err != nil {
			t.Fatal(err)
		}
	}); n > 4 {
		t.Errorf("%v allocations for 1000 mappings of one file", n)
	}
}

func TestParseSmaps(t *testing.T) {
	maps, err := parseSmaps(nil, fixture(t, "smaps-future"))
	if err != nil {
		t.Fatal(err)
	}
	if len(maps) != 2 {
		t.Fatalf("%d mappings", len(maps))
	}
	c := maps[0].Smaps
	if c.Rss != 4096 || c.Pss != 2048 || c.Swap != 12<<10 || c.Locked != 4096 || c.AnonHuge != 2<<20 || c.LazyFree != 0 ||
		c.Private != 96<<10 || c.Clean != 40<<10 || c.Anonymous != 128<<10 {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(c.VMFlags, []string{"rd", "ex", "mr", "mw", "me", "lo", "zz9"}) || !c.HasFlag("zz9") || maps[1].Smaps.HasFlag("lo") {
		t.Errorf("%q", c.VMFlags)
	}
	for text, want := range map[string]string{
		"Rss: 1 kB\n":                                     "line 1: no mapping before it",
		"1-2 rw-p 0 0:0 0\nRss: x kB\n":                   "line 2: bad number",
		"1-2 rw-p 0 0:0 0\nRss: 1 MB\n":                   "line 2: bad number",
		"1-2 rw-p 0 0:0 0\nRss: 99999999999999999 kB\n":   "line 2: bad number",
		"1-2 rw-p 0 0:0 0\nProtectionKey: x\n":            "line 2: bad number",
		"1-2 rw-p 0 0:0 0\nProtectionKey: 65536\n":        "line 2: bad number",
		"1-2 rw-p 0 0:0 0\nProtectionKey: 1 kB\n":         "line 2: bad number",
		"1-2 rw-p 0 0:0 0\nRss: 1 kB\n1-2 rw-p 0 0:0 0\n": "line 3: overlaps",
	} {
		if _, err := parseSmaps(nil, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

const statLine = "4242 (evil) Z 1 (\n) T 1 2 3 4 5 64 777 8 9 10 11 12 13 14 15 16 17 18 4321 999 55 18446744073709551615 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 66666 22 23 24 0\n"

func TestParseStat(t *testing.T) {
	s, err := ParseStat([]byte(statLine))
	if err != nil {
		t.Fatal(err)
	}
	want := Stat{State: vmspace.Stopped, MinorFlt: 777, MajorFlt: 9, StartTime: 4321, Size: 999, RSSPages: 55, StartStack: 3, StartBrk: 66666, ArgStart: 22}
	if s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	for _, bad := range []string{"", "1 x R", "1 (x R 1", "1 (x) R 1 2", strings.Replace(statLine, "777", "-1", 1)} {
		if _, err := ParseStat([]byte(bad)); err == nil {
			t.Errorf("%q should not parse", bad)
		}
	}
}

func FuzzParseMaps(f *testing.F) {
	f.Add(fixture(f, "maps-6.18"))
	f.Fuzz(func(t *testing.T, text []byte) {
		maps, err := ParseMaps(nil, text)
		if err == nil && bytes.Count(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))+1 != len(maps) && len(text) > 0 {
			t.Fatalf("%d mappings from %q", len(maps), text)
		}
		checkParsed(t, maps)
	})
}

func checkParsed(t *testing.T, maps []vmspace.Mapping) {
	for i, m := range maps {
		if m.Empty() || i > 0 && maps[i-1].End > m.Start || strings.Contains(m.Path, `\012`) {
			t.Fatalf("mapping %d is %+v", i, m)
		}
		m.Kind()
		m.Class()
	}
}

func FuzzParseSmaps(f *testing.F) {
	f.Add(fixture(f, "smaps-future"))
	f.Fuzz(func(t *testing.T, text []byte) {
		maps, _ := parseSmaps(nil, text)
		checkParsed(t, maps)
		for _, m := range maps {
			if m.Smaps == nil {
				t.Fatalf("%+v has no counters", m)
			}
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseStat(text); err == nil && s.State > vmspace.Gone {
			t.Fatalf("%+v", s)
		}
	})
}

// parseSmaps appends to dst the mappings that the text of /proc/PID/smaps lists, with their
// counters.
func parseSmaps(dst []vmspace.Mapping, text []byte) ([]vmspace.Mapping, error) {
	p := SmapsParser{maps: dst}
	err := p.Parse(text)
	return p.maps, err
}
