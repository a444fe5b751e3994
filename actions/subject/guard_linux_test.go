//go:build amd64 || arm64

package subject

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

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
