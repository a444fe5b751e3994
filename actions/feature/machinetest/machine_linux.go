// Package machinetest lends settings of the machine to tests: no other test sees a change, and it
// is undone however the test ends. Only tests import this package.
//
// Rules of this package:
//
//   - A setting is changed only if COWSCOPE_TEST_MACHINE is 1 in the environment. Otherwise such a
//     test is skipped.
//   - A test that changes settings holds the lock exclusively, from before the change until it is
//     undone. A test that only relies on settings shares the lock. The lock is machine-wide: other
//     packages and other copies of these tests wait for it too.
//   - A separate process, the keeper, changes the settings and restores them as soon as the test
//     is over or its process has died: it waits at the end of a pipe. This covers every ending: a
//     failure, a panic, a timeout, SIGINT, SIGKILL.
package machinetest

import (
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Variable is the environment variable that allows tests to change settings.
const Variable = "COWSCOPE_TEST_MACHINE"

// The locked objects are folders that always exist, that every user may open and nobody can
// replace. A test that waits for the lock holds the gate, so that one that wants it exclusively
// gets it even if others share it all the time.
var (
	gateFile = "/proc/sys/fs"
	lockFile = "/proc/sys/vm"
)

func allowed() bool { return os.Getenv(Variable) == "1" }

// holding is what a test holds.
type holding struct {
	lock   *os.File
	alone  bool
	keeper *keeper // nil until a setting is changed
}

var (
	mu   sync.Mutex
	held = map[string]*holding{} // by the name of the test
)

// holdingOf returns what a test, or the test that it is a part of, holds already.
func holdingOf(name string) *holding {
	mu.Lock()
	defer mu.Unlock()
	for {
		if h := held[name]; h != nil {
			return h
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return nil
		}
		name = name[:i]
	}
}

// Hold keeps the settings unchanged until the test is over: no other test changes one meanwhile.
func Hold(t testing.TB) {
	t.Helper()
	hold(t, false)
}

// Change lets the test change settings until it is over, and skips it if that is not allowed: does
// says what the test would do. Whatever depends on the setting must end before the test: cleanups
// that are registered later run earlier.
func Change(t testing.TB, does string) *Settings {
	t.Helper()
	if !allowed() {
		t.Skipf("needs %s=1: it %s", Variable, does)
	}
	return &Settings{t, hold(t, true)}
}

// HoldToChange is Hold for a test that may call Change later: if a setting is already as it needs
// it, it changes nothing.
func HoldToChange(t testing.TB) {
	t.Helper()
	hold(t, allowed())
}

func hold(t testing.TB, alone bool) *holding {
	t.Helper()
	if h := holdingOf(t.Name()); h != nil {
		if alone && !h.alone {
			t.Fatal("the lock is shared already: call HoldToChange in place of Hold")
		}
		return h
	}
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	gate := locked(t, gateFile, unix.LOCK_EX)
	lock := locked(t, lockFile, how)
	gate.Close()
	h := &holding{lock: lock, alone: alone}
	mu.Lock()
	held[t.Name()] = h
	mu.Unlock()
	t.Cleanup(func() {
		if h.keeper != nil {
			if err := h.keeper.end(); err != nil {
				t.Errorf("the settings are not as they were: %v", err)
			}
		}
		mu.Lock()
		delete(held, t.Name())
		mu.Unlock()
		lock.Close()
	})
	return h
}

// locked locks a file until it is closed.
func locked(t testing.TB, path string, how int) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(f.Fd()), how)
	}
	if err != nil {
		t.Fatalf("lock of %s: %v", path, err)
	}
	return f
}

// Settings changes the settings of the machine for a test.
type Settings struct {
	t testing.TB
	h *holding
}

// Set writes a setting: a file that holds a value, or words of which the active one is in brackets.
func (s *Settings) Set(path, value string) error {
	return s.ask(request{Path: path, Value: value})
}

// Swap makes a swap device of compressed memory (zram), with a size in bytes.
func (s *Settings) Swap(size int) error { return s.ask(request{Swap: size}) }

func (s *Settings) ask(r request) error {
	s.t.Helper()
	if s.h.keeper == nil {
		k, err := startKeeper(s.h.lock)
		if err != nil {
			s.t.Fatal(err)
		}
		s.h.keeper = k
	}
	return s.h.keeper.ask(r)
}
