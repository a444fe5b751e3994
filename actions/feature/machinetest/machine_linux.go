// Package machinetest lends settings of the machine to tests: what a test changes is changed for
// nobody else, and is put back whatever becomes of the test. The program itself does not have it.
//
// Rules of this package:
//
//   - A setting is changed only where COWSCOPE_TEST_MACHINE is 1 in the environment. Without it such a test is skipped.
//   - Who changes settings has the lock alone, from before the change until all is as it was. Who only relies on settings shares it. The
//     lock is of the machine: other packages and other copies of these tests wait for it too.
//   - A process of its own, the keeper, changes the settings and puts them back as soon as the test is over or its process has died: it
//     waits at the end of a pipe. So one way serves every ending: a failure, a panic, a timeout, SIGINT, SIGKILL.
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

// What is locked are folders that are always there, that everybody may open and nobody can replace.
// Who waits for the lock has the gate, so that one who wants it alone gets it although others share
// it all the time.
var (
	gateFile = "/proc/sys/fs"
	lockFile = "/proc/sys/vm"
)

func allowed() bool { return os.Getenv(Variable) == "1" }

// holding is what a test holds of the machine.
type holding struct {
	lock   *os.File
	alone  bool
	keeper *keeper // nil until a setting is changed
}

var (
	mu   sync.Mutex
	held = map[string]*holding{} // by the name of the test
)

// holdingOf is what a test, or one that it is a part of, holds already.
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

// Hold keeps the settings as they are until the test is over: no other test changes one meanwhile.
func Hold(t testing.TB) {
	t.Helper()
	hold(t, false)
}

// Change lets the test change settings until it is over, and skips it where that is not allowed:
// does says what the test would do. What depends on the setting has to be over before the test is:
// cleanups that come later run before.
func Change(t testing.TB, does string) *Settings {
	t.Helper()
	if !allowed() {
		t.Skipf("needs %s=1: it %s", Variable, does)
	}
	return &Settings{t, hold(t, true)}
}

// HoldToChange is Hold for a test that may call Change later: one that finds a setting as it needs
// it changes nothing.
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

// Set writes a setting: a file that holds a value, or words of which the one that counts stands in
// brackets.
func (s *Settings) Set(path, value string) error {
	return s.ask(request{Path: path, Value: value})
}

// Swap makes a swap device of compressed memory, of so many bytes.
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
