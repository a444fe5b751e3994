package observe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

const (
	rw      = unix.PROT_READ | unix.PROT_WRITE
	private = unix.MAP_PRIVATE | unix.MAP_ANON
	shared  = unix.MAP_SHARED | unix.MAP_ANON
)

func newReader(t testing.TB, o Options) *Reader {
	t.Helper()
	r, err := NewReader(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func read(t testing.TB, r *Reader, family []vmspace.Member) *vmspace.Snapshot {
	t.Helper()
	s, err := r.Observe(ctx, family, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Processes {
		if p.Err != "" && p.State < vmspace.Zombie {
			t.Fatalf("%s: %s", p.Label, p.Err)
		}
	}
	return s
}

// letters draws the pages of r: one letter each.
func letters(p *vmspace.Process, r vmspace.Range) string {
	var b strings.Builder
	for run := range p.PagesIn(r) {
		for range run.Pages {
			b.WriteByte(".zacfsSGx?"[run.State])
		}
	}
	return b.String()
}

func wantLetters(t *testing.T, s *vmspace.Snapshot, label string, pages uint64, want string) {
	t.Helper()
	if got := letters(s.Process(label), vmspace.Range{Start: arena, End: arena + pages*pg}); got != want {
		t.Errorf("%s reads %q, want %q", label, got, want)
	}
}

// kernelAtLeast is for accusing: what came with that kernel must be there.
func kernelAtLeast(t testing.TB, major, minor int) bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var a, b int
	for i, s := range strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3)[:2] {
		n, _, _ := procfs.Decimal([]byte(s))
		if i == 0 {
			a = int(n)
		} else {
			b = int(n)
		}
	}
	return a > major || a == major && b >= minor
}

func TestFeatures(t *testing.T) {
	f := newReader(t, Options{}).Features()
	if kernelAtLeast(t, 6, 7) && !f.Scan || kernelAtLeast(t, 6, 11) && !f.Query {
		t.Errorf("this kernel has more than %+v", f)
	}
	if os.Geteuid() == 0 && (!f.Frames || !f.KPage) {
		t.Errorf("root sees more than %+v", f)
	}
}

// everyState builds one page of every state that needs no swap: at the arena, 20 pages.
func everyState(t *testing.T, p *puppet) (pages uint64, parent, child string) {
	file := filepath.Join(publicDir(t), "file")
	if err := os.WriteFile(file, make([]byte, 2*pg), 0o666); err != nil {
		t.Fatal(err)
	}
	p.mmap(arena, 4*pg, rw, private)
	p.store(arena, 1)
	p.load(arena + pg)
	p.store(arena+2*pg, 3)
	p.mmap(arena+4*pg, 2*pg, rw, shared)
	p.store(arena+4*pg, 1)
	p.mmapFile(arena+6*pg, 2*pg, rw, unix.MAP_PRIVATE, file)
	p.load(arena + 6*pg)
	p.store(arena+7*pg, 1)
	p.mmapFile(arena+8*pg, 2*pg, rw, unix.MAP_SHARED, file)
	p.store(arena+8*pg, 1)
	p.load(arena + 9*pg)
	p.mmap(arena+10*pg, 2*pg, rw, private)
	p.store(arena+10*pg, 1)
	p.must("call %d %d %d %d", unix.SYS_MPROTECT, uint64(arena+10*pg), pg, unix.PROT_NONE)
	if kernelAtLeast(t, 6, 13) {
		p.must("call %d %d %d %d", unix.SYS_MADVISE, uint64(arena+11*pg), pg, 102)
	}
	p.fork()
	p.inChild(0, 's', arena, 9)
	p.inChild(0, 'l', arena+3*pg, 0)
	guard := map[vmspace.State]string{vmspace.None: ".", vmspace.Swapped: "S", vmspace.Guard: "G"}[guardsAre(t)]
	return 12, "azc." + "s." + "fc" + "ss" + "c" + guard, "azcz" + ".." + ".c" + ".." + "c" + guard
}

// guardsAre is what a page is that was asked to be a guard page: there are none before Linux 6.13,
// and they look swapped before 6.15.
func guardsAre(t testing.TB) vmspace.State {
	switch {
	case kernelAtLeast(t, 6, 15):
		return vmspace.Guard
	case kernelAtLeast(t, 6, 13):
		return vmspace.Swapped
	}
	return vmspace.None
}

// publicDir is a folder whose files the puppet can open, whoever it runs as.
func publicDir(t testing.TB) string {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestStates holds every way of reading against what the puppet did.
func TestStates(t *testing.T) {
	p := startPuppet(t)
	pages, parent, child := everyState(t, p)
	for name, o := range map[string]Options{"all": {}, "no frames": {NoFrames: true}, "no kpage": {NoKPage: true},
		"large": {SmallMappings: -1}, "large, no query": {SmallMappings: -1, NoQuery: true}} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, o)
			s := read(t, r, p.family())
			parent, child := parent, child
			if f := r.Features(); !f.Scan && !f.Frames && !kernelAtLeast(t, 6, 6) { // then move_pages says that a page of PROT_NONE is absent
				parent, child = parent[:10]+"?"+parent[11:], child[:10]+"?"+child[11:]
			}
			wantLetters(t, s, "p1", pages, parent)
			// The child has not touched the pages that fork does not copy; a private file mapping
			// with a copied page is copied whole.
			got := letters(s.Process("p2"), vmspace.Range{Start: arena, End: arena + pages*pg})
			if want := strings.Replace(child, ".c", "fc", 1); got != child && got != want {
				t.Errorf("p2 reads %q, want %q", got, child)
			}
		})
	}
	t.Run("no scan", func(t *testing.T) {
		r := newReader(t, Options{NoScan: true, NoNodes: true})
		s := read(t, r, p.family())
		if !r.Features().Frames { // then the zero page looks like one that is shared copy-on-write
			parent = strings.NewReplacer("z", "?", "c", "?").Replace(parent[:4]) + parent[4:10] + "?" + parent[11:]
		}
		wantLetters(t, s, "p1", pages, parent)
	})
}

