//go:build linux || darwin

package output

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nonblock is the flag for an open that does not wait for the other end of a pipe.
const nonblock = unix.O_NONBLOCK

// block removes that flag from an open file.
func block(f *os.File) error {
	return control(f, func(fd int) error { return unix.SetNonblock(fd, false) })
}

// control calls do with a file's descriptor.
func control(f *os.File, do func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	return errors.Join(c.Control(func(fd uintptr) { failed = do(int(fd)) }), failed)
}

// owner reports whether a file belongs to this user, and how many links it has.
func owner(st fs.FileInfo) (mine bool, links uint64) {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return false, 0
	}
	return int(s.Uid) == os.Geteuid(), uint64(s.Nlink)
}

// lock locks a file until it is closed (flock(2)). Without wait, a locked file is an error.
func lock(f *os.File, wait bool) error {
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		err := control(f, func(fd int) error { return unix.Flock(fd, how) })
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return isBusy
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}
