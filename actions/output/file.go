package output

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// File is a file that is written as things happen. It stays as it was until the first Write. What
// was written is there whatever happens to its writer.
type File struct {
	file  *os.File
	in    *folder
	info  fs.FileInfo
	made  bool // it was not there before
	begun bool // something was written
}

// Open makes a file, or opens one of the same kind to be overwritten, and locks it. No path is no
// file.
func (k Kind) Open(path string) (*File, error) {
	if path == "" {
		return nil, nil
	}
	var f *File
	err := k.do(path, func(d *folder) (err error) {
		if f, err = k.open(d); err == nil {
			f.in = d.keep()
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
		err = errors.Join(block(file), lock(file, false)) // who found it before it was locked has it
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

// Write writes; before the first time it takes away what was in the file.
func (f *File) Write(b []byte) (int, error) {
	if !f.begun {
		_, err := f.file.Seek(0, io.SeekStart)
		if err := errors.Join(err, f.file.Truncate(0), f.file.Chmod(kept(f.info))); err != nil {
			return 0, err
		}
		f.begun = true
	}
	return f.file.Write(b)
}

// Again has the next Write begin the file anew.
func (f *File) Again() { f.begun = false }

// Close closes the file, if there is one. One that was made and never written to is removed.
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
