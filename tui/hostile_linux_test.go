package tui_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The hostile suite: the built program where it is killed, refused, given no terminal, no room, no
// home, files that must not be lost, and input that is none. Each table is a test whose name begins
// with TestHostile; a row says what is expected. The gate runs some rows of each, drawn by a seed;
// .ci/hostile runs all.
//
//	TestHostileDeaths        signals at each kind of moment
//	TestHostileCalls         system calls that are refused
//	TestHostileTerminals     sizes, kinds, and files that are no terminal
//	TestHostileEnvironments  what a process inherits, and where it stands
//	TestHostileOutput        what stands where a file is to be written
//	TestHostileInput         what no parser expects
//	TestHostileLongSession   many commands in one session
//	TestHostileIdle          a lab that is left alone
//	TestHostileCrowd         many programs side by side
//
// What is expected of every row: it ends, or shows its screen, before patience runs out; a status
// above 1 comes with one line that says why; no process is left; the terminal is as it was.

// hostility says how much of the suite is run, and by which seed.
type hostility struct {
	full   bool
	deaths int // how many
	*rand.Rand
}

// hostilely begins a test of the suite.
func hostilely(t *testing.T) hostility {
	t.Helper()
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	h := hostility{deaths: 36}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("COWSCOPE_HOSTILE_SEED"), 10, 64); err == nil {
		seed = n
	}
	if n, err := strconv.Atoi(os.Getenv("COWSCOPE_HOSTILE_DEATHS")); err == nil {
		h.full, h.deaths = true, n
	}
	h.Rand = rand.New(rand.NewPCG(seed, 0))
	t.Logf("COWSCOPE_HOSTILE_SEED=%d", seed)
	program(t)
	return h
}

// some are all rows of a table, or in the gate n of them.
func some[T any](h hostility, rows []T, n int) []T {
	if h.full || n >= len(rows) {
		return rows
	}
	rows = slices.Clone(rows)
	h.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows[:n]
}

// oneLine says what is wrong with how a command line failed; "" where it told why in one line, or
// did not fail.
func oneLine(status int, errs string) string {
	if status < 2 || strings.HasPrefix(errs, "cowscope: ") && strings.Count(errs, "\n") == 1 {
		return ""
	}
	return fmt.Sprintf("status %d, and not one line of why: %.1000q", status, errs)
}

// orphanage takes in whoever is left by the programs that it started.
type orphanage struct {
	mu      sync.Mutex
	started map[int]bool
}

// newOrphanage makes this process the one that orphans fall to (PR_SET_CHILD_SUBREAPER), for the time of a test.
func newOrphanage(t *testing.T) *orphanage {
	t.Helper()
	must(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
	o := &orphanage{started: map[int]bool{}}
	for _, pid := range childrenOf(os.Getpid()) {
		o.started[pid] = true
	}
	return o
}

// start starts a program.
func (o *orphanage) start(start func() *attached) *attached {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := start()
	o.started[a.cmd.Process.Pid] = true
	return a
}

// empty waits until nobody is left, and names who is.
func (o *orphanage) empty() (left []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // nobody tells of a stranger's end
		left = nil
		o.mu.Lock()
		for _, pid := range childrenOf(os.Getpid()) {
			if o.started[pid] {
				continue
			}
			if got, _ := unix.Wait4(pid, nil, unix.WNOHANG, nil); got != pid {
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
				left = append(left, fmt.Sprintf("%d %s", pid, strings.TrimSpace(string(name))))
			}
		}
		o.mu.Unlock()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
	}
}

// childrenOf are the children of a process, whichever of its threads made them.
func childrenOf(pid int) (all []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, f := range strings.Fields(string(b)) {
			child, _ := strconv.Atoi(f)
			all = append(all, child)
		}
	}
	return all
}
