// Package compare tells what became of memory between two pictures of it, of one process or of two.
package compare

import (
	"fmt"
	"io"

	"cowscope/vmspace"
)

// Rules of this file: a side is a sink, and keeps of a page only its state: neighbours that differ
// in anything else are one run.

// What a side holds at most: some hundred MiB.
const (
	mostMappings = 1 << 20
	mostRuns     = 1 << 23
)

// Side is one of the two pictures that are compared.
type Side struct {
	pageSize  uint64
	processes []*process
	mappings  int // of all processes
	runs      int
}

// process is a process as far as it is compared.
type process struct {
	label, err string
	pid        int
	rss        uint64
	mappings   []vmspace.Mapping
	first      []int // index of each mapping's first run
	runs       []run
}

// run is a run of pages in one state.
type run struct {
	start, pages uint64
	state        vmspace.State
}

// NewSide is an empty side, to be filled as a sink.
func NewSide(pageSize uint64) *Side { return &Side{pageSize: pageSize} }

// Read reads a side from what vmspace.NewJSON wrote; errors call it name. Where the text does not
// say how large a page is, it is otherwise.
func Read(name string, r io.Reader, otherwise uint64) (*Side, error) {
	var s *Side
	err := vmspace.ReadJSON(r, otherwise, func(pageSize uint64) vmspace.Sink {
		s = NewSide(pageSize)
		return s
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Process, Pages, End and Close are those of a vmspace.Sink.
func (s *Side) Process(p *vmspace.Process) error {
	s.processes = append(s.processes, &process{label: p.Label, pid: p.PID, rss: p.RSS, err: p.Err})
	return nil
}

func (s *Side) Pages(m *vmspace.Mapping, runs []vmspace.Run) error {
	p := s.processes[len(s.processes)-1]
	if n := len(p.mappings); n == 0 || p.mappings[n-1].Start != m.Start {
		own := *m
		own.Smaps = nil
		p.mappings, p.first = append(p.mappings, own), append(p.first, len(p.runs))
		s.mappings++
	}
	begin := p.first[len(p.first)-1]
	for _, r := range runs {
		if r.State == vmspace.None {
			continue
		}
		if n := len(p.runs); n > begin && p.runs[n-1].state == r.State && p.runs[n-1].start+p.runs[n-1].pages*s.pageSize == r.Start {
			p.runs[n-1].pages += r.Pages
			continue
		}
		p.runs = append(p.runs, run{r.Start, r.Pages, r.State})
		s.runs++
	}
	switch {
	case s.mappings > mostMappings:
		return fmt.Errorf("more than %d mappings: no more are compared", mostMappings)
	case s.runs > mostRuns:
		return fmt.Errorf("pages change their state more than %d times from one to the next: no more are compared", mostRuns)
	}
	return nil
}

func (s *Side) End([]vmspace.Range) error { return nil }

func (s *Side) Close(bool) error { return nil }

// runsOf are the runs of a mapping.
func (p *process) runsOf(i int) []run {
	if i+1 < len(p.first) {
		return p.runs[p.first[i]:p.first[i+1]]
	}
	return p.runs[p.first[i]:]
}
