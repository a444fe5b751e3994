package verdict

import (
	"io/fs"
	"strings"
	"testing"

	"cowscope/assets"
	"cowscope/vmspace"
)

// Every verdict has a name of its own and says what it means; its lesson is there, in every language.
func TestRows(t *testing.T) {
	languages, err := fs.Glob(assets.Lessons, "lessons/*/one-page.md")
	if err != nil || len(languages) == 0 {
		t.Fatal(languages, err)
	}
	names := map[string]bool{}
	for _, r := range Rows {
		if names[r.Name] || r.About == "" || len(r.Name) > 14 {
			t.Errorf("%+v", r)
		}
		names[r.Name] = true
		for _, l := range languages {
			if r.Lesson == "" {
				continue
			}
			if _, err := fs.Stat(assets.Lessons, strings.Replace(l, "one-page", r.Lesson, 1)); err != nil {
				t.Errorf("%s: %v", r.Name, err)
			}
		}
	}
	for _, lesson := range sharedLessons {
		if _, err := fs.Stat(assets.Lessons, "lessons/en/"+lesson+".md"); err != nil {
			t.Error(err)
		}
	}
}

// process is a process with one mapping of 64 huge blocks.
func process(path string, perms vmspace.Perms, c *vmspace.Counters, runs ...vmspace.Run) *vmspace.Snapshot {
	m := vmspace.Mapping{Range: vmspace.Range{Start: 1 << 30, End: 1<<30 + 128<<20}, Perms: perms, Path: path, Inode: 7, Smaps: c}
	if path == "" {
		m.Inode = 0
	}
	p := &vmspace.Process{Member: vmspace.Member{Label: "p1", PID: 1}, Mappings: vmspace.NewList([]vmspace.Mapping{m}), Pages: vmspace.NewList(runs)}
	return &vmspace.Snapshot{PageSize: 4096, Processes: []*vmspace.Process{p}}
}

func judged(s *vmspace.Snapshot, f Facts, name string) *Finding {
	for _, x := range Judge(s, &f) {
		if x.Verdict == name {
			return &x
		}
	}
	return nil
}

const rw = vmspace.Read | vmspace.Write

// What a reader could not see is unknown where it matters, and never judged.
func TestUnknown(t *testing.T) {
	clean := &vmspace.Counters{Rss: 8 << 20, Pss: 8 << 20, Private: 8 << 20, Clean: 8 << 20}
	full := vmspace.Run{Start: 1 << 30, Pages: 512, State: vmspace.Anon, Word: vmspace.WordPresent}
	seen := map[FileID]File{{0, 0, 7}: {Size: 128 << 20, Regular: true}}
	for _, c := range []struct {
		name, verdict string
		s             *vmspace.Snapshot
		f             Facts
		unknown       string // "" where it is judged; "-" where there is nothing to say
	}{
		{"a file that cannot be looked at", "page-cache", process("/f", vmspace.Read, clean), Facts{}, "needs root: 8 MiB"},
		{"a file that can", "page-cache", process("/f", vmspace.Read, clean), Facts{Files: seen}, ""},
		{"a file whose end is not seen", "past-end", process("/f", vmspace.Read, clean), Facts{}, "needs root: of 1 mapping,"},
		{"a file whose end is seen", "past-end", process("/f", vmspace.Read, clean), Facts{Files: seen}, "-"},
		{"small pages where huge ones are made", "huge-copied", process("", rw, &vmspace.Counters{}, full), Facts{THP: "always"}, "needs frames: 2 MiB"},
		{"small pages where none are made", "huge-copied", process("", rw, &vmspace.Counters{}, full), Facts{THP: "never"}, "-"},
		{"huge pages, nobody knows where", "huge-sparse", process("", rw, &vmspace.Counters{AnonHuge: 2 << 20}), Facts{}, "needs scan"},
		{"huge pages that may not be read", "huge-sparse", process("", rw, &vmspace.Counters{AnonHuge: 2 << 20}), Facts{Own: map[string]Own{"p1": {Huge: HugeSample{Of: 1, Err: "denied"}}}}, "needs the bytes of its huge pages: denied"},
		{"merged, and not counted", "ksm", process("", rw, &vmspace.Counters{}), Facts{Merging: true}, "needs Linux 6.7"},
		{"counted, and none merged", "ksm", process("", rw, &vmspace.Counters{}), Facts{Merging: true, CountsKSM: true}, "-"},
		{"no limit of mappings", "near-map-limit", process("", rw, nil), Facts{}, "-"},
		{"a limit of one mapping", "near-map-limit", process("", rw, nil), Facts{MaxMapCount: 1}, ""},
	} {
		switch f := judged(c.s, c.f, c.verdict); {
		case f == nil:
			if c.unknown != "-" {
				t.Errorf("%s: nothing is said", c.name)
			}
		case c.unknown == "-", c.unknown == "" && f.Unknown != "", !strings.HasPrefix(f.Unknown, c.unknown), (f.Unknown == "") != (f.Text != ""):
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

// A block is judged by where its frames are: a huge page of which every page is in its place is
// whole, even where small pages map it.
func TestBlocks(t *testing.T) {
	run := func(index, pages, frame uint64, flags uint64) vmspace.Run {
		return vmspace.Run{Start: 1<<30 + index*4096, Pages: pages, State: vmspace.COW, Word: vmspace.WordPresent, Frame: frame, KFlags: flags}
	}
	for name, c := range map[string]struct {
		runs  []vmspace.Run
		bytes uint64
	}{
		"whole":                 {[]vmspace.Run{run(0, 512, 1024, vmspace.KTHP)}, 0},
		"one page copied":       {[]vmspace.Run{run(0, 100, 1024, vmspace.KTHP), run(100, 1, 7, vmspace.KAnon), run(101, 411, 1125, vmspace.KTHP)}, 2 << 20},
		"never a huge page":     {[]vmspace.Run{run(0, 512, 1024, vmspace.KAnon)}, 0},
		"large, not in place":   {[]vmspace.Run{run(0, 512, 1025, vmspace.KTHP)}, 0},
		"two blocks, one split": {[]vmspace.Run{run(0, 1023, 1024, vmspace.KTHP), run(1023, 1, 7, vmspace.KAnon)}, 2 << 20},
	} {
		f := judged(process("", rw, &vmspace.Counters{}, c.runs...), Facts{}, "huge-copied")
		if (f != nil) != (c.bytes > 0) || f != nil && f.Bytes != c.bytes {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
