//go:build amd64 || arm64

package inject

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cowscope/actions/ptrace"
	"cowscope/vmspace"
	"cowscope/vmspace/procfs"
)

// State is what a stopped thread goes on with.
type State struct {
	tid     int
	regs    ptrace.Registers
	vectors vectors
	asleep  *Sleep
}

// Save reads the state of a thread at a stop. asleep is the call in which it slept before that; nil if
// it ran, or that is not known. A thread in 32-bit mode is refused.
func Save(tid int, asleep *Sleep) (*State, error) {
	s := &State{tid: tid, asleep: asleep}
	if e := ptrace.GetRegisters(tid, &s.regs); e != 0 {
		return nil, e
	}
	if err := suits(&s.regs); err != nil {
		return nil, err
	}
	s.vectors = getVectors(tid)
	return s, nil
}

// Call gives the registers with which the thread makes a call, by the instruction at an address.
func (s *State) Call(instruction, nr uint64, args ...uint64) ptrace.Registers {
	r := s.regs
	var all [6]uint64
	copy(all[:], args)
	setCall(&r, instruction, nr, all)
	return r
}

// At gives the registers with which the thread executes other code, which is at ip. No call is in
// progress there.
func (s *State) At(ip uint64) ptrace.Registers {
	r := s.regs
	setCode(&r, ip)
	return r
}

// Again is for a thread at the beginning of a call: it will make that call when it goes on.
func (s *State) Again() { rewind(&s.regs) }

// Restarts reports whether the kernel is to restart a call when the thread goes on.
func (s *State) Restarts() bool { return restarts(&s.regs) }

// Give gives the state to another thread: to a child, at its first stop.
func (s *State) Give(tid int) syscall.Errno {
	s.vectors.putBack(tid)
	return Set(tid, s.regs)
}

// Set gives a thread registers, but for those that the stop at which they were read has hidden.
func Set(tid int, r ptrace.Registers) syscall.Errno {
	if e := keepHidden(tid, &r); e != 0 {
		return e
	}
	return ptrace.SetRegisters(tid, &r)
}

// Result is what a call has returned, at the stop after it.
func Result(r *ptrace.Registers) (value uint64, errno syscall.Errno) {
	value = callResult(r)
	if value > ^uint64(4095) {
		return 0, syscall.Errno(-value)
	}
	return value, 0
}

// PutBack gives the thread its state again.
func (s *State) PutBack() syscall.Errno {
	e := Set(s.tid, s.regs)
	s.vectors.putBack(s.tid)
	return e
}

// Resume is PutBack for the last time, where no signal waits: a call that was interrupted by the stop alone is
// made again. The kernel restarts it only from where signals are looked for, so the last stop has to be there.
func (s *State) Resume() syscall.Errno {
	resumable(&s.regs, s.asleep)
	return s.PutBack()
}

// FindInstruction gives the address of a system call instruction in the vdso of a process.
func FindInstruction(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, ptrace.Refusal(pid, "read of maps", ptrace.Cause(err))
	}
	maps, err := procfs.ParseMaps(nil, text)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(maps, func(m vmspace.Mapping) bool { return m.Path == "[vdso]" && m.Perms&vmspace.Exec != 0 })
	if i < 0 {
		return 0, fmt.Errorf("process %d has no vdso that may be executed, and its system call instruction is needed", pid)
	}
	code := make([]byte, maps[i].Len())
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return 0, ptrace.Refusal(pid, "open of mem", ptrace.Cause(err))
	}
	defer mem.Close()
	if _, err := mem.ReadAt(code, int64(maps[i].Start)); err != nil {
		return 0, err
	}
	for at := 0; at < len(code); at += align {
		if bytes.HasPrefix(code[at:], instruction) {
			return maps[i].Start + uint64(at), nil
		}
	}
	return 0, fmt.Errorf("the vdso of process %d has no system call instruction", pid)
}

// Sleep is the call in which a thread sleeps, as /proc/PID/syscall tells it (proc_pid_syscall(5)).
type Sleep struct {
	nr   uint64
	args [6]uint64
	pc   uint64 // after the instruction
}

// SleepOf is nil for a thread that runs. Where that has to be known it waits a moment: the thread may be
// about to sleep.
func SleepOf(tid int) *Sleep {
	const tries = 10
	var f []string
	for range tries {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", tid, tid))
		if f = strings.Fields(string(b)); err != nil || len(f) == 9 || !SleepsAnew {
			break
		}
		time.Sleep(100 * time.Microsecond)
	}
	if len(f) != 9 {
		return nil
	}
	var s Sleep
	s.nr, _ = strconv.ParseUint(f[0], 10, 64)
	for i := range s.args {
		s.args[i], _ = strconv.ParseUint(f[i+1], 0, 64)
	}
	s.pc, _ = strconv.ParseUint(f[8], 0, 64)
	return &s
}
