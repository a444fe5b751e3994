package tui

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"cowscope/actions"
	"cowscope/vmspace"
)

// steady is a lab whose process ids and frame numbers do not change from run to run: stand-ins take their place, process ids by order of
// birth, frames by order of appearance. What is equal stays equal, and what differs differs. One goroutine at a time may use it.
//
// A frame is known again only while the family has it: the kernel may lend a frame that was given back to anyone.
type steady struct {
	Lab
	steps  []*actions.Step // masked, as many as were seen
	pids   map[int]int
	frames map[uint64]uint64 // of the last snapshot
	next   uint64
	real   *vmspace.Snapshot // the last one
	masked *vmspace.Snapshot
}

const (
	firstPID   = 1000
	firstFrame = 0x10000
)

func newSteady(l Lab) *steady {
	return &steady{Lab: l, pids: map[int]int{}, next: firstFrame}
}

// Do runs a command.
func (s *steady) Do(ctx context.Context, line string) (*actions.Step, error) {
	st, err := s.Lab.Do(ctx, line)
	if st == nil {
		return st, err
	}
	all := s.History()
	return all[len(all)-1], err
}

// Poll finds nothing: what happens by itself happens at another time in each run. Each command reads everything anew.
func (s *steady) Poll(context.Context) (*actions.Step, error) { return nil, nil }

// History is the steps with their stand-ins.
func (s *steady) History() []*actions.Step {
	for _, st := range s.Lab.History()[len(s.steps):] {
		s.steps = append(s.steps, s.step(st))
	}
	return s.steps[:len(s.steps):len(s.steps)]
}

var (
	anyFrame = regexp.MustCompile(`0x[0-9a-f]+`)
	anyPID   = regexp.MustCompile(`(?:kill\(|process |pid )\d+`)
)

// step is a step with stand-ins in all that it says.
func (s *steady) step(st *actions.Step) *actions.Step {
	out := *st
	before := s.frames
	out.Before = s.masked
	out.After = s.snapshot(st.After)
	frame := func(f uint64) uint64 {
		if x := s.frames[f]; x != 0 {
			return x
		}
		return before[f]
	}
	out.PID = s.pid(st.PID)
	if strings.HasPrefix(st.Call, "fork(") || strings.HasPrefix(st.Call, "wait4(") {
		out.Value = uint64(s.known(int(st.Value)))
	}
	out.Call = s.inText(st.Call, nil)
	for _, text := range []*string{&out.Why, &out.Event, &out.Want, &out.Got, &out.Evidence} {
		*text = s.inText(*text, frame)
	}
	out.Changes = make([]vmspace.Change, len(st.Changes))
	for i, c := range st.Changes {
		c.FromFrame, c.ToFrame = frame(c.FromFrame), frame(c.ToFrame)
		out.Changes[i] = c
	}
	return &out
}

// pid is the stand-in of a process.
func (s *steady) pid(real int) int {
	if real != 0 && s.pids[real] == 0 {
		s.pids[real] = firstPID + len(s.pids)
	}
	return s.pids[real]
}

// known is the stand-in of a number that may be a process.
func (s *steady) known(n int) int {
	if p := s.pids[n]; p != 0 {
		return p
	}
	return n
}

// inText puts the stand-ins into a text; frame gives those of frames, 0 for any other number, and is nil where there are none.
func (s *steady) inText(text string, frame func(uint64) uint64) string {
	text = anyPID.ReplaceAllStringFunc(text, func(t string) string {
		i := strings.IndexAny(t, "0123456789")
		n, _ := strconv.Atoi(t[i:])
		return t[:i] + strconv.Itoa(s.known(n))
	})
	if frame == nil {
		return text
	}
	return anyFrame.ReplaceAllStringFunc(text, func(t string) string {
		n, _ := strconv.ParseUint(t[2:], 16, 64)
		if x := frame(n); x != 0 {
			return "0x" + strconv.FormatUint(x, 16)
		}
		return t
	})
}

// snapshot is a snapshot with stand-ins.
func (s *steady) snapshot(real *vmspace.Snapshot) *vmspace.Snapshot {
	if real == s.real {
		return s.masked
	}
	was := s.frames
	if s.real != nil && !akin(s.real, real) {
		was = nil // all processes are new, and so is all that they have
	}
	s.real, s.frames = real, map[uint64]uint64{}
	out := *real
	out.Processes = nil
	for _, p := range real.Processes {
		q := *p
		q.PID = s.pid(p.PID)
		q.Pages = s.pages(p, was)
		out.Processes = append(out.Processes, &q)
	}
	s.masked = &out
	return s.masked
}

// akin says whether a process of one is in the other too.
func akin(a, b *vmspace.Snapshot) bool {
	for _, p := range a.Processes {
		if q := b.Process(p.Label); q != nil && q.PID == p.PID {
			return true
		}
	}
	return false
}

// pages are a process's runs with stand-ins for their frames. Which frames follow one another is chance, so runs are cut and joined anew,
// though never across two mappings.
func (s *steady) pages(p *vmspace.Process, was map[uint64]uint64) vmspace.List[vmspace.Run] {
	var out []vmspace.Run
	for _, r := range p.Pages.All() {
		if r.State == vmspace.Special {
			r.Mapcount = -1 // the kernel lends these pages to every process of the machine
		}
		for i := range r.Pages {
			one := r
			one.Start, one.Pages = r.Start+i*r.PageSize(), 1
			one.Frame = s.frame(r.FrameOf(i), was)
			m, _ := p.MappingAt(one.Start)
			if n := len(out); n > 0 && m.Start != one.Start && joined(out[n-1], one) {
				out[n-1].Pages++
				continue
			}
			out = append(out, one)
		}
	}
	return vmspace.NewList(out)
}

// joined says whether b goes on where a ends, in all respects.
func joined(a, b vmspace.Run) bool {
	next := a
	next.Start, next.Pages, next.Frame = a.Bounds().End, 1, a.FrameOf(a.Pages)
	return next == b
}

func (s *steady) frame(real uint64, was map[uint64]uint64) uint64 {
	if real == 0 {
		return 0
	}
	if s.frames[real] == 0 {
		s.frames[real] = was[real]
	}
	if s.frames[real] == 0 {
		s.frames[real] = s.next
		s.next++
	}
	return s.frames[real]
}
