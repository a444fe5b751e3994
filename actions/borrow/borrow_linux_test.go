//go:build amd64 || arm64

package borrow

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"cowscope/actions/feature"
	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

var pg = uint64(os.Getpagesize())

// needs skips where the kernel has no asynchronous write protection.
func needs(t testing.TB) {
	t.Helper()
	if ok, why, err := feature.Available("uffd-async"); !ok {
		t.Skip("needs uffd-async:", why, err)
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && scope[0] >= '2' && os.Geteuid() != 0 {
		_, err := Take(start(t, "read").pid)
		if err == nil || !strings.Contains(err.Error(), "(Yama) is") {
			t.Errorf("with Yama: %v", err)
		}
		t.Skip("needs kernel.yama.ptrace_scope below 2")
	}
}

func (p *target) lends() *Writes {
	p.t.Helper()
	w, err := Take(p.pid)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { w.Close() })
	return w
}

// ends checks how what a role does ended: with the result, and no errno.
func (p *target) ends(what string, result func(n int64) bool, text string) {
	p.t.Helper()
	var n int64
	var errno int
	var rest string
	line := p.line()
	fmt.Sscan(line, &n, &errno, &rest)
	if errno != 0 || !result(n) || rest != text {
		p.t.Errorf("%s: it ended with %q", what, line)
	}
}

// Whatever the process does when it lends, it goes on as if nothing had been: calls return what
// they would have returned, sleeps last as long, and sums are right.
func TestGoesOn(t *testing.T) {
	needs(t)
	// A sleep that began anew would last half its length more.
	asLong := func(ms int64) bool { return ms >= 0 && ms < length.Milliseconds()/4 }
	sums := func(wrong int64) bool { return wrong == 0 }
	for _, c := range []struct {
		role   string
		sleeps bool
		times  int
		then   string // is written to it
		ends   func(int64) bool
		text   string
	}{
		{"nanosleep", true, 3, "", asLong, ""},
		{"futex", true, 3, "", asLong, ""},
		{"ppoll", true, 3, "", asLong, ""},
		{"read", true, 20, "hello", func(n int64) bool { return n == 5 }, "hello"},
		{"epoll_pwait", true, 20, "hello", func(n int64) bool { return n == 1 }, "7"},
		{"spin", false, 50, "", sums, ""},
		{"threads", false, 50, "", sums, ""},
	} {
		t.Run(c.role, func(t *testing.T) {
			t.Parallel()
			p := start(t, c.role)
			if c.sleeps {
				p.asleep()
			}
			before, begin := p.looks(), time.Now()
			for i := range c.times {
				if c.sleeps && c.then == "" {
					time.Sleep(length / 2 / time.Duration(c.times)) // so that a part of it is over
					if i > 0 && time.Since(begin) > length*5/8 {
						break // this machine is slow
					}
				}
				w, err := Take(p.pid)
				if err != nil {
					t.Fatalf("time %d: %v", i, err)
				}
				w.Close()
				if after := p.looks(); after != before {
					t.Errorf("%s, before %s", after, before)
				}
			}
			fmt.Fprint(p.in, c.then)
			p.in.Close()
			p.ends(c.role, c.ends, c.text)
			if err := p.cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Signals that come at the same time are delivered, each once.
func TestSignals(t *testing.T) {
	needs(t)
	p := start(t, "spin")
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				unix.Kill(p.pid, unix.SIGURG) // Go's runtime has a handler for it
			}
		}
	}()
	for range 100 {
		w, err := Take(p.pid)
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	close(stop)
	<-stopped
	p.in.Close()
	p.ends("spin", func(wrong int64) bool { return wrong == 0 }, "")
}

// maps is the list of the process's mappings.
func (p *target) maps() vmspace.List[vmspace.Mapping] {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	maps, err := procfs.ParseMaps(nil, text)
	if err != nil {
		p.t.Fatal(err)
	}
	return vmspace.NewList(maps)
}

// written are the pages of a range that are said to be written to, by number.
func (w *Writes) writtenIn(t *testing.T, at, n uint64) (out []uint64) {
	t.Helper()
	all, err := w.Written()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		page := vmspace.Range{Start: at + i*pg, End: at + (i+1)*pg}
		if slices.ContainsFunc(all, func(r vmspace.Range) bool { return r.Overlaps(page) }) {
			out = append(out, i)
		}
	}
	return out
}

// Exactly the pages that were written to are told, by whomever: by the process or by the kernel for
// it; with the same bytes too.
func TestWritten(t *testing.T) {
	needs(t)
	p := start(t, "obey")
	const n = 64
	for _, kind := range []string{"map", "mapshared"} {
		at := p.ask(kind+" %d", n)
		for i := range uint64(n / 2) {
			p.ask("store %d 1", at+i*pg)
		}
		w := p.lends()
		if err := w.Cover(p.maps()); err != nil {
			t.Fatal(err)
		}
		if got := w.writtenIn(t, at, n); len(got) != 0 {
			t.Errorf("%s: %v at once", kind, got)
		}
		p.ask("store %d 2", at+3*pg)
		p.ask("store %d 1", at+7*pg)
		p.ask("load %d", at+9*pg)
		p.ask("read %d %d", at+11*pg+100, 2*pg)
		if got, want := w.writtenIn(t, at, n), []uint64{3, 7, 11, 12, 13}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
		// What is mapped later is covered when the list is given again, and nothing is lost.
		more := p.ask("map %d", n)
		p.ask("store %d 1", more)
		if err := w.Cover(p.maps()); err != nil {
			t.Fatal(err)
		}
		p.ask("store %d 1", at+20*pg)
		if got, want := w.writtenIn(t, at, n), []uint64{3, 7, 11, 12, 13, 20}; !slices.Equal(got, want) {
			t.Errorf("%s, later: %v, want %v", kind, got, want)
		}
		if got := w.writtenIn(t, more, n); len(got) != 0 {
			t.Errorf("%s: the new mapping: %v", kind, got)
		}
		p.ask("store %d 2", more)
		if got := w.writtenIn(t, more, n); !slices.Equal(got, []uint64{0}) {
			t.Errorf("%s: the new mapping: %v", kind, got)
		}
		// A mapping in place of a covered one has nothing of what was there.
		p.ask("remap %d %d", at, n)
		p.ask("store %d 1", at+2*pg)
		if got, want := w.writtenIn(t, at, n), []uint64{2}; !slices.Equal(got, want) {
			t.Errorf("%s, mapped again: %v, want %v", kind, got, want)
		}
		w.Close()
		p.ask("store %d 3", at)
	}
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", p.pid)); err != nil || strings.Contains(string(text), " uw") {
		t.Errorf("mappings are still registered: %v", err)
	}
}

