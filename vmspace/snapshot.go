package vmspace

// ProcState says how a process stood when it was read.
type ProcState uint8

// The states of a process, from the third field of /proc/PID/stat.
const (
	Running ProcState = iota
	Stopped           // stopped or traced: T or t
	Zombie            // dead, not yet waited for
	Gone              // no such process
)

// String is the word that the screen and the JSON use.
func (s ProcState) String() string { return [...]string{"running", "stopped", "zombie", "gone"}[s] }

// Member names a process of the family that a Reader reads.
type Member struct {
	Label  string // "p1"
	Parent string // label of the parent, "" for the first
	PID    int
}

// Process is one address space at one moment. It is immutable, and shares what did not change with
// the snapshot before it.
type Process struct {
	Member
	State    ProcState
	MinorFlt uint64 // since the process began
	MajorFlt uint64
	RSS      uint64        // bytes
	Started  uint64        // in clock ticks since boot: with the pid it names a process for good
	Mappings List[Mapping] // by address
	Pages    List[Run]     // by address, never across two mappings; pages in state None are left out, but for markers of userfaultfd
	Changed  []Range       // where mappings changed while they were read, again and again: pages there are Unknown; none as a rule
	Shift    uint8         // log2 of the page size; 0 stands for 12, the 4 KiB of most machines
	Err      string        // why mappings or pages could not be read, "" if they were
}

// Snapshot is a family of address spaces at one moment, immutable.
type Snapshot struct {
	PageSize  uint64 // bytes
	Frames    bool   // frame numbers were visible
	Processes []*Process
}

// Process finds a process by its label; nil where there is none.
func (s *Snapshot) Process(label string) *Process {
	for _, p := range s.Processes {
		if p.Label == label {
			return p
		}
	}
	return nil
}
