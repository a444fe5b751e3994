//go:build amd64 || arm64

package subject

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func lent(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "data"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	return f
}

// A file that is lent is opened by the subject itself, as its first file beside the usual three, in
// the mode that was asked for.
func TestOpen(t *testing.T) {
	f := lent(t)
	inSubject(t, Config{}, func(p *Process) {
		for range 3 {
			e := ok(t)(p.Open(f, unix.O_RDONLY))
			if e.Value != 3 {
				t.Errorf("descriptor %d, want 3", e.Value)
			}
			m := call(t, p, unix.SYS_MMAP, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, e.Value, 0)
			if m.Errno != syscall.EACCES {
				t.Error("a file opened for reading was mapped shared and writable:", describe(m))
			}
			a := call(t, p, unix.SYS_MMAP, 0, pageSize, unix.PROT_READ, unix.MAP_SHARED, e.Value, 0)
			call(t, p, unix.SYS_CLOSE, e.Value)
			ok(t)(p.Load(a.Value, 5))
			if got := peek(t, p, a.Value, 5); string(got) != "hello" {
				t.Errorf("read %q", got)
			}
		}
		e := ok(t)(p.Open(f, unix.O_RDWR))
		a := ok(t)(p.Syscall(unix.SYS_MMAP, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, e.Value, 0))
		ok(t)(p.Store(a.Value, []byte("J")))
	})
	if b, err := os.ReadFile(f.Name()); err != nil || string(b) != "Jello" {
		t.Errorf("the file holds %q, %v", b, err)
	}
}

// The errno of an opening is the kernel's: a directory is not opened for writing.
func TestOpenRefused(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	inSubject(t, Config{}, func(p *Process) {
		if e := must(t)(p.Open(dir, unix.O_RDWR)); e.Errno != syscall.EISDIR {
			t.Error(describe(e))
		}
		e := ok(t)(p.Open(dir, unix.O_RDONLY))
		m := call(t, p, unix.SYS_MMAP, 0, pageSize, unix.PROT_READ, unix.MAP_PRIVATE, e.Value, 0)
		if m.Errno != syscall.ENODEV {
			t.Error("a directory was mapped:", describe(m))
		}
	})
}

// Between two openings the gate leads nowhere: a descriptor of ours is never open to the subject
// for longer than a call.
func TestGateIsClosed(t *testing.T) {
	f := lent(t)
	inTracer(t, func(tr *Tracer) {
		p := start(t, tr, Config{})
		ok(t)(p.Open(f, unix.O_RDONLY))
		if to, err := os.Readlink(tr.gate.path); err != nil || to != os.DevNull {
			t.Errorf("the gate leads to %s, %v", to, err)
		}
		for n, want := range []string{os.DevNull, os.DevNull, os.DevNull, f.Name()} {
			if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", p.PID(), n)); err != nil || to != want {
				t.Errorf("descriptor %d of the subject is %s (%v), want %s", n, to, err, want)
			}
		}
	})
}

// A path of one's own in the place of the gate's opens nothing.
func TestForeignGate(t *testing.T) {
	f := lent(t)
	inSubject(t, Config{}, func(p *Process) {
		call(t, p, unix.SYS_MPROTECT, textBase, pageSize, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC)
		ok(t)(p.Store(textBase+gateAt, []byte("/etc/passwd\x00")))
		if e, err := p.Open(f, unix.O_RDONLY); !errors.Is(err, ErrStubs) {
			t.Errorf("%s, %v", describe(e), err)
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/fd/3", p.PID())); !errors.Is(err, os.ErrNotExist) {
			t.Error("a file was opened:", err)
		}
	})
}
