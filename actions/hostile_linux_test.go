package actions

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/history"
)

// Scripts from strangers. Whatever they make the subject execute, nothing happens but what the
// verbs do, and the session lives.

// syscallCode is machine code that makes a system call and returns.
func syscallCode(nr int) string {
	var b []byte
	switch runtime.GOARCH {
	case "amd64":
		b = binary.LittleEndian.AppendUint32([]byte{0xb8}, uint32(nr)) // mov eax, nr
		b = append(b, 0x0f, 0x05, 0xc3)                                // syscall; ret
	case "arm64":
		for _, w := range []uint32{0xd2800008 | uint32(nr)<<5, 0xd4000001, 0xd65f03c0} { // mov x8, nr; svc 0; ret
			b = binary.LittleEndian.AppendUint32(b, w)
		}
	}
	return strconv.Quote(string(b))
}

func TestNoSystemCallOfOnesOwn(t *testing.T) {
	const calls, room = 480, 16
	l := open(t)
	l.all(fmt.Sprintf("mmap %d rw private anon", calls*room))
	for nr := range calls {
		l.all(fmt.Sprintf("write a+%d %s", nr*room, syscallCode(nr)))
	}
	l.all("mprotect a rx")
	for nr := range calls {
		if st := l.want("refused", fmt.Sprintf("exec a+%d", nr*room)); !strings.Contains(st.Why, fmt.Sprintf("system call %d", nr)) {
			t.Fatalf("call %d: %s", nr, st.Why)
		}
	}
	l.all("mprotect a rwx", "fork", "write a 1")
	if runtime.GOARCH == "amd64" {
		// The gates of 32-bit programs: int 0x80 and sysenter.
		for _, code := range []string{`"\xb8\x05\x00\x00\x00\xcd\x80\xc3"`, `"\xb8\x05\x00\x00\x00\x0f\x34\xc3"`} {
			l.all("write a " + code)
			if st := l.do("exec a"); st.OK() {
				t.Errorf("%s: %s", code, st.Why)
			}
			l.all("write a 1")
		}
	}
	if n, _ := l.s.f.Count(); n != 2 {
		t.Errorf("%d processes live", n)
	}
}

