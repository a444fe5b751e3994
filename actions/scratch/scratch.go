// Package scratch is the folder in which a session keeps its files, and the door to the few other
// files that a session may open.
//
// The folder has no place in the file system: each file is made without a name, and lives as long
// as somebody holds it open or has it mapped. So nothing is left behind however cowscope ends, kill
// -9 included. The names exist in this package alone. The subject gets at a file through a
// descriptor that is lent to it.
//
// A *NameError says that a name leads to nothing that may be used, a *FullError that there are too
// many files, and both that nothing was done; any other error is the kernel's errno.
package scratch

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace/printable"
)

// Folder is the scratch folder of one session. It is not for several goroutines at once.
type Folder struct {
	allowed []string // real paths that may be opened beside what the folder holds
	named   map[string]*file
	files   []*file        // in the order in which they were made, also those that were removed
	entries []history.File // of files; what was given out is not written to
}

// file is an open file. One that was removed is held as long as somebody maps it, since it still
// takes room.
type file struct {
	*os.File
	name    string
	removed bool
}

const (
	// MostFiles is how many files a folder holds: each is an open descriptor.
	MostFiles = 256
	// MaxName is the longest name, in bytes, as most file systems have it.
	MaxName = 255
)

// FullError says that the folder holds as many files as it may.
type FullError struct{ Files int }

func (e *FullError) Error() string { return fmt.Sprintf("the scratch folder holds %d files", e.Files) }

const (
	// Zero is the path that everyone may open.
	Zero = "/dev/zero"
	// Dot is the name of the folder itself, which can be opened and not be mapped.
	Dot = "."
)

// NameError says that a name leads to nothing that may be used.
type NameError struct{ Why, Hint string }

func (e *NameError) Error() string { return e.Why + "; " + e.Hint }

// New makes an empty folder. allowed are paths outside of it that may be opened: files, or folders
// with all that lies in them.
func New(allowed []string) (*Folder, error) {
	f := &Folder{named: map[string]*file{}}
	for _, a := range allowed {
		real, err := filepath.EvalSymlinks(a)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err != nil {
			return nil, fmt.Errorf("--allow-path: %w", printable.Error(err))
		}
		f.allowed = append(f.allowed, real)
	}
	return f, nil
}

// Close lets all files go. What a process has mapped lives on until it is unmapped.
func (f *Folder) Close() error {
	var errs []error
	for _, x := range f.files {
		errs = append(errs, x.Close())
	}
	f.files, f.entries, f.named = nil, nil, map[string]*file{}
	return errors.Join(errs...)
}

// Names are the names in the folder, sorted.
func (f *Folder) Names() []string { return slices.Sorted(maps.Keys(f.named)) }

// own is the file of that name in the folder.
func (f *Folder) own(name string) (*file, error) {
	if x := f.named[name]; x != nil {
		return x, nil
	}
	if err := bare(name); err != nil {
		return nil, err
	}
	hint := "file " + printable.Name(name) + " 4p makes it"
	if names := f.Names(); len(names) > 0 {
		names = names[:min(len(names), 12)]
		for i, n := range names {
			names[i] = printable.Name(n)
		}
		hint += "; there are: " + strings.Join(names, ", ")
	}
	return nil, &NameError{"there is no file " + printable.Name(name), hint}
}

// bare says what is wrong with a name that is to lie in the folder.
func bare(name string) error {
	switch {
	case len(name) > MaxName:
		return &NameError{fmt.Sprintf("the name of the file has %d bytes", len(name)), fmt.Sprintf("it holds at most %d", MaxName)}
	case filepath.IsAbs(name):
		return &NameError{printable.Name(name) + " is not in the scratch folder", "only mmap opens other files, where --allow-path names them"}
	case name == Dot || name == ".." || strings.Contains(name, "/"):
		return &NameError{fmt.Sprintf("%q is no name of a file in the scratch folder", name), "it has no folders in it, and nothing leads out of it: use a bare name, such as data"}
	}
	return nil
}

// Make makes a file of the given size in bytes, full of zeros. A file of that name is emptied
// first, as creat(2) does.
func (f *Folder) Make(name string, size uint64) error {
	x := f.named[name]
	if x == nil {
		if err := bare(name); err != nil {
			return err
		}
		if len(f.files) >= MostFiles {
			return &FullError{len(f.files)}
		}
		made, err := Nameless(name)
		if err != nil {
			return err
		}
		x = &file{File: made, name: name}
		f.named[name] = x
		f.files = append(f.files, x)
		f.entries = append(slices.Clone(f.entries), history.File{})
	}
	defer f.changed(x)
	if err := truncate(x.File, 0); err != nil {
		return err
	}
	return truncate(x.File, size)
}

