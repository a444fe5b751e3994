package procfs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Listed is a process as a list of all shows it.
type Listed struct {
	PID, Parent, UID int
	Name             string // what the kernel calls it, at most 15 bytes, which the process can change
	Args             string // its command line with blanks between the arguments; "" where it has none
	RSS              uint64 // bytes
	Readable         bool   // its memory may be read by this user
}

// Processes lists the processes that have memory: no kernel threads, and no zombies.
func Processes() (out []Listed) {
	dirs, _ := os.ReadDir("/proc")
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		status := procText(pid, "status")
		if fieldOf(status, "VmSize:") == nil {
			continue
		}
		p := Listed{PID: pid, Parent: numberOf(status, "PPid:"), UID: numberOf(status, "Uid:"), RSS: sizeOf(status, "VmRSS:"), Name: Name(pid)}
		p.Args = strings.TrimSpace(string(bytes.ReplaceAll(procText(pid, "cmdline"), []byte{0}, []byte{' '})))
		if maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid)); err == nil { // the right is asked for at open (proc_maps_open in fs/proc/task_mmu.c)
			maps.Close()
			p.Readable = true
		}
		out = append(out, p)
	}
	return out
}

// PSS is the proportional set size of a process, in bytes: of each page its share of those who map
// it (proc_pid_smaps(5)). The kernel walks all its page tables for that. It is 0 where it cannot be
// read.
func PSS(pid int) uint64 { return sizeOf(procText(pid, "smaps_rollup"), "Pss:") }

// fieldOf is what follows key in its line, nil without such a line.
func fieldOf(text []byte, key string) []byte {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			return bytes.TrimSpace(rest)
		}
	}
	return nil
}

// numberOf is the first number of a line of /proc/PID/status.
func numberOf(status []byte, key string) int {
	first, _, _ := bytes.Cut(fieldOf(status, key), []byte{'\t'})
	n, _ := strconv.Atoi(string(first))
	return n
}