// A script that loops or takes what there is meets a limit, is told so, and the session goes on.
func TestLimits(t *testing.T) {
	s, err := Open(Options{Limits: family.Limits{Processes: 4, Memory: 32 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	told := func(st *history.Step, flag string) {
		t.Helper()
		if !strings.Contains(st.Why, flag) {
			t.Errorf("%s: %s, and nothing of %s", st.Command, st.Why, flag)
		}
	}
	l.all("fork", "fork", "@p2 fork")
	told(l.want("refused", "fork"), "--max-processes")
	l.all("@p3 exit", "fork") // one that ended makes room
	for _, taking := range []string{
		"mmap 1g rw private anon populate",
		"mmap 1g rw shared anon populate",
		"mmap 1g rw private anon locked",
		"a = mmap 1g rw private anon\nfill a 1",
		"a = mmap 1g rw private anon\nmadvise a populate_write",
		"a = mmap 1g rw private anon\nmadvise a nohugepage\ntouch a write",
		"file big 1g\na = mmap 1g rw shared file=big\ntouch a write",
		"brk +1g\nfill heap 1",
	} {
		l.all("restart")
		var last *history.Step
		for _, line := range strings.Split(taking, "\n") {
			last = l.do(line)
		}
		if last.Result.Is("EAGAIN") || last.Result.Is("ENOMEM") { // the ordinary user's limit of locked memory came first
			continue
		}
		if last.Result != history.Exited {
			t.Fatalf("%s: %s", taking, last.Result)
		}
		told(last, "--max-memory")
		if strings.HasPrefix(taking, "file") {
			l.all("rm big") // its room counts until the restart
		}
	}
}

// Page tables count as memory: reading gigabytes of zeros takes little else.
func TestPageTablesCount(t *testing.T) {
	s, err := Open(Options{Limits: family.Limits{Memory: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	l.all("mmap 2097152p r private anon noreserve", "madvise a nohugepage")
	if st := l.further(l.do("touch a read")); st.Result != history.Exited {
		t.Errorf("%s: %s", st.Result, st.Why)
	}
}

// The stubs, the gate and the low addresses in hostile hands.
func TestHostileText(t *testing.T) {
	for name, script := range map[string]string{
		"unmapped":    "munmap text",
		"no rights":   "mprotect text none",
		"not exec":    "mprotect text rw",
		"overwritten": "mprotect text rwx\nfill text 0xcc",
		"nonsense":    "mprotect text rwx\nfill text 0x06",
		"replaced":    "mmap 1p rwx private anon fixed addr=text",
		"gate":        "mprotect text rwx\nwrite text+0x840 \"/etc/passwd\\x00\"",
		"zeros":       "mmap 1g x private anon noreserve fixed addr=text",
		"moved":       "mremap text 1p maymove fixed=0x10000000",
		"all":         "munmap 0x1000 0x7ffffffff000",
		"null":        "mmap 1p rwx private anon fixed addr=0x0\nfill 0x0 1p 0x90",
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			l.do("file data 1p")
			for _, line := range strings.Split(script, "\n") {
				_, _ = l.s.Do(context.Background(), line) // may be a mistake: a name that is gone
			}
			st := l.do("mmap 1p r private file=data")
			if name == "gate" && st.Result != history.Exited {
				t.Errorf("a foreign path was opened: %s, %s", st.Result, st.Why)
			}
			l.do("fork")
			l.all("restart", "mmap 1p rw private file=data", "write a 1", "fork")
		})
	}
}

// Instructions in the place of the one that makes the system calls: whatever would be a call when
// it is stepped over deletes no file, and is not run at all. Each script ends with a command whose
// registers are the arguments of that call.
func TestNothingIsSteppedOver(t *testing.T) {
	for name, code := range steppedOver[runtime.GOARCH] {
		t.Run(name, func(t *testing.T) {
			victim := filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			l := open(t)
			l.do("mmap 1p rw private anon fixed addr=0x0") // EPERM for an ordinary user
			l.do("write 0x0 " + strconv.Quote(victim+"\x00"))
			l.all("mprotect text rwx")
			for line := range strings.SplitSeq(code, "\n") {
				l.do(line)
			}
			for _, line := range []string{"mprotect 0x0 1p r", "munmap 0x0 1p", "fork", "mmap 1p r private anon"} {
				if st := l.do(line); st.Result != history.Exited || !strings.Contains(st.Why, "no longer in its memory") {
					t.Errorf("%s: %s, %s", line, st.Result, st.Why)
				}
			}
			if _, err := os.Stat(victim); err != nil {
				t.Error("the file is gone:", err)
			}
			l.all("restart", "mmap 1p rw private anon", "write a 1")
		})
	}
}

// steppedOver are the instructions, by architecture.
var steppedOver = map[string]map[string]string{
	// mprotect is call 10, and so is i386's unlink, which takes its path from ebx: 0.
	"amd64": {
		"int 0x80":          `write text+0x30 "\xcd\x80"`,
		"prefixed":          `write text+0x30 "\x66\xcd\x80\xcc"`,
		"a byte at a time":  "write text+0x30 0xcd\nwrite text+0x31 0x80",
		"sysenter":          `write text+0x30 "\x0f\x34"`,
		"xbegin":            "write text+0x100 \"\\x0f\\x05\\xcc\"\nwrite text+0x30 \"\\xc7\\xf8\\xca\\x00\\x00\\x00\\xcc\"",
		"mov ss":            `write text+0x30 "\x8c\xd2\x8e\xd2\xcd\x80\xcc"`,
		"retf to 32 bits":   `write text+0x30 "\x6a\x23\x68\x39\x00\x40\x00\x48\xcb\xcd\x80\xcc"`,
		"another page":      "file stubs 1p\nfwrite stubs 0x30 \"\\xcd\\x80\"\nmmap 1p rwx private fixed addr=text file=stubs",
		"a shared page":     "file stubs 1p\nmmap 1p rwx shared fixed addr=text file=stubs\nfwrite stubs 0x30 \"\\xcd\\x80\"",
		"moved over it":     "b = mmap 1p rwx private anon\nwrite b+0x30 \"\\xcd\\x80\"\nmremap b 1p maymove fixed=0x400000",
		"fill, then a call": "fill text 1p 0xcd",
	},
	// svc #1 is a call like svc #0, and unlinkat(AT_FDCWD, 0, 0) stands behind a branch.
	"arm64": {
		"svc with a number": `write text+0x30 "\x21\x00\x00\xd4"`,
		"a byte at a time":  "write text+0x30 0x21\nwrite text+0x31 0x10",
		"hvc":               `write text+0x30 "\x02\x00\x00\xd4"`,
		"smc":               `write text+0x30 "\x03\x00\x00\xd4"`,
		"eret":              `write text+0x30 "\xe0\x03\x9f\xd6"`,
		"branch": `write text+0x200 "\x60\x0c\x80\x92\x01\x00\x80\xd2\x02\x00\x80\xd2\x68\x04\x80\xd2\x01\x00\x00\xd4"` + "\n" +
			`write text+0x30 "\x74\x00\x00\x14"`,
		"another page":      "file stubs 1p\nfwrite stubs 0x30 \"\\x21\\x00\\x00\\xd4\"\nmmap 1p rwx private fixed addr=text file=stubs",
		"a shared page":     "file stubs 1p\nmmap 1p rwx shared fixed addr=text file=stubs\nfwrite stubs 0x30 \"\\x21\\x00\\x00\\xd4\"",
		"moved over it":     "b = mmap 1p rwx private anon\nwrite b+0x30 \"\\x21\\x00\\x00\\xd4\"\nmremap b 1p maymove fixed=0x400000",
		"fill, then a call": "fill text 1p 0xd4",
	},
}

// The page of stubs stays what lessons are about: it may be made writable, written and made
// executable again.
func TestTextIsALesson(t *testing.T) {
	l := open(t)
	l.all("mprotect text rwx", "write text+0x200 1", "mprotect text rx")
	l.want("SIGSEGV/ACCERR", "write text 1")
	l.all("fork", "@p2 mprotect text rw", "restart")
}

// The descriptors that a subject has lead nowhere.
func TestDescriptors(t *testing.T) {
	l := open(t)
	l.all("file data 1p", "mmap 1p rw shared file=data")
	for fd := range 64 {
		st := l.do(fmt.Sprintf("mmap 1p r private fd=%d", fd))
		if want := map[bool]string{true: "ENODEV", false: "EBADF"}[fd < 3]; !st.Result.Is(want) {
			t.Errorf("fd %d: %s, want %s", fd, st.Result, want)
		}
	}
}

// A session may be closed from several sides at once, as an interrupt and the end of a script do.
func TestCloseTogether(t *testing.T) {
	s, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t, s}
	l.all("file data 1p", "mmap 1p rw shared file=data", "fork")
	var sides sync.WaitGroup
	for range 4 {
		sides.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	sides.Wait()
	if _, err := s.Do(context.Background(), "fork"); err == nil {
		t.Error("a command ran after the end")
	}
}
