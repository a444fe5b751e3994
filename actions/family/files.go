package family

import (
	"errors"

	"cowscope/actions/history"
	"cowscope/actions/scratch"
)

// MakeFile creates a file; if there are too many, removed files that no process maps are closed
// first.
func (f *Family) MakeFile(name string, size uint64) error {
	return f.making(func() error { return f.Files.Make(name, size) })
}

// MakeMemfd makes a file in memory, with MFD_ flags, as MakeFile does.
func (f *Family) MakeMemfd(name string, size uint64, flags uint) error {
	return f.making(func() error { return f.Files.Memfd(name, size, flags) })
}

// LinkFile gives a file another name, as MakeFile does.
func (f *Family) LinkFile(name, other string) error {
	return f.making(func() error { return f.Files.Link(name, other) })
}

func (f *Family) making(do func() error) error {
	err := do()
	var full *scratch.FullError
	if errors.As(err, &full) {
		f.ReleaseFiles()
		err = do()
	}
	return err
}

// ReleaseFiles closes removed files that no process maps.
func (f *Family) ReleaseFiles() {
	type inode struct {
		major, minor uint32
		number       uint64
	}
	mapped := map[inode]bool{}
	for _, p := range f.Now.Processes {
		for _, m := range p.Mappings.All() {
			if m.Inode != 0 {
				mapped[inode{m.Major, m.Minor, m.Inode}] = true
			}
		}
	}
	f.Files.Release(func(e history.File) bool { return mapped[inode{e.Major, e.Minor, e.Inode}] })
}
