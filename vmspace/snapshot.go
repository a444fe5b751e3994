package vmspace

import "cmp"

// ProcState is the state of a process when it was read.
type ProcState uint8

// The states of a process, from the third field of /proc/PID/stat.
const (
	Running ProcState = iota
	Stopped           // stopped or traced: T or t
	Zombie            // dead, not yet waited for
	Gone              // no such process
)

// String is the word that the screen and the JSON use.
func (s ProcState) String() string { return procStates[s] }

var procStates = [...]string{"running", "stopped", "zombie", "gone"}

// Member identifies a process of the family that a Reader reads.
type Member struct {
	Label  string // "p1"
	Parent string // label of the parent, "" for the first
	PID    int
	Shares string // label of an earlier member whose address space it runs in, as after vfork; "" for one of its own
	// Thread says that it is a thread of the process Parent (CLONE_THREAD in clone(2)), and PID its
	// thread ID.
	Thread bool
}

// Leader is the label of the process: of a thread, that of the first one.
func (m Member) Leader() string {
	if m.Thread {
		return m.Parent
	}
	return m.Label
}

// Space names the address space: members with the same one share it.
func (m Member) Space() string { return cmp.Or(m.Shares, m.Label) }

// Process is one address space at one moment. It is immutable, and shares unchanged parts with the
// previous snapshot.
type Process struct {
	Member
	State    ProcState
	MinorFlt uint64 // since the process began
	MajorFlt uint64
	RSS      uint64        // bytes
	Started  uint64        // in clock ticks since boot: together with the pid it is unique
	Mappings List[Mapping] // by address
	// Pages is by address, and no run crosses the edge of a mapping. Pages in state None are left
	// out, except markers of userfaultfd.
	Pages List[Run]
	// Changed is where mappings kept changing while they were read: pages there are Unknown. As a
	// rule it is empty.
	Changed []Range
	Shift   uint8  // log2 of the page size in bytes; 0 stands for 12 (4 KiB)
	Err     string // why mappings or pages could not be read, "" if they were
}

// Alive reports whether the process can act and has an address space.
func (p *Process) Alive() bool { return p.State < Zombie }

// SharesWith reports whether both live in one address space.
func (p *Process) SharesWith(o *Process) bool {
	return p.Alive() && o.Alive() && p.Space() == o.Space()
}

// Snapshot is a family of address spaces at one moment, immutable.
type Snapshot struct {
	PageSize  uint64 // bytes
	Frames    bool   // frame numbers were visible
	Processes []*Process
}

// Process finds a process by its label; nil if there is none.
func (s *Snapshot) Process(label string) *Process {
	for _, p := range s.Processes {
		if p.Label == label {
			return p
		}
	}
	return nil
}

// Teller is the process of whose memory a change is told, of those that share its address space:
// label where it is among them, else the first.
func (s *Snapshot) Teller(p *Process, label string) *Process {
	if o := s.Process(label); o != nil && o.SharesWith(p) {
		return o
	}
	for _, o := range s.Processes {
		if o.SharesWith(p) {
			return o
		}
	}
	return p
}

// Sharing are the labels of the others that live in the address space of p.
func (s *Snapshot) Sharing(p *Process) (labels []string) {
	for _, o := range s.Processes {
		if o.Label != p.Label && o.SharesWith(p) {
			labels = append(labels, o.Label)
		}
	}
	return labels
}
