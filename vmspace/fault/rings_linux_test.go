package fault

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// open opens rings, which may be refused here.
func open(t testing.TB, family func() []int) *Rings {
	t.Helper()
	r, err := Open(family)
	var no *Refused
	if errors.As(err, &no) {
		t.Skipf("needs perf-faults: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// of are the faults of a thread between the two times.
func of(events []Event, d touched, from, to int64) (own []Event) {
	for _, e := range events {
		if e.Kind == Fault && e.TID == d.TID && e.PID == d.PID && int64(e.Time) >= from && int64(e.Time) <= to {
			own = append(own, e)
		}
	}
	return own
}

// holds says that the events have what a thread did: as many faults as getrusage(2) counts, and each
// page of the range once, in the order of the accesses, by an instruction of the program.
func holds(t *testing.T, events []Event, d touched) {
	t.Helper()
	own := of(events, d, d.From.Before, d.To.After)
	least, most := len(of(events, d, d.From.After, d.To.Before)), len(own)
	if n := int(d.Faults()); n > 0 && (n < least || n > most) {
		t.Errorf("%d to %d faults of thread %d are told, getrusage counts %d", least, most, d.TID, n)
	}
	next, page := d.Start, uint64(os.Getpagesize())
	for _, e := range own {
		if e.Addr&^(page-1) == next && !e.Kernel && !e.Major && e.IP != 0 {
			next += page
		}
	}
	if next != d.Start+d.Pages*page {
		t.Errorf("%d of %d pages of thread %d are told of", (next-d.Start)/page, d.Pages, d.TID)
	}
	if !slices.IsSortedFunc(events, func(a, b Event) int { return int(a.Time - b.Time) }) {
		t.Error("they are not in the order of time")
	}
}

// Every first access to a page is told, of reads and writes, of threads that were there and that
// came later, of a child that copies; a second access is one where it copies.
func TestRings(t *testing.T) {
	p := start(t)
	if old := p.ask("thread 1"); old.TID == old.PID {
		t.Fatalf("%+v: not a thread of its own", old)
	}
	r := open(t, p.family)
	for _, order := range []string{"touch 300 w", "touch 300 r", "newest 200", "thread 200", "again 100", "fork 100"} {
		d := p.ask(order)
		events, lost := r.Drain(nil)
		if lost > 0 {
			t.Fatalf("%s: %d events were lost", order, lost)
		}
		if order == "again 100" {
			if d.Faults() < d.Pages {
				t.Fatalf("%+v: the zero page was not copied", d)
			}
		}
		holds(t, events, d)
	}
}

// A thread that has the events twice, since it was made while they were opened, is told of once.
func TestRingsTwice(t *testing.T) {
	p := start(t)
	r := open(t, p.family)
	old := p.ask("thread 1") // has inherited them, too
	if err := r.open(old.TID); err != nil {
		t.Fatal(err)
	}
	r.Drain(nil)
	for _, order := range []string{"newest 100", "again 100", "thread 100", "touch 100 w", "newest 100"} {
		d := p.ask(order)
		events, lost := r.Drain(nil)
		if lost > 0 {
			t.Fatalf("%s: %d events were lost", order, lost)
		}
		holds(t, events, d)
	}
}

// A child is told of too: that it has another program, what it touches, and its end.
func TestRingsChild(t *testing.T) {
	p := start(t)
	r := open(t, p.family)
	d := p.ask("child 100 w")
	if d.PID == p.cmd.Process.Pid {
		t.Fatalf("%+v is no child", d)
	}
	var events []Event
	within(t, "the child's end", func() bool {
		r.Wait(20 * time.Millisecond)
		var lost uint64
		if events, lost = r.Drain(events); lost > 0 {
			t.Fatalf("%d events were lost", lost)
		}
		return slices.ContainsFunc(events, func(e Event) bool { return e.Kind == Exit && e.PID == d.PID && e.TID == d.PID })
	})
	slices.SortStableFunc(events, func(a, b Event) int { return int(a.Time - b.Time) })
	holds(t, events, d)
	exec := slices.IndexFunc(events, func(e Event) bool { return e.Kind == Exec && e.PID == d.PID })
	if exec < 0 || int64(events[exec].Time) > d.From.Before {
		t.Fatalf("its exec is not told of, or too late: %d", exec)
	}
}

// What a full ring has no room for is counted: seen and lost are together what was taken.
func TestRingsLost(t *testing.T) {
	p := start(t)
	p.ask("pin") // so that one ring gets everything, and tells of what was lost with the next event
	r := open(t, p.family)
	r.Drain(nil)
	room := uint64(r.size / 48) // of the records of so many faults
	d := p.ask("touch " + strconv.FormatUint(2*room, 10) + " w")
	events, lost := r.Drain(nil)
	more := p.ask("touch 10 w")
	later, lostLater := r.Drain(nil)
	lost += lostLater
	seen, took := uint64(len(of(events, d, d.From.Before, d.To.After))), d.Faults()
	if lost == 0 || seen == 0 || seen >= took {
		t.Fatalf("%d faults, %d seen, %d lost: the ring did not overflow", took, seen, lost)
	}
	// The thread may have taken a few around the counting, and others of the program meanwhile.
	if all := seen + lost; all < took || all > took+50 {
		t.Errorf("%d seen and %d lost of %d faults", seen, lost, took)
	}
	holds(t, later, more)
}

// Wait comes back before its time when a ring fills.
func TestRingsWait(t *testing.T) {
	p := start(t)
	p.ask("pin") // so that one ring gets everything
	r := open(t, p.family)
	done := make(chan error)
	go func() { done <- r.Wait(time.Minute) }()
	p.ask("touch " + strconv.Itoa(r.size/48/2) + " w")
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it still waits")
	}
	if events, lost := r.Drain(nil); len(events)+int(lost) == 0 {
		t.Error("nothing was there to wait for")
	}
	p.end() // soon its descriptors are ready for ever: Wait takes its time all the same
	within(t, "a wait that takes its time", func() bool {
		began := time.Now()
		if err := r.Wait(50 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		return time.Since(began) >= 40*time.Millisecond
	})
}

// Nobody is traced or stopped, and nothing stays open.
func TestRingsLeaveNothing(t *testing.T) {
	p := start(t)
	before := descriptors(t)
	r := open(t, p.family)
	if descriptors(t) == before {
		t.Fatal("nothing was opened")
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil || !strings.Contains(string(text), "TracerPid:\t0\n") {
		t.Errorf("%v: %s", err, text)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	if strings.Contains(string(maps), "perf_event") {
		t.Error("a ring is still mapped")
	}
	p.ask("touch 10 w") // it lives on
	r.rings, r.fds = nil, nil
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "perf_event") {
			n++
		}
	}
	return n
}

// Root sees what is done in the kernel; an ordinary user sees it where the kernel lets him.
func TestRingsKernel(t *testing.T) {
	r := open(t, start(t).family)
	if want := os.Geteuid() == 0 || paranoid() < 2; r.Kernel() != want {
		t.Errorf("faults in the kernel are told: %v, want %v", r.Kernel(), want)
	}
}

func TestOpenRefused(t *testing.T) {
	open(t, func() []int { return []int{os.Getpid()} }) // where nobody is refused all
	if _, err := Open(func() []int { return []int{1 << 30} }); err != ErrNoProcess {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := Open(func() []int { return nil }); err != ErrNoProcess {
		t.Errorf("nobody asked for: %v", err)
	}
	if os.Geteuid() != 0 {
		_, err := Open(func() []int { return []int{1} })
		var no *Refused
		if !errors.As(err, &no) || no.Errno != unix.EACCES || !strings.Contains(no.Help, "another user's") {
			t.Errorf("another user's process: %v", err)
		}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	_, err := openMany(os.Getpid())
	unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	if err != unix.EMFILE {
		t.Errorf("too many open files: %v", err)
	}
}

// openMany opens one event, and nothing else.
func openMany(pid int) (int, error) {
	r := &Rings{size: unix.Getpagesize()}
	return r.event(pid, 0, false)
}

// Every refusal has the setting that would help.
func TestHelp(t *testing.T) {
	for _, c := range []struct {
		call     string
		errno    unix.Errno
		paranoid int
		want     string
	}{
		{"perf_event_open", unix.EACCES, 3, "perf_event_open answers EACCES: sysctl kernel.perf_event_paranoid=2 would help; it is 3"},
		{"perf_event_open", unix.EPERM, 4, "sysctl kernel.perf_event_paranoid=2 would help; it is 4"},
		{"perf_event_open", unix.EPERM, 2, "a container's filter"},
		{"perf_event_open", unix.EACCES, 2, "another user's"},
		{"perf_event_open", unix.EMFILE, 2, "ulimit -n"},
		{"perf_event_open", unix.ENFILE, 2, "fs.file-max"},
		{"perf_event_open", unix.ENOSYS, 0, "without perf events"},
		{"mmap", unix.EPERM, 4, "kernel.perf_event_mlock_kb"},
		{"mmap", unix.ENOMEM, 2, "mmap answers ENOMEM"},
	} {
		r := &Refused{c.call, c.errno, help(c.call, c.errno, c.paranoid)}
		if !strings.Contains(r.Error(), c.want) || !errors.Is(r, c.errno) {
			t.Errorf("%s %v at %d: %q, want %q", c.call, c.errno, c.paranoid, r, c.want)
		}
	}
}

// within waits until f holds.
func within(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatalf("%s: it does not come", what)
		}
	}
}
