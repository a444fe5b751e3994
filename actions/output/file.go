package output

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// File is a file that is written while a session runs. Its previous content stays until the first
// Write. Whatever was written is in the file, however the program ends.
type File struct {
	file  *os.File
	kind  Kind
	path  string // as it was given
	in    *folder
	info  fs.FileInfo
	made  bool // it did not exist before
	begun bool // something was written
}

// Open creates a file, or opens one of the same kind to be overwritten, and locks it. An empty path
// gives a nil File.
func (k Kind) Open(path string) (*File, error) {
	if path == "" {
		return nil, nil
	}
	var f *File
	err := k.do(path, func(d *folder) (err error) {
		if f, err = k.open(d); err == nil {
			f.kind, f.path, f.in = k, path, d.keep()
		}
		return err
	})
	return f, err
}

func (k Kind) open(d *folder) (*File, error) {
	file, err := d.root.OpenFile(d.name, os.O_RDWR|os.O_CREATE|os.O_EXCL|nonblock, private)
	if errors.Is(err, fs.ErrExist) {
		old, err := k.existing(d, true)
		if err != nil {
			return nil, err
		}
		if old == nil {
			return nil, errAgain
		}
		return &File{file: old.File, info: old.info}, nil
	}
	if err != nil {
		return nil, err
	}
	f := &File{file: file, made: true}
	if f.info, err = file.Stat(); err == nil {
		// A program that found the file before it was locked has it now.
		err = errors.Join(block(file), lock(file, false))
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

// Write writes; the first call truncates the file before.
func (f *File) Write(b []byte) (n int, err error) {
	if !f.begun {
		if _, err = f.file.Seek(0, io.SeekStart); err == nil {
			err = f.file.Truncate(0)
		}
		if err == nil {
			err = f.file.Chmod(kept(f.info))
		}
		f.begun = err == nil
	}
	if err == nil {
		n, err = f.file.Write(b)
	}
	if err != nil {
		err = &Refusal{f.kind.By, f.path, plain(err).Error(), err}
	}
	return n, err
}

// Again makes the next Write truncate the file.
func (f *File) Again() { f.begun = false }

// Close closes the file, if there is one. A file that Open created and that was never written to is
// removed.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	if st, err := f.file.Stat(); f.made && err == nil && st.Size() == 0 {
		f.in.remove(f.info)
	}
	f.in.close()
	return f.file.Close()
}
