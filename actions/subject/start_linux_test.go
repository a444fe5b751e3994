//go:build amd64 || arm64

package subject

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"cowscope/actions/image"

	"golang.org/x/sys/unix"
)

func TestProgramIsAnELF(t *testing.T) {
	f, err := elf.NewFile(bytes.NewReader(program("/proc/1/fd/3", nil)))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || f.Entry != textBase+stubEntry || len(f.Progs) != 2 {
		t.Errorf("%+v", f.FileHeader)
	}
	if load := f.Progs[0]; load.Vaddr != textBase || load.Flags != elf.PF_R|elf.PF_X || load.Vaddr%load.Align != load.Off%load.Align {
		t.Errorf("%+v", load)
	}
	if stack := f.Progs[1]; stack.Type != elf.PT_GNU_STACK || stack.Flags != elf.PF_R|elf.PF_W {
		t.Errorf("%+v", stack)
	}
	end := 0
	for _, c := range code {
		if c.at < end {
			t.Errorf("the piece at %#x overlaps the one before it", c.at)
		}
		end = c.at + len(c.bytes)
	}
	if end > nameAt {
		t.Error("the stubs run into the name")
	}
}

// Every row of the address space is one that the screen can name.
func TestCleanAddressSpace(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		row := regexp.MustCompile(`^00400000-[0-9a-f]+ r-xp .*cowscope-subject|\[(vvar|vvar_vclock|vdso|stack|vsyscall)\]$`)
		text := maps(t, p)
		for line := range strings.Lines(text) {
			if !row.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Errorf("unexpected row %s", line)
			}
		}
		if !regexp.MustCompile(`(?m)^[0-9a-f]+-[0-9a-f]+ rw-p .*\[stack\]$`).MatchString(text) {
			t.Errorf("the stack is not rw-p:\n%s", text)
		}
		if start, n := Text(); start != textBase || !strings.HasPrefix(text, fmt.Sprintf("%08x-%08x ", start, start+n)) {
			t.Errorf("Text is %#x, %d", start, n)
		}
	})
}

func TestAddressesRepeat(t *testing.T) {
	inTracer(t, func(tr *Tracer) {
		inode := regexp.MustCompile(`(00:[0-9a-f]+) \d+ +`)
		var before string
		for range 5 {
			p := start(t, tr, Config{})
			if p.Randomized() {
				t.Skip("this system does not let randomisation be switched off")
			}
			text := inode.ReplaceAllString(maps(t, p), "$1 ")
			if before != "" && text != before {
				t.Fatalf("mappings differ:\n%s%s", before, text)
			}
			before = text
		}
		p := start(t, tr, Config{ASLR: true})
		if text := inode.ReplaceAllString(maps(t, p), "$1 "); text == before || !p.Randomized() {
			t.Error("randomisation was asked for and is off")
		}
		if got, _, _ := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0); got != 0 {
			t.Errorf("the thread keeps personality %#x", got)
		}
	})
}

func TestAppearance(t *testing.T) {
	// A file that is not closed on exec must not reach the subject.
	fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	inSubject(t, Config{}, func(p *Process) {
		read := func(name string) string {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.PID(), name))
			if err != nil {
				t.Error(err)
			}
			return string(b)
		}
		if got := read("comm"); got != "cow-subject\n" {
			t.Errorf("comm is %q", got)
		}
		if got := read("cmdline"); got != "cowscope-subject\x00" {
			t.Errorf("cmdline is %q", got)
		}
		if got := read("environ"); got != "" {
			t.Errorf("environment is %q", got)
		}
		if got := read("oom_score_adj"); got != "1000\n" {
			t.Errorf("oom_score_adj is %q", got)
		}
		if sid, err := unix.Getsid(p.PID()); sid != p.PID() {
			t.Errorf("session %d, %v", sid, err)
		}
		if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID())); len(open) != 3 {
			t.Errorf("open files, beside the usual three: %v, %v", open, err)
		}
	})
}

// Where memory may not be executed a file is used, which has no name any more.
func TestTemporaryFile(t *testing.T) {
	refuse := image.Source{Name: "memfd", Open: func(string, []byte) (*os.File, error) { return nil, syscall.EACCES }}
	noexec := image.Source{Name: "not executable", Open: func(name string, elf []byte) (*os.File, error) {
		f, err := image.OpenMemfd(name, elf)
		if err == nil {
			err = f.Chmod(0o400)
		}
		return f, err
	}}
	dir := t.TempDir()
	inTracer(t, func(tr *Tracer) {
		p, err := tr.start(Config{Calls: testCalls}, []image.Source{refuse, noexec, image.InDir("/nonexistent"), image.InDir(dir)})
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(p.Refused(), syscall.EACCES) || !errors.Is(p.Refused(), os.ErrNotExist) {
			t.Errorf("refused: %v", p.Refused())
		}
		if q := start(t, tr, Config{}); q.Refused() != nil {
			t.Errorf("memory is refused: %v", q.Refused())
		}
		if !strings.Contains(maps(t, p), dir) {
			t.Errorf("does not run from %s:\n%s", dir, maps(t, p))
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
		alive(t, p)
		fork(t, p)

		_, err = tr.start(Config{Calls: testCalls}, []image.Source{refuse, noexec})
		if !errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "\n") {
			t.Errorf("everything refused: %v", err)
		}
	})
	if files, _ := os.ReadDir("/proc/self/fd"); len(files) > 20 {
		t.Errorf("%d files are open", len(files))
	}
}

// The real setting, where this kernel has it and we may change it in a
// namespace of our own, is tried by hand; here every real source is.
func TestEverySource(t *testing.T) {
	inTracer(t, func(tr *Tracer) {
		started := 0
		for _, s := range image.Sources() {
			if p, err := tr.start(Config{Calls: testCalls}, []image.Source{s}); err == nil {
				alive(t, p)
				started++
			} else {
				t.Logf("%s: %v", s.Name, err)
			}
		}
		if started < 2 {
			t.Errorf("only %d sources work here", started)
		}
	})
}

// Traps fill the text page to its end, whatever the size of a page.
func TestTextEndsWithTraps(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		last := textBase + pageSize - uint64(len(trapBytes))
		if e := must(t)(p.Jump(last)); !e.Trap || e.IP != last {
			t.Error(describe(e))
		}
	})
}
