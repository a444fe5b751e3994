package explain

import (
	"cowscope/vmspace"
)

// fileSize says how many bytes the file behind a mapping has.
func (e *evidence) fileSize(m vmspace.Mapping) (uint64, bool) {
	if f, ok := e.st.FileOf(m); ok {
		return f.Size, true
	}
	return e.FileSize(m, e.nowAt(m))
}

// nowAt is where the mapping is now that begins where m did: the call may have split it.
func (e *evidence) nowAt(m vmspace.Mapping) vmspace.Range {
	if p := e.st.After.Process(e.st.Process); p != nil {
		if now, ok := p.MappingAt(m.Start); ok {
			return now.Range
		}
	}
	return m.Range
}

// pastFile finds the first page of r that lies wholly past the end of its file, and that file's
// size.
func (e *evidence) pastFile(r vmspace.Range) (addr, size uint64, ok bool) {
	e.firstMapping(r, func(m vmspace.Mapping) bool {
		n, known := e.fileSize(m)
		if !known {
			return false
		}
		// The first address without a page.
		end := m.Start + e.pageEnd(n) - min(m.Offset, e.pageEnd(n))
		if part := m.Intersect(r); end < part.End {
			addr, size, ok = max(end, part.Start), n, true
		}
		return ok
	})
	if ok {
		e.foundAt = addr
	}
	return addr, size, ok
}
