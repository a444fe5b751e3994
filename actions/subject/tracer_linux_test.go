//go:build amd64 || arm64

package subject

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

func TestDoAfterClose(t *testing.T) {
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := tr.Close(); err != nil {
			t.Fatal(err)
		}
		if err := tr.Do(func() { t.Error("ran") }); !errors.Is(err, ErrClosed) {
			t.Errorf("Do after Close: %v", err)
		}
	}
}

func TestCloseInsideDo(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		if err := p.tracer.Close(); err != nil {
			t.Error(err)
		}
		if state(p.PID()) != 0 {
			t.Error("the process is still there")
		}
		if _, err := p.Syscall(unix.SYS_GETPID); err == nil {
			t.Error("still answers")
		}
		if _, err := p.tracer.Start(Config{Calls: testCalls}); !errors.Is(err, ErrClosed) {
			t.Errorf("Start after Close: %v", err)
		}
	})
}

func TestDoNested(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		if err := p.tracer.Do(func() { alive(t, p) }); err != nil {
			t.Error(err)
		}
	})
}

func TestDoFromMany(t *testing.T) {
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	var p *Process
	_ = tr.Do(func() { p, err = tr.Start(Config{Calls: testCalls}) })
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				var e Ending
				var err error
				if doErr := tr.Do(func() { e, err = p.Syscall(unix.SYS_GETPID) }); doErr != nil || err != nil || e.Value != uint64(p.PID()) {
					t.Errorf("%s, %v, %v", describe(e), err, doErr)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Closing while others work: each of them either works or is told.
func TestCloseAgainstDo(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		tr, err := NewTracer()
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					err := tr.Do(func() { _, _ = tr.Start(Config{Calls: testCalls}) })
					if errors.Is(err, ErrClosed) {
						return
					}
				}
			})
		}
		runtime.Gosched()
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := len(tr.procs); n != 0 {
			t.Fatalf("%d processes left", n)
		}
	}
}

func TestPanicInDo(t *testing.T) {
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	var p *Process
	func() {
		defer func() {
			if got := recover(); got != "oh" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = tr.Do(func() {
			p = start(t, tr, Config{})
			panic("oh")
		})
		t.Error("Do returned")
	}()
	if err := tr.Do(func() { alive(t, p) }); err != nil {
		t.Error(err)
	}
}

// FailNow inside Do takes the thread with it, and nothing else.
func TestGoexitInDo(t *testing.T) {
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	done := make(chan bool)
	go func() {
		defer close(done)
		_ = tr.Do(func() {
			pid = start(t, tr, Config{}).PID()
			runtime.Goexit()
		})
		done <- true // never
	}()
	if <-done {
		t.Error("Do returned")
	}
	if state(pid) != 0 {
		t.Error("the process is still there")
	}
	if err := tr.Do(func() {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Do after Goexit: %v", err)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
}

func TestOutsideDo(t *testing.T) {
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := tr.Start(Config{Calls: testCalls}); !errors.Is(err, ErrOutside) {
		t.Errorf("Start outside Do: %v", err)
	}
	var p *Process
	_ = tr.Do(func() { p = start(t, tr, Config{}) })
	if _, err := p.Load(textBase, 1); !errors.Is(err, ErrOutside) {
		t.Errorf("Load outside Do: %v", err)
	}
	if err := p.Poll(); !errors.Is(err, ErrOutside) {
		t.Errorf("Poll outside Do: %v", err)
	}
	// On another thread while a Do is running.
	_ = tr.Do(func() {
		wrong := make(chan error)
		go func() {
			_, err := p.Syscall(unix.SYS_GETPID)
			wrong <- err
		}()
		if err := <-wrong; !errors.Is(err, ErrOutside) {
			t.Errorf("on another thread: %v", err)
		}
		alive(t, p)
	})
}

// The thread goes back to the program as it was.
func TestThreadIsRestored(t *testing.T) {
	get := func() (mask unix.CPUSet, reaper int32) {
		if err := unix.SchedGetaffinity(0, &mask); err != nil {
			t.Fatal(err)
		}
		reaper, err := subreaper()
		if err != nil {
			t.Fatal(err)
		}
		return mask, reaper
	}
	before, reaper := get()
	inSubject(t, Config{}, func(p *Process) {
		if _, on := get(); on != 1 {
			t.Error("not a subreaper")
		}
	})
	after, reaperAfter := get()
	if before != after || reaper != reaperAfter {
		t.Error("settings differ after Close")
	}
}

// Close does not wait for a deadline that is far away: the job under way is cut short.
func TestCloseCutsShort(t *testing.T) {
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	started, done := make(chan *Process), make(chan error)
	go func() {
		var runErr error
		err := tr.Do(func() {
			p, err := tr.Start(Config{Deadline: time.Hour, Calls: testCalls})
			if err != nil {
				started <- nil
				runErr = err
				return
			}
			started <- p
			e, err := p.Syscall(unix.SYS_PPOLL)
			if err == nil && !e.TimedOut {
				t.Errorf("the call ended with %+v", e)
			}
			_, runErr = p.Syscall(unix.SYS_GETPID)
		})
		done <- errors.Join(err, runErr)
	}()
	p := <-started
	if p == nil {
		t.Fatal(<-done)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("the job ended with %v, want ErrClosed", err)
	}
}

// A call that is busy in the kernel, and that only death interrupts, does not make Close wait: the
// patience is for those who want to go on with the process.
func TestCloseWhileACallIsBusy(t *testing.T) {
	tr, err := NewTracer()
	if err != nil {
		t.Fatal(err)
	}
	const patience = 20 * time.Second
	started, done := make(chan *Process, 1), make(chan error, 1)
	go func() {
		var runErr error
		err := tr.Do(func() {
			p := start(t, tr, Config{Deadline: time.Hour, Patience: patience})
			const size = 256 << 30
			a := ok(t)(p.Syscall(unix.SYS_MMAP, 0, size, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, ^uint64(0), 0)).Value
			ok(t)(p.Syscall(unix.SYS_MADVISE, a, size, unix.MADV_NOHUGEPAGE)) // huge zero pages would soon be there
			started <- p
			_, runErr = p.Syscall(unix.SYS_MADVISE, a, size, unix.MADV_POPULATE_READ)
		})
		done <- errors.Join(err, runErr)
	}()
	pid := (<-started).PID()
	until(t, "it populates", func() bool { return tableSize(t, pid) > 256 })
	begun := time.Now()
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > patience/4 {
		t.Errorf("closing took %v", took)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("the job ended with %v, want ErrClosed", err)
	}
}

// tableSize is what the page tables of a process take, in KiB: VmPTE of proc_pid_status(5).
func tableSize(t *testing.T, pid int) (kib int) {
	if _, err := fmt.Sscan(procfs.StatusField(pid, "VmPTE:"), &kib); err != nil {
		t.Error(err)
	}
	return kib
}
