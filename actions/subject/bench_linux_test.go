//go:build amd64 || arm64

package subject

import (
	"testing"

	"golang.org/x/sys/unix"
)

// An injected call should cost what ptrace itself costs. The bare round trip is
// the least that any tracer must do for one call: registers in, run, wait,
// registers out, with the plain wrappers of x/sys.

func BenchmarkSyscall(b *testing.B) {
	inSubject(b, Config{}, func(p *Process) {
		b.ReportAllocs()
		for b.Loop() {
			if e, err := p.Syscall(unix.SYS_GETPID); err != nil || !e.OK() {
				b.Fatal(e, err)
			}
		}
	})
}

func BenchmarkBareRoundTrip(b *testing.B) {
	inSubject(b, Config{}, func(p *Process) {
		var regs unix.PtraceRegs
		var ws unix.WaitStatus
		b.ReportAllocs()
		for b.Loop() {
			regs = p.idle
			setIP(&regs, syscallStub.start)
			setCall(&regs, unix.SYS_GETPID, nil)
			_ = unix.PtraceSetRegs(p.pid, &regs)
			_ = unix.PtraceCont(p.pid, 0)
			_, _ = unix.Wait4(p.pid, &ws, unix.WALL, nil)
			_ = unix.PtraceGetRegs(p.pid, &regs)
			if ws.StopSignal() != unix.SIGTRAP {
				b.Fatal(ws)
			}
		}
	})
}

func BenchmarkStore(b *testing.B) {
	inSubject(b, Config{}, func(p *Process) {
		addr := mmap(b, p, 1, unix.PROT_READ|unix.PROT_WRITE)
		data := []byte{1}
		b.ReportAllocs()
		for b.Loop() {
			if e, err := p.Store(addr, data); err != nil || !e.OK() {
				b.Fatal(e, err)
			}
		}
	})
}

func BenchmarkFork(b *testing.B) {
	inSubject(b, Config{}, func(p *Process) {
		for b.Loop() {
			c, e, err := p.Fork()
			if err != nil || !e.OK() {
				b.Fatal(e, err)
			}
			_, _ = c.Exit(0)
			if e := call(b, p, unix.SYS_WAIT4, uint64(c.PID()), 0, 0, 0); !e.OK() {
				b.Fatal(e)
			}
		}
	})
}

func BenchmarkStart(b *testing.B) {
	inTracer(b, func(t *Tracer) {
		for b.Loop() {
			p, err := t.Start(Config{Calls: testCalls})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			_, _ = p.Kill(unix.SIGKILL)
			b.StartTimer()
		}
	})
}
