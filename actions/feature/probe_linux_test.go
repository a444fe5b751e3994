package feature

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"cowscope/actions/feature/machinetest"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"

	"golang.org/x/sys/unix"
)

func find(t *testing.T, r Report, name string) Result {
	t.Helper()
	i := slices.IndexFunc(r.Features, func(f Result) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("there is no feature %s", name)
	}
	return r.Features[i]
}

// TestThisMachine holds what must be so wherever the tests run.
func TestThisMachine(t *testing.T) {
	r := Probe()
	if len(r.Features) != len(All) || !versionLike.MatchString(r.Kernel) {
		t.Fatalf("%+v", r)
	}
	for _, f := range r.Features {
		if f.Available != (f.Reason == "") || strings.Contains(f.Reason, "\n") {
			t.Errorf("%s: available %v, reason %q", f.Name, f.Available, f.Reason)
		}
	}
	checkText(t, r)
	if err := r.Startable(); err != nil {
		t.Error(err)
	}
	if r.Arch == "amd64" && !(find(t, r, "amd64").Available && find(t, r, "map-32bit").Available && !find(t, r, "arm64").Available) {
		t.Error("an x86-64 machine is not told to be one")
	}
}

// Where page faults are not told, the reason says what would help.
func TestPerfFaults(t *testing.T) {
	f := find(t, Probe(), "perf-faults")
	text, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil && f.Available {
		t.Error("there is no perf_event_paranoid, and yet perf events")
	}
	if err == nil && !f.Available && !strings.Contains(f.Reason, "would help") {
		t.Errorf("perf_event_paranoid is %s: %s", text, f.Reason)
	}
}

// TestNewKernels accuses: what a kernel of this version has, nobody may miss. What must exist is a
// file that tells how the kernel was built, "" where the version alone decides.
func TestNewKernels(t *testing.T) {
	r := Probe()
	for name, built := range map[string]string{
		"scan": "", "query": "", "guard": "", "guard-bit": "", "mseal": "", "fixed-noreplace": "", "dontunmap": "", "lazyfree": "",
		"move-many": "", "merge-touched": "",
		"populate-advice": "", "collapse": thpDir + "enabled", "uffd-wp": "/proc/sys/vm/unprivileged_userfaultfd",
		"mdwe": "", "mdwe-no-inherit": "", "ksm-process": "/sys/kernel/mm/ksm/run",
		"uffd": "/proc/sys/vm/unprivileged_userfaultfd", "uffd-markers": "/proc/sys/vm/unprivileged_userfaultfd",
		"uffd-async": "/proc/sys/vm/unprivileged_userfaultfd",
		"uffd-minor": "/proc/sys/vm/unprivileged_userfaultfd", "uffd-poison": "/proc/sys/vm/unprivileged_userfaultfd", "uffd-move": "/proc/sys/vm/unprivileged_userfaultfd",
	} {
		f := find(t, r, name)
		if _, err := os.Stat(built); (built == "" || err == nil) && !older(r.Kernel, f.Since) && !f.Available {
			t.Errorf("Linux %s has %s: %s", r.Kernel, name, f.Reason)
		}
	}
}

func TestRights(t *testing.T) {
	r := Probe()
	for _, name := range []string{"frames", "kpage", "process-madvise"} {
		f := find(t, r, name)
		if root := os.Geteuid() == 0; f.Available != root || !root && !strings.Contains(f.Reason, "root") {
			t.Errorf("root %v: %+v", root, f)
		}
	}
	if f := find(t, r, "user"); f.Available != (os.Geteuid() != 0) {
		t.Errorf("%+v", f)
	}
	if f := find(t, r, "zram"); os.Geteuid() != 0 && f.Available {
		t.Errorf("%+v", f)
	}
}

