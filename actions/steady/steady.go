// Package steady replaces numbers that differ from run to run by stand-ins.
package steady

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Lab is a lab whose process ids, frame numbers and inode numbers are the same in every run:
// stand-ins replace them, process ids in the order of birth, frames and inodes in the order of
// appearance. Equal numbers have equal stand-ins, and different ones different ones. Only one
// goroutine at a time may use it.
//
// A frame or an inode keeps its stand-in only while the family has it: after that the kernel may
// give it to any process.
type Lab struct {
	actions.Lab
	log    *history.Log // the steps with their stand-ins
	pids   map[int]int
	frames standIns[uint64]
	inodes standIns[node]
	paths  map[string]string // of files without a name, whose path contains the inode number
	real   *vmspace.Snapshot // the last one
	masked *vmspace.Snapshot
}

// node identifies a file: inodes are numbered per device.
type node struct {
	major, minor uint32
	inode        uint64
}

const (
	firstPID   = 1000
	firstFrame = 0x10000
	firstInode = 100000
)

// New returns l with stand-ins.
func New(l actions.Lab) *Lab {
	s := &Lab{Lab: l, log: history.NewLog(history.Ample), pids: map[int]int{}, paths: map[string]string{},
		frames: standIns[uint64]{next: firstFrame}, inodes: standIns[node]{next: firstInode}}
	l.Follow(0, func(st *history.Step) { s.log.Add(s.step(st)) })
	return s
}

// standIns are the stand-ins of the numbers in use, and of those of the previous snapshot.
type standIns[K comparable] struct {
	now, was map[K]uint64
	next     uint64
}

// turn begins a snapshot. If it is not akin to the previous one, all its numbers are new.
func (x *standIns[K]) turn(akin bool) {
	if x.was = x.now; !akin {
		x.was = nil
	}
	x.now = map[K]uint64{}
}

// of returns the stand-in of a number in use.
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
func (s *Lab) Do(ctx context.Context, line string) (*history.Step, error) {
	st, err := s.Lab.Do(ctx, line)
	if st == nil {
		return st, err
	}
	return s.log.Last(), err
}

// Poll finds nothing, because events without a command happen at another time in each run. Each
// command reads everything again.
func (s *Lab) Poll(context.Context) (*history.Step, error) { return nil, nil }

// History returns the kept steps with their stand-ins.
func (s *Lab) History() []*history.Step { return s.log.Steps() }

// Follow calls f with every step with its stand-ins.
func (s *Lab) Follow(from int, f func(*history.Step)) { s.log.Follow(from, f) }

var (
	anyFrame = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`0x[0-9a-f]+`) })
	anyPID   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:kill\(|process |pid )\d+`) })
)

// step returns a step with stand-ins in all its fields.
func (s *Lab) step(st *history.Step) *history.Step {
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

// pid is the stand-in of a process id.
func (s *Lab) pid(real int) int {
	if real != 0 && s.pids[real] == 0 {
		s.pids[real] = firstPID + len(s.pids)
	}
	return s.pids[real]
}

// known is the stand-in of a number that may be a process id.
func (s *Lab) known(n int) int {
	if p := s.pids[n]; p != 0 {
		return p
	}
	return n
}

// inText inserts the stand-ins into a text; frame returns those of frames, 0 for any other number,
// and is nil if there are none.
func (s *Lab) inText(text string, frame func(uint64) uint64) string {
	text = anyPID().ReplaceAllStringFunc(text, func(t string) string {
		i := strings.IndexAny(t, "0123456789")
		n, _ := strconv.Atoi(t[i:])
		return t[:i] + strconv.Itoa(s.known(n))
	})
	text = s.inPaths(text)
	if frame == nil {
		return text
	}
	return anyFrame().ReplaceAllStringFunc(text, func(t string) string {
		n, _ := strconv.ParseUint(t[2:], 16, 64)
		if x := frame(n); x != 0 {
			return "0x" + strconv.FormatUint(x, 16)
		}
		return t
	})
}

// snapshot returns a snapshot with stand-ins.
func (s *Lab) snapshot(real *vmspace.Snapshot) *vmspace.Snapshot {
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

// akin reports whether the two snapshots share a process.
func akin(a, b *vmspace.Snapshot) bool {
	for _, p := range a.Processes {
		if q := b.Process(p.Label); q != nil && q.PID == p.PID {
			return true
		}
	}
	return false
}

// pages returns the runs of a process with stand-ins for their frames. Which frames are consecutive
// is random, so runs are split and joined again, never across the edge of a mapping.
func (s *Lab) pages(p *vmspace.Process) vmspace.List[vmspace.Run] {
	var out []vmspace.Run
	for _, r := range p.Pages.All() {
		if r.State == vmspace.Special {
			r.Mapcount = -1 // the kernel maps these pages into every process of the machine
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

// joined reports whether b continues a in all respects.
func joined(a, b vmspace.Run) bool {
	next := a
	next.Start, next.Pages, next.Frame = a.Bounds().End, 1, a.FrameOf(a.Pages)
	return next == b
}

// mappings returns the mappings of a process with stand-ins for inode numbers.
func (s *Lab) mappings(p *vmspace.Process) vmspace.List[vmspace.Mapping] {
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

// deleted ends the path of a file that is in no folder (d_path in fs/d_path.c). A file that never
// was in a folder is named after its inode number (d_mark_tmpfile in fs/dcache.c).
const deleted = " (deleted)"

// inPaths inserts the stand-ins of paths into a text.
func (s *Lab) inPaths(text string) string {
	var pairs []string
	for real, masked := range s.paths {
		pairs = append(pairs, real, masked)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
