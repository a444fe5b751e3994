package history

import (
	"strings"

	"cowscope/vmspace"
)

// File is one name of a file of the session, and how /proc/PID/maps identifies the file.
type File struct {
	Name         string
	Removed      bool   // the file has no name any more
	Major, Minor uint32 // of the device
	Inode        uint64
	Size         uint64 // in bytes
	Seals        Seals
	HugePage     uint64 // the size of its pages in bytes, if they are huge pages of the pool
}

// ShownBy reports whether a mapping is of the file.
func (f File) ShownBy(m vmspace.Mapping) bool {
	return m.Inode != 0 && f.Inode == m.Inode && f.Major == m.Major && f.Minor == m.Minor
}

// Is reports whether both names belong to one file.
func (f File) Is(g File) bool {
	return f.Inode == g.Inode && f.Major == g.Major && f.Minor == g.Minor
}

// FileOf returns the first name of the file that a mapping is of.
func (st *Step) FileOf(m vmspace.Mapping) (File, bool) {
	for _, f := range st.Files {
		if f.ShownBy(m) {
			return f, true
		}
	}
	return File{}, false
}

// FileNamed returns the file with a name.
func (st *Step) FileNamed(name string) (File, bool) { return FileNamed(st.Files, name) }

// FileNamed returns the file with a name in a list.
func FileNamed(list []File, name string) (File, bool) {
	for _, f := range list {
		if f.Name == name && !f.Removed {
			return f, true
		}
	}
	return File{}, false
}

// OtherNames returns the other names of the file.
func (st *Step) OtherNames(f File) (names []string) {
	for _, g := range st.Files {
		if g.Is(f) && g.Name != f.Name {
			names = append(names, g.Name)
		}
	}
	return names
}

// Seals are operations that are forbidden on a file for good (fcntl(2), F_ADD_SEALS); only files in
// memory have seals. The bits are those of the kernel (include/uapi/linux/fcntl.h).
type Seals uint32

// The seals.
const (
	SealSeal        Seals = 1 << iota // adding seals
	SealShrink                        // making it smaller
	SealGrow                          // making it larger
	SealWrite                         // writing to it
	SealFutureWrite                   // writing to it, except through existing writable mappings
	SealExec                          // changing whether it may be executed
	noSeal
)

var sealWords = map[Seals]string{SealSeal: "seal", SealShrink: "shrink", SealGrow: "grow", SealWrite: "write", SealFutureWrite: "future_write", SealExec: "exec"}

// String lists the words of the command language for the seals.
func (s Seals) String() string {
	var words []string
	for bit := SealSeal; bit < noSeal; bit <<= 1 {
		if s&bit != 0 {
			words = append(words, sealWords[bit])
		}
	}
	return strings.Join(words, ", ")
}
