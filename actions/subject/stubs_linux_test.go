//go:build amd64 || arm64

package subject

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a user can do to the page of stubs. The call that does it still gets its
// answer; what comes after says that the stubs are gone; nothing hangs, and no
// instruction put in their place gets a system call through.

const rwx = readWrite | unix.PROT_EXEC

func TestTextTakenAway(t *testing.T) {
	fixed := uint64(unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_FIXED)
	tests := []struct {
		name string
		nr   uintptr
		args []uint64
	}{
		{"munmap", unix.SYS_MUNMAP, []uint64{textBase, pageSize}},
		{"mprotect none", unix.SYS_MPROTECT, []uint64{textBase, pageSize, 0}},
		{"mprotect r", unix.SYS_MPROTECT, []uint64{textBase, pageSize, unix.PROT_READ}},
		{"mmap rw over it", unix.SYS_MMAP, []uint64{textBase, pageSize, readWrite, fixed, none, 0}},
		{"mmap rwx over it", unix.SYS_MMAP, []uint64{textBase, pageSize, rwx, fixed, none, 0}},
		{"mmap two pages over it", unix.SYS_MMAP, []uint64{textBase, 2 * pageSize, rwx, fixed, none, 0}},
		{"munmap of everything", unix.SYS_MUNMAP, []uint64{0, 1<<47 - pageSize}},
	}
	for _, tt := range tests {
		inSubject(t, Config{Deadline: 2 * time.Second}, func(p *Process) {
			if e := call(t, p, tt.nr, tt.args...); !e.OK() {
				t.Errorf("%s ended with %s", tt.name, describe(e))
			}
			child, _, err := p.Fork()
			if child != nil {
				t.Errorf("%s: still forks", tt.name)
			}
			wantGone(t, tt.name+": fork", err)
			wantAllGone(t, tt.name, p)
			if err := p.Poll(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			_, err = p.Kill(unix.SIGTERM)
			wantExit(t, err, ExitedError{PID: p.PID(), Signal: unix.SIGTERM})
		})
	}
}

func TestTextOverwritten(t *testing.T) {
	for _, b := range nonsense {
		inSubject(t, Config{Deadline: time.Second / 2}, func(p *Process) {
			poke(t, p, textBase, bytes.Repeat(b, int(pageSize)/len(b)))
			wantAllGone(t, fmt.Sprintf("filled with %x", b), p)
		})
	}
}

// The fill stub can be sent over itself. How far it gets is the CPU's affair.
func TestFillOverItself(t *testing.T) {
	for _, b := range nonsense {
		inSubject(t, Config{Deadline: 2 * time.Second}, func(p *Process) {
			call(t, p, unix.SYS_MPROTECT, textBase, pageSize, rwx)
			for range 2 {
				if _, err := p.Fill(textBase, pageSize, b[0]); err != nil {
					wantGone(t, "fill", err)
				}
			}
			_, err := p.Syscall(unix.SYS_GETPID)
			wantGone(t, "getpid", err)
		})
	}
}

func wantAllGone(t *testing.T, what string, p *Process) {
	t.Helper()
	for i, f := range []func() (Ending, error){
		func() (Ending, error) { return p.Syscall(unix.SYS_GETPID) },
		func() (Ending, error) { return p.Load(textBase-pageSize, 1) },
		func() (Ending, error) { return p.Touch(textBase-pageSize, 1, pageSize, true) },
		// What takes the place of the stub may raise a signal in the memory that the stub was sent
		// to.
		func() (Ending, error) { return p.Fill(textBase, pageSize, 7) },
		func() (Ending, error) { return p.Load(textBase, pageSize) },
		func() (Ending, error) { return p.Exit(0) },
	} {
		_, err := f()
		wantGone(t, what+": "+[]string{"getpid", "load", "touch", "fill of text", "load of text", "exit"}[i], err)
	}
}

func wantGone(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrStubs) {
		t.Errorf("%s: error is %v, want ErrStubs", what, err)
	}
}

// Machine code over a stub does not get further than machine code in a page of
// its own. It is put there from outside, which makes the caches of instructions true, too.
func TestTextCannotBeTurnedIntoAWayOut(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := mmap(t, p, 1, readWrite)
		// Behind our own system call.
		poke(t, p, textBase+stubSyscallEnd, exitCode)
		alive(t, p)
		// In place of other stubs.
		poke(t, p, textBase+stubLoad, exitCode)
		_, err := p.Load(a, 1)
		wantGone(t, "load", err)
		poke(t, p, textBase+stubRead, loopCode)
		p.cfg.Deadline = 50 * time.Millisecond
		if e := must(t)(p.Touch(a, 1, pageSize, false)); !e.TimedOut {
			t.Error(describe(e))
		}
		p.cfg.Deadline = time.Minute
		alive(t, p)
		// In place of the system call: one instruction of the same length.
		poke(t, p, textBase+stubSyscall, zeroCode)
		_, err = p.Syscall(unix.SYS_GETPID)
		wantGone(t, "syscall", err)
		poke(t, p, textBase+stubSyscall, loopCode)
		_, err = p.Syscall(unix.SYS_GETPID)
		wantGone(t, "syscall", err)
	})
}