// Remove takes the name away. The file lives as long as it is mapped (unlink(2)).
func (f *Folder) Remove(name string) error {
	x, err := f.own(name)
	if err == nil {
		x.removed = true
		delete(f.named, name)
		f.changed(x)
	}
	return err
}

// changed brings the entry of a file up to date.
func (f *Folder) changed(x *file) {
	i := slices.Index(f.files, x)
	e, err := identify(x.File)
	if e.Name, e.Removed = x.name, x.removed; err == nil && e != f.entries[i] {
		f.entries = slices.Clone(f.entries)
		f.entries[i] = e
	}
}

// Release lets go of the files that were removed and that nobody maps.
func (f *Folder) Release(mapped func(history.File) bool) {
	var files []*file
	var entries []history.File
	for i, x := range f.files {
		if x.removed && !mapped(f.entries[i]) {
			x.Close()
			continue
		}
		files, entries = append(files, x), append(entries, f.entries[i])
	}
	f.files, f.entries = files, entries
}

// Write writes text at an offset in bytes, as pwrite(2) does, and says how much was written.
func (f *Folder) Write(name string, offset uint64, text []byte) (int, error) {
	x, err := f.own(name)
	if err != nil {
		return 0, err
	}
	defer f.changed(x)
	return pwrite(x.File, text, offset)
}

// Read reads up to n bytes at an offset, as pread(2) does: fewer at the end of the file.
func (f *Folder) Read(name string, offset uint64, n int) ([]byte, error) {
	x, err := f.own(name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	n, err = pread(x.File, b, offset)
	return b[:max(n, 0)], err
}

// Truncate sets the size of a file in bytes (ftruncate(2)).
func (f *Folder) Truncate(name string, size uint64) error {
	x, err := f.own(name)
	if err != nil {
		return err
	}
	defer f.changed(x)
	return truncate(x.File, size)
}

// Size is the size of a file in bytes.
func (f *Folder) Size(name string) (uint64, error) {
	x, err := f.own(name)
	if err != nil {
		return 0, err
	}
	st, err := x.Stat()
	if err != nil {
		return 0, err
	}
	return uint64(st.Size()), nil
}

// Open gives a file of which a descriptor can be lent: one of the folder's, which stays open, or
// another path's, opened for its name alone, so that opening it in earnest, with all checks, is
// left to whoever gets it. done gives it back.
func (f *Folder) Open(name string) (x *os.File, done func(), err error) {
	switch {
	case name == Dot:
		return openPath(os.TempDir())
	case name == Zero:
		return openPath(Zero)
	case filepath.IsAbs(name):
		return f.openAllowed(name)
	}
	mine, err := f.own(name)
	if err != nil {
		return nil, nil, err
	}
	return mine.File, func() {}, nil
}

// openAllowed opens a path first and asks then where it led: no link can be changed in between.
func (f *Folder) openAllowed(path string) (*os.File, func(), error) {
	shown := printable.Name(path)
	refused := &NameError{shown + " lies outside the scratch folder", "a file there is opened only where --allow-path " + shown + " allows it"}
	if !f.allows(filepath.Clean(path)) {
		if real, err := filepath.EvalSymlinks(path); err != nil || !f.allows(real) {
			return nil, nil, refused
		}
	}
	x, done, err := openPath(path)
	if err != nil {
		return nil, nil, err
	}
	if real, err := realPath(x); err != nil || !f.allows(real) {
		done()
		return nil, nil, refused
	}
	return x, done, nil
}

func (f *Folder) allows(real string) bool {
	return slices.ContainsFunc(f.allowed, func(a string) bool {
		return real == a || strings.HasPrefix(real, strings.TrimSuffix(a, "/")+"/")
	})
}

// Used is how much room the files take, in bytes, those that were removed included.
func (f *Folder) Used() uint64 {
	total := uint64(0)
	for _, x := range f.files {
		total += used(x.File)
	}
	return total
}

// Entries lists the files of the folder, also those that were removed and may still be mapped. It
// is the same list until one changes.
func (f *Folder) Entries() []history.File { return f.entries }
