// A scene is everything that the panes may draw: one position in the history, read-only.

package tui

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// scene is one position in the history together with where the reader looks.
type scene struct {
	mode    string // what is shown: the lab, a lesson's title, a demo's
	quiet   bool   // an expectation that holds is not logged
	step    *history.Step
	snap    *vmspace.Snapshot
	steps   []*history.Step // the whole history
	pos     int             // index of step in steps
	live    bool            // the position is the newest
	cursor  uint64          // address of the page under the cursor
	current string          // label of the process whose page it is
	marks   map[string][]vmspace.Range
	bytes   peeked
	view    inspectorView
	busy    string // the command that is running, "" for none
	kernel  string
	rights  string // what this user may see
	// recorded says when a recording was made; "" for what is live.
	recorded string
	message  string
	bad      bool // the message is an error
}

// peeked are bytes that were read of a present page, for the inspector.
type peeked struct {
	label string
	addr  uint64
	n     int // the step they belong to
	bytes []byte
	err   string
}

// newMarks lists, by process and in order of address, what a step changed.
func newMarks(changes []vmspace.Change) map[string][]vmspace.Range {
	out := map[string][]vmspace.Range{}
	for _, c := range changes {
		switch c.Kind {
		case vmspace.ChangePage, vmspace.ChangeFrame, vmspace.ChangeMapped, vmspace.ChangeGrown, vmspace.ChangeUnmapped, vmspace.ChangeShrunk:
			out[c.Process] = append(out[c.Process], c.Range)
		}
	}
	for _, rs := range out {
		slices.SortFunc(rs, func(a, b vmspace.Range) int {
			if a.Start < b.Start {
				return -1
			}
			return 1
		})
	}
	return out
}

// marked says whether the step changed something of r in the process.
func (s *scene) marked(label string, r vmspace.Range) bool {
	rs := s.marks[label]
	// Ranges of one process may nest (a new mapping and its pages), so the search goes back over
	// all that begin before r ends.
	i := sort.Search(len(rs), func(i int) bool { return rs[i].Start >= r.End })
	for j := i - 1; j >= 0 && i-j < 64; j-- {
		if rs[j].Overlaps(r) {
			return true
		}
	}
	return false
}

func (s *scene) process() *vmspace.Process { return s.snap.Process(s.current) }

// page is the run that holds the page under the cursor in the current process.
func (s *scene) page() (vmspace.Mapping, vmspace.Run, bool) {
	p := s.process()
	if p == nil {
		return vmspace.Mapping{}, vmspace.Run{}, false
	}
	m, ok := p.MappingAt(s.cursor)
	if !ok {
		return m, vmspace.Run{}, false
	}
	return m, p.PageAt(s.cursor, s.snap.PageSize), true
}

// nameOf is what a row is called: the name that a command gave it, the kernel's name, or the
// file's.
func (s *scene) nameOf(r row) string {
	for _, p := range s.inOrder() {
		if name, b, ok := s.step.Names.Of(p.Label, r.Start); ok {
			if _, mapped := p.MappingAt(r.Start); mapped {
				return offsetName(name, r.Start-b.Start, s.snap.PageSize)
			}
		}
	}
	for _, p := range s.inOrder() {
		if m, ok := p.MappingAt(r.Start); ok {
			name := pathName(m.Path)
			if e, ok := s.step.FileOf(m); ok {
				name = e.Name
			}
			return offsetName(name, r.Start-m.Start, s.snap.PageSize)
		}
	}
	return ""
}

// inOrder lists the processes, the current one first.
func (s *scene) inOrder() []*vmspace.Process {
	out := make([]*vmspace.Process, 0, len(s.snap.Processes))
	if p := s.process(); p != nil {
		out = append(out, p)
	}
	for _, p := range s.snap.Processes {
		if p.Label != s.current {
			out = append(out, p)
		}
	}
	return out
}

func offsetName(name string, off, pageSize uint64) string {
	if off == 0 || name == "" {
		return name
	}
	return fmt.Sprintf("%s+%s", name, pagesText(off/pageSize))
}

func pathName(path string) string {
	if strings.HasPrefix(path, "[") {
		return strings.Trim(path, "[]")
	}
	path = strings.TrimSuffix(path, " (deleted)")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// pagesText writes a number of pages in at most five columns: 4p, 4096p, 16Mp.
func pagesText(n uint64) string {
	for _, u := range []struct {
		at, by uint64
		suffix string
	}{{10_000, 1, "p"}, {10_000 << 10, 1 << 10, "Kp"}, {10_000 << 20, 1 << 20, "Mp"}, {1 << 63, 1 << 30, "Gp"}} {
		if n < u.at {
			return fmt.Sprintf("%d%s", n/u.by, u.suffix)
		}
	}
	return fmt.Sprintf("%dTp", n>>40)
}

// bytesText writes a number of bytes short: 28K, 1.5M, 128T.
func bytesText(n uint64) string {
	units := "BKMGTPE"
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	switch {
	case i == 0:
		return fmt.Sprintf("%d", n)
	case v < 10 && v != float64(int(v)):
		return fmt.Sprintf("%.1f%c", v, units[i])
	}
	return fmt.Sprintf("%.0f%c", v, units[i])
}

// addrText groups an address by four digits, as a person reads it: 7fff'f7fb'6000.
func addrText(a uint64) string {
	return fmt.Sprintf("%04x'%04x'%04x", a>>32, a>>16&0xffff, a&0xffff)
}
