package bill

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"cowscope/vmspace"
)

// Bill is what the forks of a family cost, and what further ones would.
type Bill struct {
	PageSize  uint64    // bytes
	Frames    bool      // frame numbers were visible
	Read      time.Time // when the pages were read; zero for a picture of the past
	Forks     []*Account
	Forecasts []*Forecast // of each process
}

// Account is the bill of one child, with what its history tells.
type Account struct {
	*Pair
	Rate  *Rate  // between the last two pictures that were read in full; nil where there are none
	Grade *Grade // nil where the parent was not seen before the fork
	Ended bool   // the child is dead: the bill is that of the last picture of it
	// Copiers are the places in the code whose page faults have copied since the child was first seen,
	// the one with the most first. Nil where page faults are not told.
	Copiers []Copier
}

// Copier is a place in the code of the parent or the child.
type Copier struct {
	Process string // its label
	At      string
	Faults  uint64 // each of which copied a page
}

// mostCopiers is how many places are told apart for one child.
const mostCopiers = 1000

// Rate is what was copied in a time.
type Rate struct {
	Copied Count // pages
	Over   time.Duration
}

// PerSecond is the rate in pages a second.
func (r *Rate) PerSecond() uint64 { return uint64(float64(r.Copied.Pages) / r.Over.Seconds()) }

// Grade holds a forecast against the fork that followed.
type Grade struct {
	Forecast *Forecast
	Shared   uint64 // pages that the child got
	Tables   uint64 // bytes of the child's page tables, when it was first seen; 0 if not read
}

// Counters reads what the kernel counts of a process now; 0 stands for unknown.
type Counters struct {
	Tables func(pid int) uint64                // page tables in bytes: VmPTE
	Faults func(pid int) (minor, major uint64) // may include those of children that it waited for
}

// NewBill is the bill that one picture tells: of what is not shared nobody knows since when. It is made
// right after the picture.
func NewBill(s *vmspace.Snapshot, c Counters) *Bill { return NewBook(c).Bill(s) }

// Book remembers how the forks of a family began. Any number of goroutines may use it.
type Book struct {
	counters Counters

	mu      sync.Mutex
	forks   map[identity]*fork
	samples [2]sample // the last two pictures that were read in full
	dead    []identity
}

// mostDead is how many children are remembered that have died: pictures of the past have them.
const mostDead = 16

// identity is that of a process; a label alone may be used again.
type identity struct {
	pid     int
	started uint64
}

func identify(p *vmspace.Process) identity { return identity{p.PID, p.Started} }

type fork struct {
	base          *Base
	grade         *Grade
	parent, child *vmspace.Process // when both were seen last
	ended         bool
	copied        map[Copier]uint64 // faults, by process and place
}

func (f *fork) copiers() (out []Copier) {
	for c, n := range f.copied {
		c.Faults = n
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y Copier) int {
		return cmp.Or(cmp.Compare(y.Faults, x.Faults), strings.Compare(x.Process, y.Process), strings.Compare(x.At, y.At))
	})
	return out
}

type sample struct {
	snap *vmspace.Snapshot
	at   time.Time
}

// NewBook is an empty Book.
func NewBook(c Counters) *Book { return &Book{counters: c, forks: map[identity]*fork{}} }

// Add takes the next picture of the family; before is nil for the first. full says that everything was
// read, at that time.
func (b *Book) Add(before, after *vmspace.Snapshot, full bool, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	there, born := map[identity]bool{}, false
	each(after, func(parent, child *vmspace.Process) {
		there[identify(child)] = true
		f := b.forks[identify(child)]
		if f != nil {
			f.parent, f.child = parent, child
			return
		}
		born = true
		f = &fork{parent: parent, child: child}
		var was *vmspace.Process
		if before != nil && before.Process(child.Label) == nil {
			was = sameReadable(before.Process(parent.Label), parent)
		}
		f.base = NewBase(was, parent, child)
		if was != nil {
			f.grade = &Grade{Forecast: Foresee(was, after.PageSize), Shared: f.base.Shared, Tables: b.counters.Tables(child.PID)}
			f.grade.Forecast.TablesMost = b.counters.Tables(parent.PID)
		}
		b.forks[identify(child)] = f
	})
	for id, f := range b.forks {
		if !there[id] && !f.ended {
			f.ended = true
			b.dead = append(b.dead, id)
		}
	}
	for ; len(b.dead) > mostDead; b.dead = b.dead[1:] {
		delete(b.forks, b.dead[0])
	}
	if full || born { // a family with a new member is read in full
		b.samples = [2]sample{b.samples[1], {after, at}}
	}
}

