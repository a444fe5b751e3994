package actions

import (
	"errors"

	"cowscope/actions/history"
	"cowscope/actions/scratch"
)

// makeFile makes a file; where there are too many, those go first that are held for nobody.
func (f *Family) makeFile(name string, size uint64) error {
	err := f.files.Make(name, size)
	var full *scratch.FullError
	if errors.As(err, &full) {
		f.releaseFiles()
		err = f.files.Make(name, size)
	}
	return err
}

// releaseFiles lets go of the files that were removed and that no process maps.
func (f *Family) releaseFiles() {
	type inode struct {
		major, minor uint32
		number       uint64
	}
	mapped := map[inode]bool{}
	for _, p := range f.now.Processes {
		for _, m := range p.Mappings.All() {
			if m.Inode != 0 {
				mapped[inode{m.Major, m.Minor, m.Inode}] = true
			}
		}
	}
	f.files.Release(func(e history.File) bool { return mapped[inode{e.Major, e.Minor, e.Inode}] })
}
