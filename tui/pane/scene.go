// A scene is everything that the panes may draw: one position in the history, read-only.

// Package pane draws the parts of the screen: each from a scene, into the rectangle that the layout
// gives it.
package pane

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Scene is one position in the history together with where the reader looks.
type Scene struct {
	Mode    string // what is shown: the lab, a lesson's title, a demo's
	Quiet   bool   // an expectation that holds is not logged
	Step    *history.Step
	Snap    *vmspace.Snapshot
	Steps   []*history.Step // the whole history
	Pos     int             // index of step in steps
	Live    bool            // the position is the newest
	Cursor  uint64          // address of the page under the cursor
	Current string          // label of the process whose page it is
	Marks   map[string][]vmspace.Range
	Bytes   Peeked
	// Touchers, if not nil, has pages drawn by the code that touched them first, and not by their states.
	Touchers *history.Touchers
	View     View
	Busy     string // the command that is running, "" for none
	Kernel   string
	Rights   string   // what this user may see
	Note     string   // more of the lab, for the header
	Cost     []string // what watching costs
	// Sizes is what a process has by itself; nil where it is not shown.
	Sizes   func(*vmspace.Process) vmspace.Sizes
	Folds   *Folds // which files' mappings are one row; nil where none are
	Watched bool   // it is a process that lives on its own
	Still   bool   // nothing happens any more: it is a recording
	Message string
	Hits    *Hits // told where things are drawn; nil where nobody asks
	Bad     bool  // the message is an error
}

// Peeked are bytes that were read of a present page, for the inspector.
type Peeked struct {
	Label string
	Addr  uint64
	N     int // the step they belong to
	Bytes []byte
	Err   string
}

// NewMarks lists, by process and in order of address, what a step changed, and what was touched.
func NewMarks(st *history.Step) map[string][]vmspace.Range {
	out := map[string][]vmspace.Range{}
	for _, f := range st.Faults {
		if f.Pages > 0 {
			out[f.Process] = append(out[f.Process], vmspace.Range{Start: f.Start, End: f.Start + f.Pages*st.After.PageSize})
		}
	}
	for _, c := range st.Changes {
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
func (s *Scene) marked(label string, r vmspace.Range) bool {
	rs := s.Marks[label]
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

// Rows are the lines of the map.
func (s *Scene) Rows() Rows { return Rows{s.Snap, s.Folds} }

func (s *Scene) process() *vmspace.Process { return s.Snap.Process(s.Current) }

// page is the run that holds the page under the cursor in the current process.
func (s *Scene) page() (vmspace.Mapping, vmspace.Run, bool) {
	p := s.process()
	if p == nil {
		return vmspace.Mapping{}, vmspace.Run{}, false
	}
	m, ok := p.MappingAt(s.Cursor)
	if !ok {
		return m, vmspace.Run{}, false
	}
	return m, p.PageAt(s.Cursor, s.Snap.PageSize), true
}

// nameOf is what a row is called: the name that a command gave it, the kernel's name, or the
// file's.
func (s *Scene) nameOf(r Row) string {
	for _, p := range s.inOrder() {
		if name, b, ok := s.Step.Names.Of(p.Label, r.Start); ok {
			if _, mapped := p.MappingAt(r.Start); mapped {
				return offsetName(name, r.Start-b.Start, s.Snap.PageSize)
			}
		}
	}
	for _, p := range s.inOrder() {
		if m, ok := p.MappingAt(r.Start); ok {
			name := pathName(m.Path)
			if e, ok := s.Step.FileOf(m); ok {
				name = e.Name
			}
			if name == "" && s.Watched {
				name = m.Kind().String()
			}
			return offsetName(name, r.Start-m.Start, s.Snap.PageSize)
		}
	}
	return ""
}

// inOrder lists the processes, the current one first.
func (s *Scene) inOrder() []*vmspace.Process {
	out := make([]*vmspace.Process, 0, len(s.Snap.Processes))
	if p := s.process(); p != nil {
		out = append(out, p)
	}
	for _, p := range s.Snap.Processes {
		if p.Label != s.Current {
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
