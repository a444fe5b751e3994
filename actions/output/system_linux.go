package output

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// at calls f with the directory's descriptor.
func (d *folder) at(f func(fd int) error) error {
	dir, err := d.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(int(dir.Fd()))
}

// unnamed creates a file without a name; nil if the file system does not support it (open(2),
// O_TMPFILE).
func (d *folder) unnamed() (f *os.File) {
	d.at(func(dir int) error {
		fd, err := unix.Openat(dir, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, private)
		if err == nil {
			f = os.NewFile(uintptr(fd), d.name)
		}
		return err
	})
	return f
}

// link gives a file without a name a name that must not exist.
func (t *draft) link(name string) error {
	return t.in.at(func(dir int) error {
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", t.Fd()), dir, name, unix.AT_SYMLINK_FOLLOW)
	})
}

// rename renames within the folder; can is false if the file system does not support the flag.
func (d *folder) rename(from, to string, flag uint) (can bool, err error) {
	err = d.at(func(dir int) error { return unix.Renameat2(dir, from, dir, to, flag) })
	if err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP {
		return false, nil
	}
	return true, err
}

// exchange exchanges two names, in one step.
func (d *folder) exchange(a, b string) (can bool, err error) {
	return d.rename(a, b, unix.RENAME_EXCHANGE)
}

// move renames, but never replaces an existing file.
func (d *folder) move(from, to string) bool {
	can, err := d.rename(from, to, unix.RENAME_NOREPLACE)
	return can && err == nil
}
