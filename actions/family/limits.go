package family

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"cowscope/actions/subject"
	"cowscope/vmspace/amount"
)

// Limits are the resources that a session may use. They protect the machine from mistakes in a
// script and from hostile ones. They are cowscope's own limits, not the kernel's, and a refusal
// says so.
//
// If a memory cgroup can be created, the kernel enforces a limit too, for memory that was not
// counted. A kill -9 of cowscope leaves an empty cgroup behind; the next start removes it.
type Limits struct {
	Processes int // alive at the same time
	// Memory is bytes of all processes together, their page tables and the scratch files.
	Memory uint64
	Time   time.Duration // of a script as a whole; 0 for no limit
}

// DefaultLimits are sufficient for every story, and small enough for every machine.
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

// cgroup is the limit that the kernel enforces by its own count. It is higher than the limit above,
// which explains itself and should be reached first: the kernel also counts kernel stacks and pages
// of files.
func (l Limits) cgroup() uint64 {
	const most = 1 << 62 // more than any machine has
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

// OverText says that a process was killed because the family exceeded its memory limit.
func (f *Family) OverText(label string) string {
	return fmt.Sprintf("%s and its family took more than %s, cowscope's limit: %s was killed. --max-memory raises the limit.", label, amount.Size(f.Limits.Memory), label)
}

// EndSharing kills those that had the memory of a process which took too much, and says so: as long as
// one of them lives, all of it is taken. Some may be gone with that process.
func (f *Family) EndSharing(with []*Member) string {
	var labels []string
	for _, o := range slices.Backward(with) { // the youngest first: the others wait for them
		if o.Gone == "" {
			_, err := o.Subject().Kill(syscall.SIGKILL)
			if exited := (*subject.ExitedError)(nil); errors.As(err, &exited) {
				f.Ended(o, exited)
			}
		}
		if o.Gone != "" {
			labels = append(labels, o.Label)
		}
	}
	if len(labels) == 0 {
		return ""
	}
	return fmt.Sprintf(" With it went %s, in the same memory.", strings.Join(labels, " and "))
}
