package output

import (
	"os"

	"golang.org/x/sys/unix"
)

func (d *folder) unnamed() *os.File { return nil }

func (*draft) link(string) error { return unix.ENOTSUP } // every draft has a name

// rename renames within the folder; can is false if the file system does not support the flag
// (renameatx_np(2)).
func (d *folder) rename(from, to string, flag uint32) (can bool, err error) {
	dir, err := d.root.Open(".")
	if err != nil {
		return false, err
	}
	defer dir.Close()
	err = unix.RenameatxNp(int(dir.Fd()), from, int(dir.Fd()), to, flag)
	if err == unix.EINVAL || err == unix.ENOTSUP {
		return false, nil
	}
	return true, err
}

// exchange exchanges two names, in one step.
func (d *folder) exchange(a, b string) (can bool, err error) { return d.rename(a, b, unix.RENAME_SWAP) }

// move renames, but never replaces an existing file.
func (d *folder) move(from, to string) bool {
	can, err := d.rename(from, to, unix.RENAME_EXCL)
	return can && err == nil
}
