package explain

import (
	"fmt"
	"os"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// fileSize says how many bytes the file behind a mapping has. The kernel's own link leads to it
// where it may be followed (root may); else a file of that path is taken for it if it is the same
// file. Of deleted files and of memory without a file an ordinary user learns nothing.
func (e *evidence) fileSize(m vmspace.Mapping) (uint64, bool) {
	if m.Inode == 0 {
		return 0, false
	}
	now := m.Range // the call may have split it
	if p := e.st.After.Process(e.st.Process); p != nil {
		if n, ok := p.MappingAt(m.Start); ok {
			now = n.Range
		}
	}
	if info, err := os.Stat(fmt.Sprintf("/proc/%d/map_files/%x-%x", e.st.PID, now.Start, now.End)); err == nil {
		return uint64(info.Size()), info.Mode().IsRegular()
	}
	info, err := os.Stat(m.Path)
	if err != nil || !info.Mode().IsRegular() || !kernel.SameFile(info, m) {
		return 0, false
	}
	return uint64(info.Size()), true
}

// pastFile finds the first page of r that lies wholly past the end of its file, and that file's
// size.
func (e *evidence) pastFile(r vmspace.Range) (addr, size uint64, ok bool) {
	e.some(r, func(m vmspace.Mapping) bool {
		n, known := e.fileSize(m)
		if !known {
			return false
		}
		end := m.Start + e.pageEnd(n) - min(m.Offset, e.pageEnd(n)) // the first address without a page
		if part := m.Intersect(r); end < part.End {
			addr, size, ok = max(end, part.Start), n, true
		}
		return ok
	})
	return addr, size, ok
}
