package machinetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// swapOn makes a swap device of compressed memory (Documentation/admin-guide/blockdev/zram.rst).
func swapOn(size int, undo *[]func() error) error {
	later := func(u func() error) { *undo = append(*undo, u) }
	id, err := os.ReadFile("/sys/class/zram-control/hot_add")
	if err != nil {
		return err
	}
	n := strings.TrimSpace(string(id))
	later(func() error { return whenFree("/sys/class/zram-control/hot_remove", n) })
	sys, dev := "/sys/block/zram"+n, "/dev/zram"+n
	if err := os.WriteFile(sys+"/disksize", fmt.Append(nil, size), 0); err != nil {
		return err
	}
	later(func() error { return whenFree(sys+"/reset", "1") })
	if err := node(sys, dev, later); err != nil {
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
	later(func() error {
		if _, _, e := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(path)), 0, 0); e != 0 {
			return fmt.Errorf("swapoff %s: %w", dev, e)
		}
		return nil
	})
	return nil
}

// whenFree writes a value that is refused while another process has the device open, as a device
// manager has for a moment.
func whenFree(path, value string) error {
	for last := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := os.WriteFile(path, []byte(value), 0)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(last) {
			return err
		}
	}
}

// node creates the device file if no device manager does.
func node(sys, dev string, later func(func() error)) error {
	if _, err := os.Stat(dev); err == nil {
		return nil
	}
	var major, minor uint32
	text, err := os.ReadFile(sys + "/dev")
	if err != nil {
		return err
	}
	if _, err := fmt.Sscanf(string(text), "%d:%d", &major, &minor); err != nil {
		return fmt.Errorf("%s/dev is %q: %w", sys, text, err)
	}
	later(func() error { return os.Remove(dev) })
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
