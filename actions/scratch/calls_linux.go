package scratch

import (
	"errors"
	"fmt"
	"os"

	"cowscope/actions/history"
	"cowscope/vmspace/printable"

	"golang.org/x/sys/unix"
)

// The calls themselves, so that offsets and sizes reach the kernel as they are, and its errno comes
// back.

// places are the folders in which a nameless file is tried, in order. /var/tmp comes before /tmp
// because /tmp is often memory, which has neither a disk to read from nor one to write to: a mapped
// file would show less.
func places() []string {
	all := []string{os.Getenv("TMPDIR"), "/var/tmp", os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm"}
	if all[0] == "" {
		all = all[1:]
	}
	return all
}

// Nameless makes a file that no folder lists (open(2), O_TMPFILE). Where no file system can, it is
// made in memory.
func Nameless(name string) (*os.File, error) {
	var errs []error
	for _, dir := range places() {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		errs = append(errs, fmt.Errorf("%s: %v", printable.Name(dir), err)) // no errno of a command: there is nowhere to put a file
	}
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(append(errs, fmt.Errorf("memfd_create: %v", err))...)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openPath opens a file for its name alone (open(2), O_PATH): nothing is read, no device wakes up.
func openPath(path string) (*os.File, func(), error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	x := os.NewFile(uintptr(fd), path)
	return x, func() { x.Close() }, nil
}

// realPath is where an open file lies now.
func realPath(x *os.File) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", x.Fd()))
}

func truncate(x *os.File, size uint64) error {
	return again(func() error { return unix.Ftruncate(int(x.Fd()), int64(size)) })
}

func pwrite(x *os.File, b []byte, offset uint64) (n int, err error) {
	err = again(func() error {
		n, err = unix.Pwrite(int(x.Fd()), b, int64(offset))
		return err
	})
	return max(n, 0), err
}

func pread(x *os.File, b []byte, offset uint64) (n int, err error) {
	err = again(func() error {
		n, err = unix.Pread(int(x.Fd()), b, int64(offset))
		return err
	})
	return max(n, 0), err
}

func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// used is the room that a file takes in bytes; st_blocks counts units of 512 (stat(2)).
func used(x *os.File) uint64 {
	var st unix.Stat_t
	if unix.Fstat(int(x.Fd()), &st) != nil {
		return 0
	}
	return uint64(st.Blocks) * 512
}

func identify(x *os.File) (history.File, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(x.Fd()), &st)
	return history.File{Major: unix.Major(st.Dev), Minor: unix.Minor(st.Dev), Inode: st.Ino, Size: uint64(st.Size)}, err
}
