// Package scratch is the folder in which a session keeps its files, and the only access to the few
// other files that a session may open.
//
// The folder is not in the file system: each file is created without a name, and exists as long as
// a process holds it open or has it mapped. So nothing is left behind however cowscope ends,
// including kill -9. The names exist in this package only, and a file can have several. The subject
// opens a file through a descriptor that is lent to it. A file of memfd_create(2) is kept in the
// same way.
//
// A *NameError says that a name does not lead to a usable file, a *FullError that there are too
// many files; in both cases nothing was done. Any other error is the kernel's errno.
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

// Folder is the scratch folder of one session. Goroutines must not use it concurrently.
type Folder struct {
	allowed []string // real paths outside the folder that may be opened
	named   map[string]*file
	files   []*file // in the order of their creation, including removed ones
	// entries has one entry for each name of a file. A list that was returned is never written to.
	entries []history.File
}

// file is an open file. A removed one is held as long as it is mapped, because it still takes room.
type file struct {
	*os.File
	names   []string // in the order in which they were given; the last one stays after removal
	removed bool
	memfd   bool
	known   history.File // everything but the name
}

const (
	// MostFiles is the maximum number of names in a folder, nameless files included. Each file is
	// an open descriptor.
	MostFiles = 256
	// MaxName is the maximum length of a name in bytes, as on most file systems.
	MaxName = 255
)

// FullError says that the folder has reached MostFiles.
type FullError struct{ Files int }

func (e *FullError) Error() string { return fmt.Sprintf("the scratch folder holds %d files", e.Files) }

const (
	// Zero is the path that every session may open.
	Zero = "/dev/zero"
	// Dot is the name of the folder itself, which can be opened but not mapped.
	Dot = "."
)

// NameError says that a name does not lead to a usable file.
type NameError struct{ Why, Hint string }

func (e *NameError) Error() string { return e.Why + "; " + e.Hint }

// New creates an empty folder. allowed are paths outside of it that may be opened: files, or
// folders with everything in them.
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

// Close closes all files. What a process has mapped exists until it is unmapped.
func (f *Folder) Close() error {
	var errs []error
	for _, x := range f.files {
		errs = append(errs, x.Close())
	}
	f.files, f.entries, f.named = nil, nil, map[string]*file{}
	return errors.Join(errs...)
}

// Names lists the names in the folder, sorted.
func (f *Folder) Names() []string { return slices.Sorted(maps.Keys(f.named)) }

// own returns the file with that name in the folder.
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

// bare returns the error of a name that cannot be in the folder.
func bare(name string) error {
	switch {
	case len(name) > MaxName:
		return &NameError{fmt.Sprintf("the name of the file has %d bytes", len(name)), fmt.Sprintf("it holds at most %d", MaxName)}
	case filepath.IsAbs(name):
		return &NameError{printable.Name(name) + " is not in the scratch folder", "only mmap opens other files, where --allow-path names them"}
	case name == Dot || name == ".." || strings.Contains(name, "/"):
		return &NameError{fmt.Sprintf("%q cannot be the name of a file in the scratch folder", name), "the folder has no subfolders: use a bare name, such as data"}
	}
	return nil
}

// Vacant returns the error of a name that cannot be given to a new file, nil if it can.
func (f *Folder) Vacant(name string) error {
	if f.named[name] != nil {
		return &NameError{"there is a file " + printable.Name(name) + " already", "rm " + printable.Name(name) + " takes its name away"}
	}
	return bare(name)
}

// Make creates a file of the given size in bytes, full of zeros. An existing file of that name is
// emptied first, as with creat(2); an existing memfd only loses the name, because it is in no
// folder where creat(2) could find it. If the size is refused, nothing changes.
func (f *Folder) Make(name string, size uint64) error {
	if x := f.named[name]; x != nil && !x.memfd {
		defer f.changed(x)
		for _, n := range []uint64{size, 0, size} { // the first call only checks the size
			if err := truncate(x.File, n); err != nil {
				return err
			}
		}
		return nil
	}
	return f.add(name, size, false, func() (*os.File, error) { return Nameless(name) })
}

// Memfd creates a file in memory (memfd_create(2)), with MFD_ flags. A file that had the name loses
// it.
func (f *Folder) Memfd(name string, size uint64, flags uint) error {
	return f.add(name, size, true, func() (*os.File, error) { return memfd(name, flags) })
}