// A borrower that is killed with SIGKILL while the process is stopped, and has its own registers,
// leaves it running, not traced, and asleep for as long as before. What may be left behind is the
// descriptor, between the two calls.
func TestBorrowerKilled(t *testing.T) {
	needs(t)
	for _, where := range []string{"seized", "stopped", "between", "lent"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			p := start(t, "nanosleep")
			p.asleep()
			before := p.looks()
			time.Sleep(length / 3)
			b := start(t, "killed", fmt.Sprintf("BORROW_PID=%d", p.pid), "BORROW_AT="+where)
			if err := b.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("the borrower: %v", err)
			}
			p.until("goes on", func() bool { return procfs.StatusField(p.pid, "TracerPid:") == "0" })
			if after := p.looks(); where != "between" && after != before {
				t.Errorf("%s, before %s", after, before)
			}
			// A sleep that began anew would last longer, by more than a third.
			p.ends(where, func(ms int64) bool { return ms >= 0 && ms < length.Milliseconds()/4 }, "")
		})
	}
}

// Whatever cannot lend says why, and is left alone.
func TestRefused(t *testing.T) {
	needs(t)
	gone := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	stopped := start(t, "read")
	stopped.asleep()
	unix.Kill(stopped.pid, unix.SIGSTOP)
	stopped.until("stops", func() bool { return strings.HasPrefix(procfs.StatusField(stopped.pid, "State:"), "T") })
	filtered, leaderless := start(t, "filtered"), start(t, "leaderless")
	leaderless.until("loses its first thread", func() bool { return strings.HasPrefix(procfs.StatusField(leaderless.pid, "State:"), "Z") })
	cases := map[int]string{os.Getpid(): "itself", gone.Process.Pid: "there is no process", stopped.pid: "T (stopped)", filtered.pid: "seccomp", leaderless.pid: "Z (zombie)"}
	if os.Geteuid() != 0 {
		cases[1] = "root with CAP_SYS_PTRACE may"
	}
	for pid, want := range cases {
		w, err := Take(pid)
		if err == nil {
			w.Close()
			t.Errorf("%d: it lends", pid)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %q", pid, err, want)
		}
	}
	unix.Kill(stopped.pid, unix.SIGCONT)
	fmt.Fprint(stopped.in, "x")
	stopped.ends("stopped", func(n int64) bool { return n == 1 }, "x")
}

// A process that is traced already is left to its tracer.
func TestTraced(t *testing.T) {
	needs(t)
	p := start(t, "read")
	p.asleep()
	err := onThread(func() error {
		s := &stopped{tid: p.pid}
		if e := s.ptrace(unix.PTRACE_SEIZE, 0, 0); e != 0 {
			return e
		}
		if _, err := Take(p.pid); err == nil || !strings.Contains(err.Error(), "is traced already, by process") {
			return fmt.Errorf("traced: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	p.until("is let go", func() bool { return procfs.StatusField(p.pid, "TracerPid:") == "0" })
	fmt.Fprint(p.in, "x")
	p.ends("read", func(n int64) bool { return n == 1 }, "x")
}

// BenchmarkStop measures for how long a sleeping thread is stopped, in µs.
func BenchmarkStop(b *testing.B) {
	needs(b)
	p := start(b, "read")
	p.asleep()
	var all []time.Duration
	for b.Loop() {
		w, err := Take(p.pid)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, w.Stopped())
		w.Close()
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "stopped-µs")
	b.ReportMetric(float64(all[len(all)-1].Microseconds()), "worst-µs")
}