// leaks counts what probes have not given back: their memory is the only one that no child gets.
func leaks(t *testing.T) int {
	t.Helper()
	reader, err := observe.NewReader(observe.Options{NoFrames: true, SmallMappings: 1 << 20, SmallPages: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s, err := reader.Observe(t.Context(), []vmspace.Member{{Label: "p1", PID: os.Getpid()}}, observe.Scope{})
	if err != nil || s.Processes[0].Err != "" {
		t.Fatal(err, s.Processes[0].Err)
	}
	n := 0
	for _, m := range s.Processes[0].Mappings.All() {
		if m.Smaps == nil {
			t.Fatal("the flags of mappings were not read")
		}
		if m.Smaps.HasFlag("dc") {
			n++
		}
	}
	return n
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// Every probe gives the same twice, and leaves no memory, no file and no process.
func TestProbesLeaveNothing(t *testing.T) {
	machinetest.Hold(t)
	m := newMachine()
	m.start() // the runtime opens files of its own for the first child
	files, before := openFiles(t), leaks(t)
	for _, f := range All {
		first := f.try(m)
		if n := leaks(t); n != before {
			t.Fatalf("%s leaves a mapping: %d are there, %d were", f.Name, n, before)
		}
		if again := f.try(newMachine()); again != first {
			t.Errorf("%s: first %q, then %q", f.Name, first, again)
		}
	}
	if n := openFiles(t); n > files { // the collector may have closed one of before
		t.Errorf("%d files were open, now %d", files, n)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("there is a child: %d, %v", pid, err)
	}
	if why := borrowPage(func(area) string { return fmt.Sprint(leaks(t)) }); why != fmt.Sprint(before+1) {
		t.Errorf("with a page in use there are %s mappings, without %d", why, before)
	}
}

func TestProbesTogether(t *testing.T) {
	machinetest.Hold(t)
	var all [4]Report
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = Probe() })
	}
	wg.Wait()
	for _, r := range all[1:] {
		if !slices.Equal(r.Features, all[0].Features) {
			t.Errorf("one finds %+v, another %+v", all[0].Features, r.Features)
		}
	}
}

func TestAvailable(t *testing.T) {
	machinetest.Hold(t)
	r := Probe()
	for _, f := range r.Features {
		for range 2 {
			if ok, reason, err := Available(f.Name); ok != f.Available || reason != f.Reason || err != nil {
				t.Errorf("%s: %v, %q, %v instead of %+v", f.Name, ok, reason, err, f)
			}
		}
	}
	for name, want := range map[string]string{
		"gaurd": "did you mean guard?", "frame": "did you mean frames?", "MAP_32BIT": "did you mean map-32bit?", "nonsense": "there are ptrace, ",
	} {
		ok, reason, err := Available(name)
		if ok || reason != "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %q, %v", name, ok, reason, err)
		}
	}
}

// What is tried is tried once in the life of the program.
func TestAvailableRemembers(t *testing.T) {
	tries := 0
	All = append(slices.Clip(All), Feature{"counted", "a probe that counts", "99.1", func(*machine) string {
		tries++
		return "no"
	}})
	defer func() {
		All = All[:len(All)-1]
		delete(known.reasons, "counted")
	}()
	for range 3 {
		if _, reason, err := Available("counted"); err != nil || !strings.HasPrefix(reason, "no; it came with Linux 99.1, this is ") {
			t.Errorf("%q, %v", reason, err)
		}
	}
	if tries != 1 {
		t.Errorf("tried %d times", tries)
	}
}

// The two questions that are asked without doing anything: an advice and a flag that no kernel has
// are told from those it has.
func TestQuestions(t *testing.T) {
	if err := knows(unix.MADV_NORMAL); err != nil {
		t.Error(err)
	}
	if err := knows(1 << 20); err != unix.EINVAL {
		t.Errorf("an unknown advice: %v", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_MSEAL+1000, 0, 0, ^uintptr(0)); errno != unix.ENOSYS {
		t.Errorf("an unknown call: %v", errno)
	}
}

func TestLoad(t *testing.T) {
	for prot, want := range map[int]bool{unix.PROT_NONE: false, unix.PROT_READ: true} {
		borrow(pageSize, prot, anon, func(a area) string {
			if b, ok := load(a.at); ok != want || b != 0 {
				t.Errorf("protection %d: %d, %v", prot, b, ok)
			}
			return ""
		})
	}
}

// An ordinary user who may lock less than is wanted is told the limit.
func TestLockLimit(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("needs an ordinary user: CAP_IPC_LOCK knows no limit")
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &before, nil)
	for _, limit := range []uint64{0, 4096} {
		if err := unix.Prlimit(0, unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: before.Max}, nil); err != nil {
			t.Fatal(err)
		}
		if why := lockable(nil); !strings.Contains(why, fmt.Sprintf("RLIMIT_MEMLOCK is %d bytes", limit)) {
			t.Errorf("limit %d: %q", limit, why)
		}
	}
}

// Who may have less than 1 TiB of addresses more is told so. The runtime keeps room to grow
// meanwhile.
func TestAddressLimit(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &before); err != nil {
		t.Fatal(err)
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages uint64
	if _, err := fmt.Sscan(string(statm), &pages); err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: pages*uint64(pageSize) + 1<<39, Max: before.Max}
	if err := unix.Prlimit(0, unix.RLIMIT_AS, &limit, nil); err != nil {
		t.Fatal(err)
	}
	defer unix.Prlimit(0, unix.RLIMIT_AS, &before, nil)
	if why := reservable(nil); !strings.Contains(why, fmt.Sprintf("mmap answers ENOMEM; RLIMIT_AS is %d bytes", limit.Cur)) {
		t.Errorf("limit %d: %q", limit.Cur, why)
	}
}
