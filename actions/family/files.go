package family

import (
	"errors"

	"cowscope/actions/history"
	"cowscope/actions/scratch"
)

// MakeFile makes a file; where there are too many, those go first that are held for nobody.
func (f *Family) MakeFile(name string, size uint64) error {
	err := f.Files.Make(name, size)
	var full *scratch.FullError
	if errors.As(err, &full) {
		f.ReleaseFiles()
		err = f.Files.Make(name, size)
	}
	return err
}

// ReleaseFiles lets go of the files that were removed and that no process maps.
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
