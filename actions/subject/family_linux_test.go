//go:build amd64 || arm64

package subject

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Fork, death and burial.

func fork(t testing.TB, p *Process) *Process {
	t.Helper()
	child, e, err := p.Fork()
	if err != nil || !e.OK() || child == nil || e.Value != uint64(child.PID()) {
		t.Fatalf("fork: %s, %v", describe(e), err)
	}
	return child
}

func TestForkDiverges(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		private := mmap(t, p, 1, readWrite)
		e := call(t, p, unix.SYS_MMAP, 0, pageSize, readWrite, unix.MAP_SHARED|unix.MAP_ANONYMOUS, none, 0)
		shared := e.Value
		ok(t)(p.Store(private, []byte("parent")))
		child := fork(t, p)
		grand := fork(t, child)
		family := []*Process{p, child, grand}
		for i, who := range family {
			ok(t)(who.Store(private, []byte{byte('0' + i)}))
			ok(t)(who.Store(shared+uint64(i), []byte{byte('0' + i)}))
		}
		for i, who := range family {
			if got := string(peek(t, who, private, 6)); got != string(rune('0'+i))+"arent" {
				t.Errorf("process %d holds %q", i, got)
			}
			if got := string(peek(t, who, shared, 3)); got != "012" {
				t.Errorf("process %d sees %q", i, got)
			}
			alive(t, who)
		}
		if a, b := maps(t, p), maps(t, grand); a != b {
			t.Errorf("mappings of parent and grandchild differ:\n%s%s", a, b)
		}
	})
}

// The stop of the child and the event of the parent come in either order; many
// forks show both.
func TestForkOften(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		for range 200 {
			child := fork(t, p)
			alive(t, child)
			_, err := child.Exit(7)
			wantExit(t, err, ExitedError{PID: child.PID(), Code: 7})
			if state(child.PID()) != 'Z' {
				t.Fatal("the dead child is no zombie of its parent")
			}
			if e := call(t, p, unix.SYS_WAIT4, none, 0, 0, 0); e.Value != uint64(child.PID()) {
				t.Fatal(describe(e))
			}
		}
	})
}

func TestForkRefused(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		// Root is not held to RLIMIT_NPROC, so the call itself is made impossible.
		e := call(t, p, unix.SYS_CLONE, unix.CLONE_THREAD|uint64(unix.SIGCHLD))
		if e.Errno != unix.EINVAL {
			t.Fatal(describe(e))
		}
		alive(t, p)
	})
}

func TestForkAgainstProcessLimit(t *testing.T) {
	if unix.Geteuid() == 0 {
		t.Skip("root is not held to RLIMIT_NPROC")
	}
	inSubject(t, Config{}, func(p *Process) {
		if err := unix.Prlimit(p.PID(), unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 0, Max: 0}, nil); err != nil {
			t.Fatal(err)
		}
		child, e, err := p.Fork()
		if child != nil || err != nil || e.Errno != unix.EAGAIN {
			t.Fatalf("fork: %s, %v", describe(e), err)
		}
		alive(t, p)
	})
}

// The death of a child stops its parent for SIGCHLD before the next instruction.
func TestParentOfADeadChild(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		for range 20 {
			child := fork(t, p)
			_ = unix.Kill(child.PID(), unix.SIGKILL)
			until(t, "the child is gone", func() bool { return child.Poll() != nil })
			alive(t, p)
		}
	})
}

// Waiting parents are told of children that died behind our back.
func TestParentWaitsForKilledChild(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		child := fork(t, p)
		_ = unix.Kill(child.PID(), unix.SIGKILL)
		until(t, "the child is dead", func() bool { return state(child.PID()) == 'Z' })
		a := mmap(t, p, 1, readWrite)
		e := call(t, p, unix.SYS_WAIT4, uint64(child.PID()), a, 0, 0)
		if e.Value != uint64(child.PID()) {
			t.Fatal(describe(e))
		}
		if got := peek(t, p, a, 1)[0]; got != byte(unix.SIGKILL) {
			t.Errorf("status is %d", got)
		}
		if state(child.PID()) != 0 {
			t.Error("still a zombie")
		}
	})
}

// Whatever order a family dies in, nobody is left when the tracer closes.
func TestOrphans(t *testing.T) {
	orders := [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0}, {1}, {2}, {0, 2}, {}}
	for _, order := range orders {
		var family [3]*Process
		inSubject(t, Config{}, func(p *Process) {
			family[0] = p
			family[1] = fork(t, p)
			family[2] = fork(t, family[1])
			for _, i := range order {
				_, err := family[i].Kill(unix.SIGKILL)
				wantExit(t, err, ExitedError{PID: family[i].PID(), Signal: unix.SIGKILL})
				for _, other := range family {
					if other.dead == nil {
						alive(t, other)
					}
				}
			}
		})
		for i, who := range family {
			if s := state(who.PID()); s != 0 {
				t.Errorf("killed in order %v: process %d is still there (%c)", order, i, s)
			}
		}
		if n := len(family[0].tracer.procs); n != 0 {
			t.Errorf("killed in order %v: %d processes still on the books", order, n)
		}
	}
}

// A dead parent's zombies are reaped at once, not at the end.
func TestZombiesOfADeadParent(t *testing.T) {
	inTracer(t, func(tr *Tracer) {
		p := start(t, tr, Config{})
		child := fork(t, p)
		_, _ = child.Exit(0)
		if state(child.PID()) != 'Z' {
			t.Fatal("no zombie")
		}
		_, _ = p.Exit(0)
		for _, who := range []*Process{p, child} {
			if s := state(who.PID()); s != 0 {
				t.Errorf("process %d is still there (%c)", who.PID(), s)
			}
		}
		if len(tr.procs) != 0 {
			t.Error("still on the books")
		}
	})
}
