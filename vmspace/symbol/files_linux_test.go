package symbol

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/observe"

	"golang.org/x/sys/unix"
)

// libc starts a program that uses the C library, and finds its code.
func libc(t testing.TB) (pid int, code vmspace.Mapping) {
	t.Helper()
	cat := needs(t, "cat", "a program that is linked to libc.so.6")
	cmd := exec.Command(cat)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	fmt.Fprintln(in, "there")
	bufio.NewReader(out).ReadString('\n')
	for _, m := range mappings(t, cmd.Process.Pid) {
		if strings.HasPrefix(filepath.Base(m.Path), "libc.so") && m.Perms&vmspace.Exec != 0 {
			return cmd.Process.Pid, m
		}
	}
	t.Skip("needs a program that is linked to libc.so.6")
	return 0, code
}

// Each function that nm lists is named, by one of the names that nm has for its address.
func TestLibc(t *testing.T) {
	pid, code := libc(t)
	out, err := exec.Command(needs(t, "nm", "nm"), "-D", "--defined-only", "-S", code.Path).Output()
	if err != nil {
		t.Skipf("needs nm that can read %s: %v", code.Path, err)
	}
	names, sizes := map[uint64][]string{}, map[uint64]uint64{}
	for line := range strings.Lines(string(out)) {
		var addr, size uint64
		var kind, name string
		if n, _ := fmt.Sscanf(line, "%x %x %s %s", &addr, &size, &kind, &name); n == 4 && strings.Contains("TtWwi", kind) {
			name, _, _ = strings.Cut(name, "@")
			names[addr], sizes[addr] = append(names[addr], name), max(size, sizes[addr])
		}
	}
	table, checked := New(Options{}), 0
	for at, all := range names {
		for _, off := range []uint64{0, sizes[at] / 2, sizes[at] - 1} {
			addr := at + off - code.Offset + code.Start // vaddr is the file's offset in code of libc
			if !code.Contains(addr) {
				continue
			}
			p := table.Place(pid, code, addr)
			if p.At != at+off {
				t.Skipf("needs a libc whose code lies at its offset in the file: %#x is at %#x", at+off, p.At)
			}
			checked++
			if i := slices.Index(all, p.Function); i < 0 && len(names[p.At-p.Offset]) == 0 {
				t.Errorf("%#x: %+v, nm has %s", at+off, p, all)
			} else if i >= 0 && slices.ContainsFunc(all, func(n string) bool { return len(n) < len(p.Function) }) {
				t.Errorf("%+v: nm has a shorter name: %s", p, all)
			} else if i >= 0 && p.Offset != off {
				t.Errorf("%+v: %#x bytes from its start", p, off)
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d addresses were checked", checked)
	}
	for name, want := range map[string]string{"malloc": "malloc", "puts": "puts"} {
		for at, all := range names {
			if slices.Contains(all, name) {
				if p := table.Place(pid, code, at-code.Offset+code.Start); p.String() != want+"+0x0" {
					t.Errorf("%s is told as %s", name, p)
				}
			}
		}
	}
	if p := table.Place(pid, code, code.Start); p.Object != code.Path {
		t.Errorf("%+v", p)
	}
}

// What addr2line says of every 16th byte of a program's code is what is told.
func TestAddr2line(t *testing.T) {
	tool := needs(t, "addr2line", "addr2line")
	for _, flags := range []string{"-O2 -gdwarf-5", "-O2 -gdwarf-4 -no-pie"} {
		t.Run(flags, func(t *testing.T) {
			bin := compile(t, "prog.cc", strings.Replace(cSource, "#include <stdio.h>", `#include <stdio.h>
#include <map>
#include <string>
#include <vector>
#include <algorithm>
std::map<std::string, std::vector<int>> all;
__attribute__((noinline)) void use(int n) { all[std::to_string(n)].push_back(n); std::sort(all["1"].begin(), all["1"].end()); }
`, 1), strings.Fields(flags)...)
			r := run(t, bin)
			m := mappingOf(t, mappings(t, r.pid), r.marks[0].addr)
			table := New(Options{})
			var ask bytes.Buffer
			var got [][]frame
			var places []vmspace.Place
			for addr := m.Start; addr < m.End; addr += 16 {
				frames, p := table.frames(r.pid, m, addr)
				if len(frames) > 0 && frames[0].line > 0 {
					fmt.Fprintf(&ask, "%#x\n", p.At)
					got, places = append(got, frames), append(places, table.Place(r.pid, m, addr))
				}
			}
			cmd := exec.Command(tool, "-a", "-f", "-i", "-e", bin)
			cmd.Stdin = &ask
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			chunks := strings.Split("\n"+string(out), "\n0x")[1:]
			if len(chunks) != len(got) || len(got) < 200 {
				t.Fatalf("%d answers to %d questions", len(chunks), len(got))
			}
			wrong, deep, checked := 0, 0, 0
			const sourceLines = 50
			for i, chunk := range chunks {
				rows := strings.Split(strings.TrimSpace(chunk), "\n")
				var want []frame
				for j := 1; j+1 < len(rows); j += 2 {
					file, line, _ := strings.Cut(rows[j+1], ":")
					f := frame{function: demangled(rows[j]), file: filepath.Clean(file)}
					fmt.Sscan(line, &f.line)
					want = append(want, f)
				}
				deep = max(deep, len(want))
				// addr2line of binutils 2.40 takes the wrong file for some lines of DWARF 5, and
				// the name of the symbol for functions that the compiler wrote.
				if n := len(want) - 1; n < 0 || want[0].line > sourceLines && filepath.Base(want[0].file) == "prog.cc" || strings.HasPrefix(want[n].function, "_GLOBAL_") {
					continue
				}
				checked++
				// The line of the place is the user's, if one of the functions is the user's.
				line := frame{file: want[0].file, line: want[0].line}
				if j := slices.IndexFunc(want, func(f frame) bool { return !Foreign(f.file) }); j >= 0 {
					line = frame{file: want[j].file, line: want[j].line}
				}
				if p := places[i]; p.File != line.file || p.Line != line.line || p.Function != want[0].function {
					wrong++
					t.Logf("%+v, want %v", p, line)
				}
				if !slices.Equal(got[i], want) {
					if wrong++; wrong <= 5 {
						t.Logf("0x%s: got  %v\nwant %v", rows[0], got[i], want)
					}
				}
			}
			t.Logf("%d of %d compared, %d differ; up to %d functions deep", checked, len(got), wrong, deep)
			if wrong > 0 || checked < len(got)*9/10 {
				t.Errorf("%d of %d addresses are told otherwise than by addr2line", wrong, checked)
			}
		})
	}
}

// copyOf copies a file.
func copyOf(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A program whose file was deleted is still read; another file at its path is not believed.
func TestReplaced(t *testing.T) {
	for _, with := range []string{"nothing", "another file", "a folder", "a fifo"} {
		t.Run(with, func(t *testing.T) {
			bin := compile(t, "prog.c", cSource, "-g")
			r := run(t, bin)
			if err := os.Remove(bin); err != nil {
				t.Fatal(err)
			}
			switch with {
			case "another file":
				copyOf(t, "/proc/self/exe", bin)
			case "a folder":
				os.Mkdir(bin, 0o755)
			case "a fifo":
				unix.Mkfifo(bin, 0o644)
			}
			all, table := mappings(t, r.pid), New(Options{})
			for _, m := range r.marks {
				p := table.Place(r.pid, mappingOf(t, all, m.addr), m.addr)
				if p.Line != m.line || p.Function != m.function {
					t.Errorf("%+v, want %+v", p, m)
				}
			}
		})
	}
}

// A library that was replaced cannot be opened by an ordinary user, and then has no names.
func TestReplacedLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lib")
	copyOf(t, "/proc/self/exe", path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, 1<<20, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	m := mappingOf(t, mappings(t, os.Getpid()), addressOf(b))
	if f, _, err := openFile(path, &m); err != nil {
		t.Errorf("the file that is mapped: %v", err)
	} else {
		f.Close()
	}
	// The other way to know a file, where stat(2) and maps give other devices.
	if g, _ := os.Open("/proc/self/exe"); !mapsAs(f, &m) || mapsAs(g, &m) {
		t.Error("a mapping of the file is not recognised, or another is")
	}
	os.Rename(path, path+".old")
	copyOf(t, "/proc/self/exe", path)
	if _, _, err := openFile(path, &m); err == nil {
		t.Error("another file at the same path was opened")
	}
	p := New(Options{}).Place(os.Getpid(), m, m.Start+0x1234)
	if p.At == 0 || p.Object != m.Path {
		t.Errorf("%+v", p)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/self/map_files/%x-%x", m.Start, m.End)); err != nil && p.Function != "" {
		t.Errorf("%+v was read from another file", p)
	}
}

// The vdso is named from the memory of the process, and reading it makes no page of it present.
func TestVDSO(t *testing.T) {
	r, err := observe.NewReader(observe.Options{})
	if err != nil {
		t.Skip("needs what an observer needs: ", err)
	}
	defer r.Close()
	t.Run("child", func(t *testing.T) {
		pid, _ := libc(t)
		vdso(t, r, pid)
	})
	t.Run("self", func(t *testing.T) { vdso(t, r, os.Getpid()) })
}

func vdso(t *testing.T, r *observe.Reader, pid int) {
	all := mappings(t, pid)
	i := slices.IndexFunc(all, func(m vmspace.Mapping) bool { return m.Path == "[vdso]" })
	if i < 0 {
		t.Skip("needs a vdso")
	}
	m := all[i]
	present, err := r.Peek(pid, m.Start, make([]byte, m.Len()))
	if err != nil {
		t.Skip("needs to read the memory of a process of its own: ", err)
	}
	table, found := New(Options{Peek: r.Peek}), map[string]bool{}
	for addr := m.Start; addr < m.End; addr += 4 {
		p := table.Place(pid, m, addr)
		if p.Function != "" {
			found[p.Function] = true
		}
		if p.Object != "[vdso]" {
			t.Fatalf("%+v", p)
		}
	}
	if after, err := r.Peek(pid, m.Start, make([]byte, m.Len())); pid != os.Getpid() && (err != nil || !slices.Equal(present, after)) {
		t.Errorf("present before: %v, after: %v %v", present, after, err)
	}
	if want := slices.Contains(present, true); want != (found["clock_gettime"] || found["__kernel_clock_gettime"] || found["__vdso_clock_gettime"]) {
		t.Errorf("present: %v, found %v", present, found)
	}
	// A vdso whose present page differs is not the kernel's.
	other := New(Options{Peek: func(pid int, addr uint64, buf []byte) ([]bool, error) {
		present, err := r.Peek(pid, addr, buf)
		buf[0x40]++
		present[len(present)-1] = false
		return present, err
	}})
	if p := other.Place(pid, m, m.Start+0x800); p.Function != "" {
		t.Errorf("the vdso was changed, and is %s", p)
	}
	if p := New(Options{}).Place(pid, m, m.Start+16); p.Function != "" || !strings.HasPrefix(p.String(), "[vdso]+0x") {
		t.Errorf("without a way to read memory: %+v", p)
	}
	t.Log(present, found)
}

// Lines come from a separate debug file, by its build-id or its link, if it is the right one.
func TestDebugFile(t *testing.T) {
	objcopy := needs(t, "objcopy", "objcopy")
	for _, c := range []string{"link", "link in .debug", "build-id", "wrong checksum", "wrong build-id"} {
		t.Run(c, func(t *testing.T) {
			bin := compile(t, "prog.c", cSource, "-g", "-O2", "-Wl,--build-id=sha1")
			dir, root := filepath.Dir(bin), t.TempDir()
			do := func(args ...string) {
				t.Helper()
				cmd := exec.Command(objcopy, args...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %s", args, out)
				}
			}
			f, err := os.Open(bin)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			e, err := parseELF(f, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			id := fmt.Sprintf("%x", buildID(e))
			do("--only-keep-debug", "prog", "prog.debug")
			do("--strip-all", "--add-gnu-debuglink=prog.debug", "prog")
			good := true
			switch c {
			case "link in .debug":
				os.Mkdir(filepath.Join(dir, ".debug"), 0o755)
				os.Rename(filepath.Join(dir, "prog.debug"), filepath.Join(dir, ".debug/prog.debug"))
			case "build-id":
				to := filepath.Join(root, ".build-id", id[:2])
				os.MkdirAll(to, 0o755)
				os.Rename(filepath.Join(dir, "prog.debug"), filepath.Join(to, id[2:]+".debug"))
			case "wrong build-id":
				other := compile(t, "prog.c", cSource+"int more;\n", "-g", "-O2", "-Wl,--build-id=sha1")
				to := filepath.Join(root, ".build-id", id[:2])
				os.MkdirAll(to, 0o755)
				os.Rename(other, filepath.Join(to, id[2:]+".debug"))
				os.Remove(filepath.Join(dir, "prog.debug"))
				good = false
			case "wrong checksum":
				other := compile(t, "prog.c", cSource+"int more;\n", "-g", "-O2")
				os.Rename(other, filepath.Join(dir, "prog.debug"))
				good = false
			}
			r := run(t, bin)
			all, table := mappings(t, r.pid), New(Options{DebugRoot: root})
			for _, m := range r.marks {
				p := table.Place(r.pid, mappingOf(t, all, m.addr), m.addr)
				if good && (p.Line != m.line || p.Function != m.function) || !good && p.Line != 0 {
					t.Errorf("%+v, want %+v", p, m)
				}
			}
		})
	}
}

// The debug file of a system library is read only on request.
func TestSystemDebug(t *testing.T) {
	pid, code := libc(t)
	addr := code.Start + code.Len()/2
	if frames, _ := New(Options{}).frames(pid, code, addr); len(frames) > 0 && frames[0].line > 0 {
		t.Errorf("%v: a debug file was read", frames)
	}
	table, lines := New(Options{SystemDebug: true, Memory: 256 << 20, Patience: time.Minute}), 0
	start := time.Now()
	table.Place(pid, code, addr)
	first := time.Since(start)
	for range 1000 {
		if p := table.Place(pid, code, code.Start+rand.Uint64N(code.Len())); p.Line > 0 {
			lines++
		}
	}
	if lines == 0 {
		t.Skip("needs the debug file of libc")
	}
	t.Logf("lines for %d of 1000 addresses; first %v", lines, first)
}

// Memory stays within its bound, and several goroutines may ask.
func TestBounds(t *testing.T) {
	pid, code := libc(t)
	self := mappingOf(t, mappings(t, os.Getpid()), uint64(runtimePC(TestBounds)))
	table := New(Options{Memory: 64 << 10})
	small := New(Options{Memory: 8 << 20})
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 200 {
				for _, m := range []struct {
					pid int
					vmspace.Mapping
				}{{pid, code}, {os.Getpid(), self}} {
					addr := m.Start + uint64(i*200+j)*64
					if p := table.Place(m.pid, m.Mapping, addr); p.Object != m.Path {
						t.Errorf("%+v", p)
					}
					small.Place(m.pid, m.Mapping, addr)
				}
			}
		})
	}
	wait.Wait()
	for _, x := range []*Table{table, small} {
		var sum int64
		for _, o := range x.objects {
			sum += o.cost.Load()
		}
		if sum > x.opt.Memory && len(x.objects) > 1 {
			t.Errorf("%d bytes of %d objects, %d allowed", sum, len(x.objects), x.opt.Memory)
		}
	}
	if p := small.Place(pid, code, code.End); p.At != code.End || p.Object != "" || p.String() != fmt.Sprintf("%#x", code.End) {
		t.Errorf("outside of the mapping: %+v", p)
	}
}

func BenchmarkFirst(b *testing.B) {
	pid, code := libc(b)
	for b.Loop() {
		New(Options{}).Place(pid, code, code.Start+0x1000)
	}
}

func BenchmarkNext(b *testing.B) {
	pid, code := libc(b)
	table, i := New(Options{}), uint64(0)
	for b.Loop() {
		table.Place(pid, code, code.Start+i*4096%code.Len())
		i++
	}
}

func BenchmarkNextLine(b *testing.B) {
	bin := compile(b, "prog.c", cSource, "-g", "-O2")
	r := run(b, bin)
	m, table, i := mappingOf(b, mappings(b, r.pid), r.marks[0].addr), New(Options{}), 0
	for b.Loop() {
		table.Place(r.pid, m, r.marks[i%3].addr)
		i++
	}
}
