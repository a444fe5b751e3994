package cast

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// File is a file that a recording goes to. It stays as it was until the first line is written.
type File struct {
	file  *os.File
	made  bool // it was not there before
	begun bool // something was written
}

// Create makes a file for a recording, or opens one that holds a recording already, to be overwritten. Anything else that is there is
// left alone: another file, a link, a device.
func Create(path string) (*File, error) {
	refuse := func(why string) (*File, error) { return nil, fmt.Errorf("--record %s: %s", path, why) }
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		return &File{file: f, made: true}, nil
	}
	var named *fs.PathError
	if errors.As(err, &named) && !errors.Is(err, fs.ErrExist) {
		return refuse(named.Err.Error())
	}
	if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() { // opening a device or a pipe may do something
		return refuse(notOurs)
	}
	if f, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return refuse(errors.Unwrap(err).Error())
	}
	if !overwritable(f) {
		f.Close()
		return refuse(notOurs)
	}
	return &File{file: f}, nil
}

const notOurs = "it is there already and is not a recording: remove it, or choose another name"

// overwritable says whether a file is empty or a recording.
func overwritable(f *os.File) bool {
	line, err := bufio.NewReader(io.LimitReader(f, 1<<16)).ReadBytes('\n')
	if len(line) == 0 && err == io.EOF {
		return true
	}
	_, err = parseHeader(line)
	return err == nil
}

// Write writes; before the first time it takes away what was in the file.
func (f *File) Write(b []byte) (int, error) {
	if !f.begun {
		_, err := f.file.Seek(0, io.SeekStart)
		if err := errors.Join(err, f.file.Truncate(0)); err != nil {
			return 0, err
		}
		f.begun = true
	}
	return f.file.Write(b)
}

// Close closes the file, if there is one. One that was made for a recording that never began is removed.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	if f.made && !f.begun {
		os.Remove(f.file.Name())
	}
	return f.file.Close()
}
