package actions

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Settings of the machine that a test may change for its time, where root allows.

// providers bring features that are missing only because nobody asked for them. Each says why it could not.
var providers = map[string]func(t *testing.T) error{"swap": swapOn, "ksm": ksmOn, "hugetlb": hugetlbOn}

// provide makes the features of a script that are missing, or skips the test with the reason.
func provide(t *testing.T, sc *Script) {
	t.Helper()
	for _, n := range sc.needs {
		require(t, n.features...)
	}
}

// require makes the features that are missing, or skips the test with the reason.
func require(t *testing.T, features ...string) {
	t.Helper()
	for _, f := range features {
		make := providers[f]
		if make != nil && os.Getuid() == 0 {
			alone(t)
		}
		why, err := missing([]string{f})
		if err != nil {
			t.Fatal(err)
		}
		if why == "" {
			continue
		}
		if make == nil || os.Getuid() != 0 {
			t.Skipf("needs %s: %s", f, why)
		}
		if err := make(t); err != nil {
			t.Skipf("needs %s: %s, and it could not be made: %v", f, why, err)
		}
	}
}

// alone waits until no other run of these tests changes settings of the machine, and keeps others waiting until the test is over: a swap
// device that goes takes its pages back in, whosever they are.
func alone(t *testing.T) {
	t.Helper()
	f, err := os.Open("/proc/swaps")
	if err != nil {
		t.Fatal(err)
	}
	if locked[t.Name()] {
		f.Close()
		return
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	locked[t.Name()] = true
	t.Cleanup(func() {
		delete(locked, t.Name())
		f.Close()
	})
}

// locked are the tests that hold the lock.
var locked = map[string]bool{}

// set writes a setting and puts back what was there when the test is over.
func set(t *testing.T, path, value string) error {
	before, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(value), 0)
	}
	if err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, before, 0); err != nil {
			t.Error(err)
		}
	})
	return nil
}

func ksmOn(t *testing.T) error {
	const dir = "/sys/kernel/mm/ksm"
	for _, s := range []struct{ name, value string }{{"sleep_millisecs", "1"}, {"pages_to_scan", "1000"}, {"run", "1"}} {
		if err := set(t, filepath.Join(dir, s.name), s.value); err != nil {
			return err
		}
	}
	return nil
}

// swapOn makes a swap device of compressed memory.
func swapOn(t *testing.T) error {
	id, err := os.ReadFile("/sys/class/zram-control/hot_add")
	if err != nil {
		return err
	}
	n := strings.TrimSpace(string(id))
	t.Cleanup(func() {
		if err := os.WriteFile("/sys/class/zram-control/hot_remove", []byte(n), 0); err != nil {
			t.Error(err)
		}
	})
	const size = 16 << 20
	sys, dev := "/sys/block/zram"+n, "/dev/zram"+n
	if err := os.WriteFile(sys+"/disksize", fmt.Append(nil, size), 0); err != nil {
		return err
	}
	t.Cleanup(func() { _ = os.WriteFile(sys+"/reset", []byte("1"), 0) })
	if err := node(t, sys, dev); err != nil {
		return err
	}
	if err := os.WriteFile(dev, swapHeader(size), 0); err != nil {
		return err
	}
	path, err := unix.BytePtrFromString(dev)
	if err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(path)), 0, 0); e != 0 {
		return fmt.Errorf("swapon %s: %w", dev, e)
	}
	t.Cleanup(func() {
		if _, _, e := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(path)), 0, 0); e != 0 {
			t.Error("swapoff:", e)
		}
	})
	return nil
}

// node makes the device file where no device manager does.
func node(t *testing.T, sys, dev string) error {
	if _, err := os.Stat(dev); err == nil {
		return nil
	}
	var major, minor uint32
	text, err := os.ReadFile(sys + "/dev")
	if err != nil {
		return err
	}
	if _, err := fmt.Sscanf(string(text), "%d:%d", &major, &minor); err != nil {
		return err
	}
	t.Cleanup(func() { os.Remove(dev) })
	return unix.Mknod(dev, unix.S_IFBLK|0o600, int(unix.Mkdev(major, minor)))
}

// swapHeader is the first page of a swap device (union swap_header in include/linux/swap.h).
func swapHeader(size int) []byte {
	page := os.Getpagesize()
	b := make([]byte, page)
	binary.LittleEndian.PutUint32(b[1024:], 1)                   // version
	binary.LittleEndian.PutUint32(b[1028:], uint32(size/page-1)) // last page
	copy(b[page-10:], "SWAPSPACE2")
	return b
}
