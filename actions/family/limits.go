package family

import (
	"fmt"
	"time"

	"cowscope/vmspace/amount"
)

// Limits are what a session may take. They keep a script's accidents, or a stranger's ill will,
// from the machine. They are cowscope's own, not the kernel's: what they refuse is told as such.
//
// Where a memory cgroup can be made the kernel holds a limit too, for what was not counted. A kill
// -9 of cowscope leaves the cgroup behind, empty; the next start removes it.
type Limits struct {
	Processes int           // alive at the same time
	Memory    uint64        // bytes of all processes together, their page tables and the scratch files
	Time      time.Duration // of a script as a whole; 0 for no limit
}

// DefaultLimits are enough for every story, and little enough for every machine.
var DefaultLimits = Limits{Processes: 64, Memory: 1 << 30}

func (l Limits) withDefaults() Limits {
	if l.Processes <= 0 {
		l.Processes = DefaultLimits.Processes
	}
	if l.Memory == 0 {
		l.Memory = DefaultLimits.Memory
	}
	return l
}

// cgroup is the limit that the kernel holds, by its own count. It lies above the one that is told
// in words, which comes first: the kernel counts its stacks and the pages of files, too.
func (l Limits) cgroup() uint64 {
	const most = 1 << 62 // no machine has it
	return min(l.Memory, most) + min(l.Memory, most)/8 + 64<<20
}

// Count says how many processes live, and how many are zombies.
func (f *Family) Count() (living, zombies int) {
	for _, m := range f.Members {
		switch {
		case m.Gone == "":
			living++
		case !m.dead:
			zombies++
		}
	}
	return living, zombies
}

// OverText says that a process was killed because the family took too much.
func (f *Family) OverText(label string) string {
	return fmt.Sprintf("%s and its family took more than %s, cowscope's limit: %s was killed. --max-memory raises the limit.", label, amount.Size(f.Limits.Memory), label)
}
