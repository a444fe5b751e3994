// Package fault tells the page faults of living processes as they take them: which page, by which
// instruction, of which thread. The kernel writes them into rings of memory that are read here
// (perf_event_open(2)). Nobody is stopped or traced for it, and it needs no more than the right to
// read the process.
//
//	thread ─ fault ─► event of the thread on that CPU ─┐
//	thread ─ fault ─► event of the thread on that CPU ─┴─► ring of the CPU ─► Drain
//
// Events are inherited by threads and children that are made later, so none of those is missed. What
// no ring has room for is counted by the kernel. Never seen are pages that come without a fault
// (MAP_POPULATE, mlock, MADV_POPULATE_WRITE), and, for who is not root where perf_event_paranoid is
// above 1, faults taken inside the kernel, such as those of read(2) into fresh memory.
package fault

import (
	"errors"
	"time"
)

// The errors of Open: on a system without perf events, and where none of the processes is there.
var (
	ErrNotLinux  = errors.New("perf events need Linux")
	ErrNoProcess = errors.New("no such process")
)

// Kind is what an event tells.
type Kind uint8

const (
	Fault Kind = iota // a page fault that succeeded: the page is there
	Exec              // the process has a new program, and a new address space
	Exit              // the thread has ended
)

// Event is something that a thread did.
type Event struct {
	Kind     Kind
	Major    bool          // the fault had to wait for a device
	Kernel   bool          // it was taken inside the kernel
	PID, TID int           // of the thread, in cowscope's PID namespace
	Time     time.Duration // of CLOCK_MONOTONIC
	IP       uint64        // the instruction that took the fault
	Addr     uint64        // the address that it accessed
}
