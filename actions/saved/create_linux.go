package saved

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// File is a file that a session is saved to. It stays as it was until the first line is written.
type File struct {
	*os.File
	made  bool // it was not there before
	begun bool // something was written
}

// Create makes the file for a session, or opens one that holds a session already, to be overwritten, and locks it. Anything else that is
// there is left alone: another file, a link, a device, a file of another user, one that another cowscope writes to. No path is no file.
func Create(path string) (*File, error) {
	if path == "" {
		return nil, nil
	}
	refuse := func(why string) error { return fmt.Errorf("--save %s: %s", path, why) }
	const flags = unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK // which waits for nobody at the other end of a fifo
	fd, err := unix.Open(path, flags|unix.O_CREAT|unix.O_EXCL, 0o600)
	made := err == nil
	if errors.Is(err, unix.EEXIST) {
		fd, err = unix.Open(path, flags, 0)
	}
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, refuse("it is a symbolic link, and where it leads is not touched: name the file itself")
	case errors.Is(err, unix.EISDIR):
		return nil, refuse("it is a folder")
	case errors.Is(err, unix.ENXIO):
		return nil, refuse(notOurs)
	case err != nil:
		return nil, refuse(err.Error())
	}
	f := &File{File: os.NewFile(uintptr(fd), path), made: made}
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		err = refuse("another cowscope is writing to it")
	} else if !made {
		if why := f.foreign(); why != "" {
			err = refuse(why)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

const notOurs = "it is there already and is not a saved session: remove it, or choose another name"

// foreign says why a file may not be overwritten, "" where it may: it is empty, or a session of the same user.
func (f *File) foreign() string {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err.Error()
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return notOurs
	}
	if int(st.Uid) != os.Geteuid() {
		return "it belongs to another user"
	}
	r := &reader{in: bufio.NewReader(f)}
	if st.Size > 0 && errors.Is(r.header(), errForeign) {
		return notOurs
	}
	return ""
}

// Close closes the file, if there is one. One that was made for a session that never began is removed.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	if f.made && !f.begun {
		os.Remove(f.Name())
	}
	return f.File.Close()
}

// again has the next Write begin the file anew.
func (f *File) again() { f.begun = false }

// Write writes; before the first time it takes away what was in the file.
func (f *File) Write(b []byte) (int, error) {
	if !f.begun {
		fd := int(f.Fd())
		_, err := unix.Seek(fd, 0, unix.SEEK_SET)
		if err := errors.Join(err, unix.Ftruncate(fd, 0), unix.Fchmod(fd, 0o600)); err != nil {
			return 0, err
		}
		f.begun = true
	}
	return f.File.Write(b)
}