// Of some mappings pagemap says nothing, whatever pages they have: absence is no evidence there.
func TestBlindMappings(t *testing.T) {
	size := uint64(4096)
	m := func(page uint64, path string, flags ...string) vmspace.Mapping {
		return vmspace.Mapping{Range: vmspace.Range{Start: page * size, End: (page + 2) * size}, Perms: vmspace.Read, Path: path, Smaps: &vmspace.Counters{VMFlags: flags}}
	}
	p := &vmspace.Process{Mappings: vmspace.NewList([]vmspace.Mapping{m(16, "[vvar]"), m(18, "[vvar_vclock]"), m(20, "/dev/fb0", "pf", "io"), m(22, "[vdso]"), m(24, ""),
		m(0xffffffffff600, "[vsyscall]")})}
	for page, want := range map[uint64]vmspace.State{16: vmspace.Special, 18: vmspace.Special, 20: vmspace.Special, 22: vmspace.None, 24: vmspace.None, 30: vmspace.None, 0xffffffffff600: vmspace.Special} {
		if got := p.PageAt(page*size, size).State; got != want {
			t.Errorf("page %d is %v, want %v", page, got, want)
		}
	}
	if got := letters(p, vmspace.Range{Start: 16 * size, End: 26 * size}); got != "xxxxxx...." {
		t.Errorf("the pages are %q", got)
	}
	for _, page := range []uint64{16, 20} {
		if got := vmspace.Predict(p, page*size, vmspace.Load, vmspace.NoFacts); !got.Allows(vmspace.NoFault) || !got.Allows(vmspace.MapPage) {
			t.Errorf("page %d: %v", page, got)
		}
	}
}
