//go:build amd64 || arm64

package subject

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A guard is asked while something lasts, and what it finds too much dies in the middle of it.
func TestGuard(t *testing.T) {
	var asked atomic.Int32
	inTracer(t, func(tr *Tracer) {
		p := start(t, tr, Config{Deadline: time.Minute})
		tr.Guard(func() bool { return asked.Add(1) > 2 })
		_, err := block(p)
		var gone *ExitedError
		if !errors.As(err, &gone) || !gone.Over || gone.Signal != unix.SIGKILL {
			t.Errorf("%v after %d looks", err, asked.Load())
		}
		tr.Guard(nil)
		ok(t)(start(t, tr, Config{}).Syscall(unix.SYS_GETPID))
	})
}

// A run that comes to its end while it is killed has been killed.
func TestGuardAtTheEdge(t *testing.T) {
	killed, over := 0, false
	rounds := 400
	if testing.Short() {
		rounds = 40
	}
	for i := range rounds {
		inTracer(t, func(tr *Tracer) {
			p := start(t, tr, Config{Deadline: time.Minute})
			nap := unix.NsecToTimespec(int64(guardStep) + int64(i%20)*int64(20*time.Microsecond))
			addr := mmap(t, p, 1, readWrite)
			poke(t, p, addr, unsafe.Slice((*byte)(unsafe.Pointer(&nap)), unsafe.Sizeof(nap)))
			over = false
			tr.Guard(func() bool { over = true; return true })
			_, err := p.Syscall(unix.SYS_NANOSLEEP, addr, 0)
			var gone *ExitedError
			switch errors.As(err, &gone); {
			case over && (gone == nil || !gone.Over):
				t.Fatalf("in round %d the guard said to kill it, and it ended with %v", i, err)
			case !over && err != nil:
				t.Fatal(err)
			case over:
				killed++
			}
		})
	}
	t.Logf("%d of %d were killed", killed, rounds)
}
