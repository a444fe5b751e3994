package scratch

import (
	"errors"
	"fmt"
	"os"

	"cowscope/actions/history"
	"cowscope/vmspace/printable"

	"golang.org/x/sys/unix"
)

// The system calls themselves, so that offsets and sizes reach the kernel unchanged, and its errno
// is returned.

// places are the folders in which a nameless file is tried, in order. /var/tmp comes before /tmp
// because /tmp is often a tmpfs, without a disk to read from or write to: a mapped file would show
// less.
func places() []string {
	all := []string{os.Getenv("TMPDIR"), "/var/tmp", os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm"}
	if all[0] == "" {
		all = all[1:]
	}
	return all
}

// Nameless creates a file that is in no folder (open(2), O_TMPFILE). If no file system supports
// that, it is created in memory.
func Nameless(name string) (*os.File, error) {
	var errs []error
	for _, dir := range places() {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err == nil {
			_ = unix.Fchmod(fd, 0o600) // whatever the umask: the subject opens it again
			return os.NewFile(uintptr(fd), name), nil
		}
		// Not an errno of the command: there is no place for a file.
		errs = append(errs, fmt.Errorf("%s: %v", printable.Name(dir), err))
	}
	x, err := memfd(name, 0)
	if err != nil {
		return nil, errors.Join(append(errs, fmt.Errorf("memfd_create: %v", err))...)
	}
	return x, nil
}

func memfd(name string, flags uint) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, int(flags)|unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openPath opens a file with O_PATH (open(2)): nothing is read, and a device is not opened.
func openPath(path string) (*os.File, func(), error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	x := os.NewFile(uintptr(fd), path)
	return x, func() { x.Close() }, nil
}

// realPath is the current path of an open file.
func realPath(x *os.File) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/self/fd/%d", x.Fd()))
}

func truncate(x *os.File, size uint64) error {
	return again(func() error { return unix.Ftruncate(int(x.Fd()), int64(size)) })
}

func fallocate(x *os.File, mode uint32, offset, length uint64) error {
	return again(func() error { return unix.Fallocate(int(x.Fd()), mode, int64(offset), int64(length)) })
}

func seal(x *os.File, seals history.Seals) error {
	_, err := unix.FcntlInt(x.Fd(), unix.F_ADD_SEALS, int(seals))
	return err
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

// used is the size in bytes of the blocks of a file; st_blocks counts units of 512 (stat(2)).
func used(x *os.File) uint64 {
	var st unix.Stat_t
	if unix.Fstat(int(x.Fd()), &st) != nil {
		return 0
	}
	return uint64(st.Blocks) * 512
}

// identify returns everything about a file but its name. Only files in memory have seals.
func identify(x *os.File) (history.File, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(x.Fd()), &st)
	e := history.File{Major: unix.Major(st.Dev), Minor: unix.Minor(st.Dev), Inode: st.Ino, Size: uint64(st.Size)}
	if seals, err := unix.FcntlInt(x.Fd(), unix.F_GET_SEALS, 0); err == nil {
		e.Seals = history.Seals(seals)
	}
	var fs unix.Statfs_t
	if unix.Fstatfs(int(x.Fd()), &fs) == nil && fs.Type == unix.HUGETLBFS_MAGIC {
		e.HugePage = uint64(fs.Bsize)
	}
	return e, err
}
