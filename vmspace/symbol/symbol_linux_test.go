package symbol

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"
)

// needs skips a test if a program is missing.
func needs(t testing.TB, name string, as string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s: %v", as, err)
	}
	return path
}

// mappings lists the mappings of a process.
func mappings(t testing.TB, pid int) []vmspace.Mapping {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	m, err := procfs.ParseMaps(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// mappingOf finds the mapping of an address.
func mappingOf(t testing.TB, all []vmspace.Mapping, addr uint64) vmspace.Mapping {
	t.Helper()
	for _, m := range all {
		if m.Contains(addr) {
			return m
		}
	}
	t.Fatalf("%#x is not mapped", addr)
	return vmspace.Mapping{}
}

// builtEnv says how the test binary was built: "full" or "stripped".
const builtEnv = "SYMBOL_TEST_BUILT"

// Of ten thousand addresses of this test binary, the runtime knows function and line.
func TestGoSelf(t *testing.T) {
	oracle(t)
	if os.Getenv(builtEnv) != "" || testing.Short() {
		return
	}
	// go test links without symbols, go test -c with them, and with DWARF.
	for _, mode := range []string{"exe", "pie"} {
		t.Run(mode, func(t *testing.T) {
			tool := needs(t, "go", "the go command")
			bin := filepath.Join(t.TempDir(), "self.test")
			if out, err := exec.Command(tool, "test", "-c", "-buildmode="+mode, "-o", bin, ".").CombinedOutput(); err != nil {
				t.Skipf("needs the go command with its sources: %v: %s", err, out)
			}
			strip, err := exec.LookPath("strip")
			for i, built := range []string{"full", "stripped"} {
				if i > 0 && err != nil {
					t.Skip("needs strip: ", err)
				}
				cmd := exec.Command(bin, "-test.run=^TestGoSelf$", "-test.v")
				cmd.Env = append(os.Environ(), builtEnv+"="+built)
				out, runErr := cmd.CombinedOutput()
				if t.Logf("%s", out); runErr != nil {
					t.Fatal(runErr)
				}
				if i == 0 && err == nil {
					if out, err := exec.Command(strip, bin).CombinedOutput(); err != nil {
						t.Fatalf("strip: %v: %s", err, out)
					}
				}
			}
		})
	}
}

// oracle compares this process with runtime.CallersFrames.
func oracle(t *testing.T) {
	all := mappings(t, os.Getpid())
	entry := uint64(runtimePC(oracle))
	var code vmspace.Mapping
	for _, m := range all {
		if m.Contains(entry) {
			code = m
		}
	}
	table := New(Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	tried, inlined, missed := 0, 0, 0
	for tried < 10_000 {
		addr := code.Start + rng.Uint64N(code.Len())
		f := runtime.FuncForPC(uintptr(addr))
		if f == nil || f.Name() == "" || strings.HasPrefix(f.Name(), "go:") || !goFunction(f, addr) {
			if missed++; missed > 1_000_000 {
				t.Fatalf("no more than %d addresses of %s are Go", tried, code)
			}
			continue
		}
		tried++
		file, line := f.FileLine(uintptr(addr))
		outer := runtime.FuncForPC(f.Entry()).Name()
		got, p := table.frames(os.Getpid(), code, addr)
		if len(got) == 0 {
			t.Fatalf("%#x is in %s (%s:%d), and nothing is known", addr, f.Name(), file, line)
		}
		if got[0].line != line || got[0].file != file {
			t.Fatalf("%#x in %s: %s:%d, want %s:%d", addr, f.Name(), got[0].file, got[0].line, file, line)
		}
		if name := got[0].function; name != f.Name() && (len(got) > 1 || name != outer) {
			t.Fatalf("%#x: %q in %v, want %q in %q", addr, name, got, f.Name(), outer)
		}
		if p.Offset != addr-uint64(f.Entry()) {
			t.Fatalf("%#x in %s: %#x bytes from its start, want %#x", addr, f.Name(), p.Offset, addr-uint64(f.Entry()))
		}
		if len(got) > 1 {
			inlined++
		}
	}
	t.Logf("%d addresses agree, %d of them in inlined functions", tried, inlined)
	if built := os.Getenv(builtEnv); built == "full" && inlined < 1000 || built == "stripped" && inlined > 0 {
		t.Errorf("%d addresses in inlined functions, and the program is %s", inlined, built)
	}
}

// cSource prints where it calls mark, and stays.
const cSource = `#include <stdio.h>
#ifdef __cplusplus
#define NAME(x) "space::thing<int>::" x
namespace space { template <class T> struct thing {
#else
#define NAME(x) x
#endif
static __attribute__((noinline)) void mark(const char *f, int line) {
	printf("%lx %d %s\n", (unsigned long)__builtin_return_address(0) - 1, line, f);
	fflush(stdout);
}
static inline __attribute__((always_inline)) void inner(void) {
	mark(NAME("inner"), __LINE__); __asm__ volatile("");
}
static __attribute__((noinline)) void outer(void) {
	inner();
	mark(NAME("outer"), __LINE__); __asm__ volatile("");
}
#ifdef __cplusplus
}; }
using it = space::thing<int>;
int main() {
	it::outer();
	it::mark("main", __LINE__); __asm__ volatile("");
#else
int main(void) {
	outer();
	mark("main", __LINE__); __asm__ volatile("");
#endif
	puts("end"); fflush(stdout);
	getchar();
	return 0;
}
`

// marked is what the program says of one of its addresses.
type marked struct {
	addr     uint64
	line     int
	function string
}

// running is a program that has said where its marks are, and lives until the end of the test.
type running struct {
	pid   int
	marks []marked
	end   func()
}

func run(t testing.TB, path string) *running {
	t.Helper()
	cmd := exec.Command(path)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{pid: cmd.Process.Pid, end: func() { in.Close(); io.Copy(io.Discard, out); cmd.Wait() }}
	t.Cleanup(r.end)
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "end"; {
		var m marked
		if _, err := fmt.Sscanf(lines.Text(), "%x %d %s", &m.addr, &m.line, &m.function); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		r.marks = append(r.marks, m)
	}
	if len(r.marks) != 3 {
		t.Fatalf("%d marks", len(r.marks))
	}
	return r
}

// compile compiles a source, and skips the test where this compiler cannot do that.
func compile(t testing.TB, name, source string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	src, bin := filepath.Join(dir, name), filepath.Join(dir, "prog")
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	cc := "cc"
	if strings.HasSuffix(name, ".cc") {
		cc = "c++"
	}
	cmd := exec.Command(needs(t, cc, "cc"), append(flags, "-o", bin, src)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		why, _, _ := strings.Cut(string(out), "\n")
		t.Skipf("needs cc that can do %s: %s", flags, why)
	}
	return bin
}

// What a program says of its own calls is what is told of their addresses.
func TestCompiled(t *testing.T) {
	const lines, names, nothing = 2, 1, 0
	for _, c := range []struct {
		flags string
		know  int
	}{
		{"-O0 -g", lines}, {"-O2 -g", lines}, {"-O2 -g -no-pie", lines}, {"-O2 -g -pie -fPIE", lines}, {"-O2 -g -static", lines},
		{"-O2 -g -static-pie", lines}, {"-O2 -gdwarf-4", lines}, {"-O2 -gdwarf-5", lines}, {"-O2 -gdwarf-3", lines},
		{"-O2 -g -gz", lines}, {"-O2 -g -gz=zstd", lines}, {"-O2 -g -flto", lines}, {"-O2 -g -gdwarf64", lines},
		{"-O2 -g -ffunction-sections -Wl,--gc-sections", lines}, {"-O2 -g1", lines}, {"-O2 -g -gsplit-dwarf", lines},
		{"-O2 -gdwarf-4 -gsplit-dwarf", lines}, {"-O2 -g -fdebug-types-section", lines},
		{"-O2", names}, {"-O2 -no-pie", names}, {"-O2 -s", nothing}, {"-O2 -g -s -no-pie", nothing},
	} {
		for _, name := range []string{"prog.c", "prog.cc"} {
			t.Run(name+" "+c.flags, func(t *testing.T) {
				bin := compile(t, name, cSource, strings.Fields(c.flags)...)
				r := run(t, bin)
				all, table := mappings(t, r.pid), New(Options{})
				for _, m := range r.marks {
					p := table.Place(r.pid, mappingOf(t, all, m.addr), m.addr)
					want := m.function
					in := want == "inner" || strings.HasSuffix(want, ":inner")
					if in && (c.know == names || strings.Contains(c.flags, "split")) {
						want = strings.Replace(want, "inner", "outer", 1) // debug/dwarf reads no .dwo
					}
					switch {
					case c.know == nothing && (p.Function != "" || p.Line != 0 || p.String() != fmt.Sprintf("prog+%#x", p.At)):
						t.Errorf("stripped, and %+v is told as %s", p, p)
					case c.know != nothing && p.Function != want:
						t.Errorf("%+v, want %s", p, want)
					case c.know == lines && (p.Line != m.line || filepath.Base(p.File) != name || p.String() != fmt.Sprintf("%s:%d %s", name, m.line, want)):
						t.Errorf("%+v, want line %d", p, m.line)
					case c.know == names && (p.Line != 0 || p.String() != fmt.Sprintf("%s+%#x", want, p.Offset)):
						t.Errorf("%+v is told as %s", p, p)
					}
					if p.Object != bin {
						t.Errorf("%+v is of %s", p, bin)
					}
				}
			})
		}
	}
}

// Names of Rust are demangled, without the hash of the old scheme.
func TestRust(t *testing.T) {
	tool, dir := needs(t, "rustc", "rustc"), t.TempDir()
	const source = `mod deep {
    pub struct Thing<T> { pub value: T }
    impl<T: Copy> Thing<T> {
        #[inline(never)]
        pub fn get(&self) -> T { std::hint::black_box(self.value) }
    }
}
fn main() {
    let get: fn(&deep::Thing<u8>) -> u8 = deep::Thing::<u8>::get;
    get(&deep::Thing { value: 1 });
    for _ in 0..3 { println!("{:x} 5 get", get as usize); }
    println!("end");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}
`
	src := filepath.Join(dir, "prog.rs")
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"opt-level=2", "symbol-mangling-version=v0"} { // the compiler's own scheme, and v0
		bin := filepath.Join(dir, "prog")
		out, err := exec.Command(tool, "-g", "-C", scheme, "-o", bin, src).CombinedOutput()
		if err != nil {
			t.Skipf("needs rustc that works: %s", out)
		}
		r := run(t, bin)
		m := r.marks[0]
		p := New(Options{}).Place(r.pid, mappingOf(t, mappings(t, r.pid), m.addr), m.addr)
		if !strings.Contains(p.Function, "deep::Thing<") || !strings.HasSuffix(p.Function, ">::get") || filepath.Base(p.File) != "prog.rs" || p.Line != 5 {
			t.Errorf("%s: %+v", scheme, p)
		}
	}
}

// The copies and parts of a function that the compiler makes have the function's name, if it is
// known.
func TestClones(t *testing.T) {
	const source = `#include <stdlib.h>
static __attribute__((noinline)) int work(int a, int n) { int s = 0; for (int i = 0; i < n; i++) s += a * i; if (s == 12345) abort(); return s; }
int main(int c, char **v) { return work(c, 1000); }
`
	for flags, plain := range map[string]bool{"-O2 -g": true, "-O2": false} {
		bin := compile(t, "prog.c", source, strings.Fields(flags)...)
		file, err := os.Open(bin)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		o := &object{most: 1 << 20}
		o.load(file, bin, Options{Patience: time.Minute})
		clones := 0
		for _, y := range o.symbols {
			name := string(o.name(y))
			if frames, _ := o.frames(y.start, time.Now().Add(time.Minute)); strings.HasPrefix(name, "work.") {
				clones++
				if len(frames) == 0 || (frames[len(frames)-1].function == "work") != plain {
					t.Errorf("%s: %s is told as %v", flags, name, frames)
				}
			}
		}
		if clones == 0 {
			t.Skip("needs cc that makes a copy of a function for a constant argument")
		}
	}
}

// A file of 32 bits is read, too.
func TestNarrow(t *testing.T) {
	bin := compile(t, "prog.c", "int f(int x) { return x * 3; }\nvoid _start(void) { f(1); }\n", "-m32", "-nostdlib", "-static", "-g", "-O0", "-fno-pie", "-no-pie")
	file, err := os.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	o := &object{most: 1 << 20}
	o.load(file, bin, Options{Patience: time.Minute})
	found := map[string]int{}
	for _, y := range o.symbols {
		frames, start := o.frames(y.end-1, time.Now().Add(time.Minute))
		if len(frames) != 1 || start != y.start {
			t.Fatalf("%+v: %v from %#x", y, frames, start)
		}
		found[frames[0].function] = frames[0].line
	}
	if found["f"] != 1 || found["_start"] != 2 {
		t.Errorf("%v", found)
	}
}
