package tui

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// steady is a lab whose process ids, frame and inode numbers do not change from run to run:
// stand-ins take their place, process ids by order of birth, frames and inodes by order of
// appearance. What is equal stays equal, and what differs differs. One goroutine at a time may use
// it.
//
// A frame or an inode is known again only while the family has it: the kernel may give one that was
// given back to anyone.
type steady struct {
	Lab
	steps  []*history.Step // masked, as many as were seen
	pids   map[int]int
	frames standIns[uint64]
	inodes standIns[node]
	paths  map[string]string // of files without a name, whose path tells the inode
	real   *vmspace.Snapshot // the last one
	masked *vmspace.Snapshot
}

// node is what one file has: inodes are numbered for each device.
type node struct {
	major, minor uint32
	inode        uint64
}

const (
	firstPID   = 1000
	firstFrame = 0x10000
	firstInode = 100000
)

func newSteady(l Lab) *steady {
	return &steady{Lab: l, pids: map[int]int{}, paths: map[string]string{},
		frames: standIns[uint64]{next: firstFrame}, inodes: standIns[node]{next: firstInode}}
}

// standIns are the stand-ins of numbers that are in use, and of those that were in the snapshot
// before.
type standIns[K comparable] struct {
	now, was map[K]uint64
	next     uint64
}

// turn begins a snapshot. Where it has nothing in common with the one before, all that it has is
// new.
func (x *standIns[K]) turn(akin bool) {
	if x.was = x.now; !akin {
		x.was = nil
	}
	x.now = map[K]uint64{}
}

// of gives the stand-in of a number in use.
func (x *standIns[K]) of(real K) uint64 {
	n := x.now[real]
	if n == 0 {
		n = x.was[real]
	}
	if n == 0 {
		n = x.next
		x.next++
	}
	x.now[real] = n
	return n
}

// Do runs a command.
func (s *steady) Do(ctx context.Context, line string) (*history.Step, error) {
	st, err := s.Lab.Do(ctx, line)
	if st == nil {
		return st, err
	}
	all := s.History()
	return all[len(all)-1], err
}

// Poll finds nothing: what happens by itself happens at another time in each run. Each command
// reads everything anew.
func (s *steady) Poll(context.Context) (*history.Step, error) { return nil, nil }

// History is the steps with their stand-ins.
func (s *steady) History() []*history.Step {
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
func (s *steady) step(st *history.Step) *history.Step {
	out := *st
	before := s.frames.now
	out.Before = s.masked
	out.After = s.snapshot(st.After)
	frame := func(f uint64) uint64 {
		if x := s.frames.now[f]; x != 0 {
			return x
		}
		return before[f]
	}
	out.PID = s.pid(st.PID)
	out.Files = slices.Clone(st.Files)
	for i, f := range st.Files {
		out.Files[i].Inode = s.inodes.of(node{f.Major, f.Minor, f.Inode})
	}
	if strings.HasPrefix(st.Call, "fork(") || strings.HasPrefix(st.Call, "wait4(") {
		out.Value = uint64(s.known(int(st.Value)))
	}
	out.Call = s.inText(st.Call, nil)
	for _, text := range []*string{&out.Why, &out.Event, &out.Want, &out.Got, &out.Evidence} {
		*text = s.inText(*text, frame)
	}
	out.Changes = make([]vmspace.Change, len(st.Changes))
	for i, c := range st.Changes {
		c.From, c.To = s.inPaths(c.From), s.inPaths(c.To)
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

// inText puts the stand-ins into a text; frame gives those of frames, 0 for any other number, and
// is nil where there are none.
func (s *steady) inText(text string, frame func(uint64) uint64) string {
	text = anyPID.ReplaceAllStringFunc(text, func(t string) string {
		i := strings.IndexAny(t, "0123456789")
		n, _ := strconv.Atoi(t[i:])
		return t[:i] + strconv.Itoa(s.known(n))
	})
	text = s.inPaths(text)
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
	same := s.real == nil || akin(s.real, real)
	s.frames.turn(same)
	s.inodes.turn(same)
	s.real = real
	out := *real
	out.Processes = nil
	for _, p := range real.Processes {
		q := *p
		q.PID = s.pid(p.PID)
		q.Pages, q.Mappings = s.pages(p), s.mappings(p)
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

// pages are a process's runs with stand-ins for their frames. Which frames follow one another is
// chance, so runs are cut and joined anew, though never across two mappings.
func (s *steady) pages(p *vmspace.Process) vmspace.List[vmspace.Run] {
	var out []vmspace.Run
	for _, r := range p.Pages.All() {
		if r.State == vmspace.Special {
			r.Mapcount = -1 // the kernel lends these pages to every process of the machine
		}
		for i := range r.Pages {
			one := r
			one.Start, one.Pages = r.Start+i*r.PageSize(), 1
			if one.Frame = r.FrameOf(i); one.Frame != 0 {
				one.Frame = s.frames.of(one.Frame)
			}
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

// mappings are a process's mappings with stand-ins for their files' inodes.
func (s *steady) mappings(p *vmspace.Process) vmspace.List[vmspace.Mapping] {
	var out []vmspace.Mapping
	for _, m := range p.Mappings.All() {
		if m.Inode != 0 {
			real := "/#" + strconv.FormatUint(m.Inode, 10)
			m.Inode = s.inodes.of(node{m.Major, m.Minor, m.Inode})
			if path, ok := strings.CutSuffix(m.Path, real+deleted); ok {
				masked := path + "/#" + strconv.FormatUint(m.Inode, 10) + deleted
				s.paths[m.Path], m.Path = masked, masked
			}
		}
		out = append(out, m)
	}
	return vmspace.NewList(out)
}

// deleted ends the path of a file that no folder lists (d_path in fs/d_path.c). One that never was
// in a folder is called by its inode's number (d_mark_tmpfile in fs/dcache.c).
const deleted = " (deleted)"

// inPaths puts the stand-ins of paths into a text.
func (s *steady) inPaths(text string) string {
	var pairs []string
	for real, masked := range s.paths {
		pairs = append(pairs, real, masked)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
