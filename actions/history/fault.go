package history

import (
	"cmp"
	"slices"
	"unsafe"

	"cowscope/vmspace"
)

// Fault is page faults that a thread took at one place in the code.
type Fault struct {
	Process string // label of the process
	TID     int
	Start   uint64 // the first page
	// Pages is how many pages side by side they were about; 0 if they were about pages that are not
	// listed one by one, the first of them at Start.
	Pages  uint64
	Count  uint64
	Major  uint64 // how many of them had to wait for a device
	Kernel bool   // they were taken inside the kernel, on behalf of the thread
	// Did is what they did, as far as the pages before and after show it; "" if they do not.
	Did vmspace.Happening
	At  vmspace.Place
}

// Where is the place of a fault, or that it was taken inside the kernel.
func (f Fault) Where() string {
	if f.Kernel {
		return "in the kernel"
	}
	return f.At.String()
}

// Covers reports whether the fault is known to have been about the page at addr.
func (f Fault) Covers(label string, addr, pageSize uint64) bool {
	return f.Process == label && addr >= f.Start && addr-f.Start < f.Pages*pageSize
}

// Spot is the faults of one place, whoever took them.
type Spot struct {
	At     string // as Fault.Where gives it
	Did    vmspace.Happening
	Count  uint64
	Major  uint64
	Object string
}

// Spots adds up faults by place and by what they did.
type Spots struct {
	spots      map[Spot]*Spot // by At, Did and Object
	rest, lost uint64
}

// Tally is what Spots has added up.
type Tally struct {
	Spots     []Spot // that with the most faults first
	Elsewhere uint64 // faults at other places
	Lost      uint64 // faults of which nothing is known
}

// mostSpots is how many places are told apart.
const mostSpots = 4096

// Add counts faults, and those of which nothing is known.
func (s *Spots) Add(faults []Fault, lost uint64) {
	s.lost += lost
	if s.spots == nil {
		s.spots = map[Spot]*Spot{}
	}
	for _, f := range faults {
		key := Spot{At: f.Where(), Did: f.Did, Object: f.At.Object}
		spot := s.spots[key]
		if spot == nil && len(s.spots) >= mostSpots {
			s.rest += f.Count
			continue
		}
		if spot == nil {
			own := key
			spot = &own
			s.spots[key] = spot
		}
		spot.Count += f.Count
		spot.Major += f.Major
	}
}

// Tally is what was added up so far.
func (s *Spots) Tally() Tally {
	t := Tally{Elsewhere: s.rest, Lost: s.lost}
	for _, spot := range s.spots {
		t.Spots = append(t.Spots, *spot)
	}
	slices.SortFunc(t.Spots, func(a, b Spot) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.At, b.At), cmp.Compare(a.Did, b.Did), cmp.Compare(a.Object, b.Object))
	})
	return t
}

// Touched is who faulted on a page: nil where it is not known.
type Touched struct {
	First  *Fault // brought it in
	Copied *Fault // replaced it by a copy
	Last   *Fault // the newest fault, whatever it did
}

// TouchedBy finds who faulted on the page, in steps up to the last of them. It goes back to when the
// page came; who was before that is unknown where steps are missing, or where nothing shows what a
// fault did.
func TouchedBy(steps []*Step, label string, addr uint64) (t Touched) {
	if last := steps[len(steps)-1].After; !there(last.Process(label), addr, last.PageSize) {
		return t
	}
	for i := len(steps) - 1; i >= 0; i-- {
		st, size := steps[i], steps[i].After.PageSize
		known, came := true, st.Before != nil && !there(st.Before.Process(label), addr, size)
		for j := range slices.Backward(st.Faults) {
			f := &st.Faults[j]
			if !f.Covers(label, addr, size) {
				continue
			}
			if t.Last == nil {
				t.Last = f
			}
			if f.Did == vmspace.Copy && t.Copied == nil {
				t.Copied = f
			}
			if came {
				t.First = f
			}
			known = known && f.Did != "" // else it may be another page since then
		}
		if came || !known || Missing(steps, i) > 0 {
			break
		}
	}
	return t
}

func there(p *vmspace.Process, addr, size uint64) bool {
	if p == nil {
		return false
	}
	if _, mapped := p.MappingAt(addr); !mapped {
		return false
	}
	return p.PageAt(addr, size).State != vmspace.None
}

// weigh is about how many bytes of memory the faults take.
func weigh(faults []Fault) int { return len(faults) * int(unsafe.Sizeof(Fault{})) }

// FaultJSON is faults as JSON.
type FaultJSON struct {
	Process  string    `json:"process"`
	Thread   int       `json:"thread"`
	Address  string    `json:"address"`
	Pages    uint64    `json:"pages,omitempty"`
	Count    uint64    `json:"count"`
	Major    uint64    `json:"major,omitempty"`
	Kernel   bool      `json:"kernel,omitempty"`
	Happened string    `json:"happened,omitempty"`
	At       PlaceJSON `json:"at"`
}

// PlaceJSON is a place as JSON.
type PlaceJSON struct {
	Function string `json:"function,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Object   string `json:"object,omitempty"`
	Offset   string `json:"offset,omitempty"`  // from the start of the function
	Address  string `json:"address,omitempty"` // as the object counts it
}

// FaultList converts the faults of a step to their JSON form.
func FaultList(faults []Fault) []FaultJSON {
	out := make([]FaultJSON, 0, len(faults))
	for _, f := range faults {
		j := FaultJSON{Process: f.Process, Thread: f.TID, Address: hex(f.Start), Pages: f.Pages, Count: f.Count, Major: f.Major, Kernel: f.Kernel, Happened: string(f.Did),
			At: placeJSON(f.At)}
		out = append(out, j)
	}
	return out
}

func placeJSON(p vmspace.Place) PlaceJSON {
	j := PlaceJSON{Function: p.Function, File: p.File, Line: p.Line, Object: p.Object}
	if p.Offset != 0 {
		j.Offset = hex(p.Offset)
	}
	if p.At != 0 {
		j.Address = hex(p.At)
	}
	return j
}
