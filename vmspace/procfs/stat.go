package procfs

import (
	"bytes"
	"fmt"

	"cowscope/vmspace"
)

// Rules of this file: pure, no panic. The second field of /proc/PID/stat is the command name in
// parentheses, which may contain blanks, parentheses and newlines: only the last closing
// parenthesis ends it (proc_pid_stat(5)).

// Stat is the part of /proc/PID/stat that this package uses.
type Stat struct {
	State     vmspace.ProcState
	MinorFlt  uint64
	MajorFlt  uint64
	StartTime uint64 // in clock ticks since boot: together with the pid it is unique
	Size      uint64 // of all mappings, in bytes
	RSSPages  uint64
	StartBrk  uint64 // where a heap begins or would begin; 0 if hidden
	// StartStack and ArgStart are where the stack began, and where the arguments of the program are.
	// An execve(2) sets them; 0 if hidden.
	StartStack, ArgStart uint64
	// ExitStatus is the wait status of a zombie (wait(2)); 0 if hidden.
	ExitStatus uint64
}

// The numbers of the fields, as proc_pid_stat(5) counts them from 1.
const (
	statState     = 3
	statFlags     = 9
	statMinorFlt  = 10
	statMajorFlt  = 12
	statStartTime = 22
	statSize      = 23
	statRSS       = 24
	statStack     = 28
	statStartBrk  = 47
	statArgStart  = 48
	statExitCode  = 52
)

// ParseStat parses the text of /proc/PID/stat.
func ParseStat(text []byte) (Stat, error) {
	var s Stat
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return s, fmt.Errorf("stat: no command name in parentheses: %.80q", text)
	}
	n, flags := statState-1, uint64(0)
	for f := range bytes.FieldsSeq(text[end+1:]) {
		n++
		var to *uint64
		switch n {
		case statState:
			s.State = procState(f)
			continue
		case statFlags:
			to = &flags
		case statMinorFlt:
			to = &s.MinorFlt
		case statMajorFlt:
			to = &s.MajorFlt
		case statStartTime:
			to = &s.StartTime
		case statSize:
			to = &s.Size
		case statRSS:
			to = &s.RSSPages
		case statStack:
			to = &s.StartStack
		case statStartBrk:
			to = &s.StartBrk
		case statArgStart:
			to = &s.ArgStart
		case statExitCode:
			to = &s.ExitStatus
		default:
			continue
		}
		v, rest, ok := Decimal(f)
		if !ok || len(rest) > 0 {
			return s, fmt.Errorf("stat: field %d is not a number: %.80q", n, f)
		}
		*to = v
	}
	if n < statRSS {
		return s, fmt.Errorf("stat: only %d fields: %.80q", n, text)
	}
	if flags&exiting != 0 && s.State < vmspace.Zombie {
		s.State = vmspace.Zombie
	}
	return s, nil
}

// exiting is PF_EXITING (include/linux/sched.h): the process is becoming a zombie, and its memory
// may already be freed; /proc/PID/maps is then forbidden to an ordinary user, even for an own
// process.
const exiting = 0x4

// procState reads the state letter.
func procState(f []byte) vmspace.ProcState {
	switch string(f) {
	case "T", "t":
		return vmspace.Stopped
	case "Z":
		return vmspace.Zombie
	case "X", "x":
		return vmspace.Gone
	}
	return vmspace.Running
}
