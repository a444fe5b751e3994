package scratch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cowscope/vmspace/printable"
)

// Opening files: those of the folder, and the few others that a session may open.

// Open returns a file whose descriptor can be lent: a file of the folder, which stays open, or an
// allowed path, opened with O_PATH, so that the process that receives it makes the real open with
// all its checks. done closes it.
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

// openAllowed opens a path first and then checks where it led, so that no link can be changed in
// between.
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
