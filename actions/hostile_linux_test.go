package actions

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Scripts from strangers. Whatever they make the subject execute, nothing happens but what the verbs do, and the session lives.

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
	l := open(t)
	l.all("mmap 1p rwx private anon")
	for nr := range 480 {
		l.do("write a " + syscallCode(nr))
		if st := l.want(ResultRefused, "exec a"); !strings.Contains(st.Why, fmt.Sprintf("system call %d", nr)) {
			t.Fatalf("call %d: %s", nr, st.Why)
		}
	}
	l.all("fork", "write a 1")
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
	if n := l.s.living(); n != 2 {
		t.Errorf("%d processes live", n)
	}
}

// A script that loops or takes what there is meets a limit, is told so, and the session goes on.
func TestLimits(t *testing.T) {
	s, err := Open(Options{Limits: Limits{Processes: 4, Memory: 32 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	told := func(st *Step, flag string) {
		t.Helper()
		if !strings.Contains(st.Why, flag) {
			t.Errorf("%s: %s, and nothing of %s", st.Command, st.Why, flag)
		}
	}
	l.all("fork", "fork", "@p2 fork")
	told(l.want(ResultRefused, "fork"), "--max-processes")
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
		var last *Step
		for _, line := range strings.Split(taking, "\n") {
			last = l.do(line)
		}
		if last.Result == "EAGAIN" || last.Result == "ENOMEM" { // the ordinary user's limit of locked memory came first
			continue
		}
		if last.Result != ResultExited {
			t.Fatalf("%s: %s", taking, last.Result)
		}
		told(last, "--max-memory")
		if strings.HasPrefix(taking, "file") {
			l.all("rm big") // its room counts until the restart
		}
	}
}

// Page tables count as memory: reading a terabyte of zeros takes little else.
func TestPageTablesCount(t *testing.T) {
	s, err := Open(Options{Limits: Limits{Memory: 4 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := &lab{t, s}
	l.all("mmap 1t r private anon noreserve", "madvise a nohugepage")
	l.want(ResultExited, "touch a read")
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
			if name == "gate" && st.Result != ResultExited {
				t.Errorf("a foreign path was opened: %s, %s", st.Result, st.Why)
			}
			l.do("fork")
			l.all("restart", "mmap 1p rw private file=data", "write a 1", "fork")
		})
	}
}

// The descriptors that a subject has lead nowhere.
func TestDescriptors(t *testing.T) {
	l := open(t)
	l.all("file data 1p", "mmap 1p rw shared file=data")
	for fd := range 64 {
		st := l.do(fmt.Sprintf("mmap 1p r private fd=%d", fd))
		if want := map[bool]string{true: "ENODEV", false: "EBADF"}[fd < 3]; st.Result != want {
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