// add creates a file and gives it a name and a size.
func (f *Folder) add(name string, size uint64, memfd bool, create func() (*os.File, error)) error {
	if err := bare(name); err != nil {
		return err
	}
	if err := f.full(); err != nil {
		return err
	}
	made, err := create()
	if err == nil {
		if err = truncate(made, size); err != nil {
			made.Close()
		}
	}
	if err != nil {
		return err
	}
	if was := f.named[name]; was != nil {
		f.unname(name, was)
	}
	x := &file{File: made, names: []string{name}, memfd: memfd}
	f.named[name] = x
	f.files = append(f.files, x)
	f.changed(x)
	return nil
}

// full returns a *FullError if there is no room for another name.
func (f *Folder) full() error {
	if n := len(f.entries); n >= MostFiles {
		return &FullError{n}
	}
	return nil
}

// Link gives a file another name, as link(2) does.
func (f *Folder) Link(name, other string) error {
	x, err := f.linkable(name)
	if err == nil {
		err = f.Vacant(other)
	}
	if err == nil {
		err = f.full()
	}
	if err != nil {
		return err
	}
	x.names = append(x.names, other)
	f.named[other] = x
	f.list()
	return nil
}

// Rename changes a name of a file. A file that had the new name loses it; if it is the same file,
// nothing happens (rename(2)).
func (f *Folder) Rename(name, other string) error {
	x, err := f.linkable(name)
	if err == nil {
		err = bare(other)
	}
	was := f.named[other]
	if err != nil || was == x {
		return err
	}
	if was != nil {
		f.unname(other, was)
	}
	x.names[slices.Index(x.names, name)] = other
	delete(f.named, name)
	f.named[other] = x
	f.list()
	return nil
}

// linkable is own for a file that is in a folder, which a memfd is not.
func (f *Folder) linkable(name string) (*file, error) {
	x, err := f.own(name)
	if err == nil && x.memfd {
		err = &NameError{printable.Name(name) + " is a memfd", "it lies in no folder, so link and rename have no name of it to work on; file makes one that does"}
	}
	return x, err
}

// Remove removes the name. The file exists as long as it has another name or is mapped (unlink(2)).
func (f *Folder) Remove(name string) error {
	x, err := f.own(name)
	if err == nil {
		f.unname(name, x)
	}
	return err
}

func (f *Folder) unname(name string, x *file) {
	delete(f.named, name)
	if len(x.names) > 1 {
		x.names = slices.DeleteFunc(x.names, func(n string) bool { return n == name })
	} else {
		x.removed = true
	}
	f.list()
}

// changed reads again what is known of a file.
func (f *Folder) changed(x *file) {
	if now, err := identify(x.File); err == nil && now != x.known {
		x.known = now
		f.list()
	}
}

// list makes a new list of entries.
func (f *Folder) list() {
	f.entries = nil
	for _, x := range f.files {
		for _, name := range x.names {
			e := x.known
			e.Name, e.Removed = name, x.removed
			f.entries = append(f.entries, e)
		}
	}
}

// Release closes the removed files that are not mapped.
func (f *Folder) Release(mapped func(history.File) bool) {
	var kept []*file
	for _, x := range f.files {
		if x.removed && !mapped(x.known) {
			x.Close()
			continue
		}
		kept = append(kept, x)
	}
	if len(kept) < len(f.files) {
		f.files = kept
		f.list()
	}
}

// Write writes text at an offset in bytes, as pwrite(2) does, and returns how many bytes were
// written.
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

// Allocate allocates or frees blocks of a file, with FALLOC_FL_ flags (fallocate(2)).
func (f *Folder) Allocate(name string, mode uint32, offset, length uint64) error {
	x, err := f.own(name)
	if err != nil {
		return err
	}
	defer f.changed(x)
	return fallocate(x.File, mode, offset, length)
}

// Seal adds seals to a file (fcntl(2), F_ADD_SEALS).
func (f *Folder) Seal(name string, seals history.Seals) error {
	x, err := f.own(name)
	if err != nil {
		return err
	}
	defer f.changed(x)
	return seal(x.File, seals)
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

// Used is the room that the files take, in bytes, including removed files.
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