// Copied says that page faults of a process have copied pages, at a place in its code.
func (b *Book) Copied(process, at string, faults uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.forks {
		if f.ended || f.parent.Label != process && f.child.Label != process {
			continue
		}
		if f.copied == nil {
			f.copied = map[Copier]uint64{}
		}
		key := Copier{Process: process, At: at}
		if _, ok := f.copied[key]; !ok && len(f.copied) >= mostCopiers {
			key.At = "elsewhere"
		}
		f.copied[key] += faults
	}
}

// sameReadable is p if it is the same process as q with pages, else nil.
func sameReadable(p, q *vmspace.Process) *vmspace.Process {
	if p == nil || identify(p) != identify(q) || !readable(p) {
		return nil
	}
	return p
}

// Bill is the bill of a picture: of the last one, or of one before it.
func (b *Book) Bill(s *vmspace.Snapshot) *Bill {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := &Bill{PageSize: s.PageSize, Frames: s.Frames, Read: b.samples[1].at}
	each(s, func(parent, child *vmspace.Process) {
		if !b.newest(parent) || !b.newest(child) {
			out.Read = time.Time{}
		}
		a := &Account{}
		f := b.forks[identify(child)]
		if f == nil {
			f = &fork{base: NewBase(nil, parent, child)}
		}
		a.Pair, a.Grade = Of(f.base, parent, child), f.grade
		a.Rate, a.Copiers = b.rate(parent, child), f.copiers()
		b.count(a.Pair, f.base, parent.PID)
		out.Forks = append(out.Forks, a)
	})
	for _, c := range s.Processes {
		if f := b.forks[identify(c)]; f != nil && !c.Alive() {
			out.Forks = append(out.Forks, &Account{Pair: Of(f.base, f.parent, f.child), Grade: f.grade, Ended: true, Copiers: f.copiers()})
		}
	}
	for _, p := range s.Processes {
		if readable(p) {
			f := Foresee(p, s.PageSize)
			f.TablesMost = b.counters.Tables(p.PID)
			out.Forecasts = append(out.Forecasts, f)
		}
	}
	return out
}

// newest says whether a process has the pages that it had when everything was read last.
func (b *Book) newest(p *vmspace.Process) bool {
	if b.samples[1].snap == nil {
		return false
	}
	q := sameReadable(b.samples[1].snap.Process(p.Label), p)
	return q != nil && q.Pages.Same(p.Pages)
}

// count counts the faults of both, now: later than all pages of the picture were read.
func (b *Book) count(p *Pair, base *Base, parent int) {
	minor, major := b.counters.Faults(parent)
	childMinor, childMajor := b.counters.Faults(p.PID)
	p.ParentFaults, p.ChildFaults = minor+major-min(base.faults, minor+major), childMinor+childMajor
	p.Counted = minor > 0 && childMinor > 0 // nobody lives without
}

// rate is what the two copied between the last two pictures that were read in full.
func (b *Book) rate(parent, child *vmspace.Process) *Rate {
	if b.samples[0].snap == nil {
		return nil
	}
	var two [2][2]*vmspace.Process
	for i, s := range b.samples {
		for j, p := range []*vmspace.Process{parent, child} {
			if two[i][j] = sameReadable(s.snap.Process(p.Label), p); two[i][j] == nil {
				return nil
			}
		}
	}
	over := b.samples[1].at.Sub(b.samples[0].at)
	if over <= 0 {
		return nil
	}
	between := Of(NewBase(nil, two[0][0], two[0][1]), two[1][0], two[1][1])
	return &Rate{Copied: between.Copied, Over: over}
}

func readable(p *vmspace.Process) bool { return p.Alive() && p.Err == "" && p.Mappings.Len() > 0 }

// each calls f for each parent and child that can be compared: not for those that share one address
// space.
func each(s *vmspace.Snapshot, f func(parent, child *vmspace.Process)) {
	for _, c := range s.Processes {
		if p := s.Process(c.Parent); p != nil && readable(p) && readable(c) && !p.SharesWith(c) {
			f(p, c)
		}
	}
}
