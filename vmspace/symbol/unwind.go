package symbol

import (
	"encoding/binary"
	"slices"

	"cowscope/vmspace"
)

// Registers are those of a thread by the numbers that DWARF gives them; the program counter is
// Counter.
type Registers [registers]uint64

// Counter is the index of the program counter, Stack that of the stack pointer.
const (
	Counter = counter
	Stack   = stackPointer
)

// mostCallers limits a walk.
const mostCallers = 64

// Frame is a function that a thread is in. A function that was inlined has the counter and the stack
// of the one that it was inlined into.
type Frame struct {
	vmspace.Place
	Counter uint64 // where its thread goes on in it
	Stack   uint64 // the stack pointer then
	Called  bool   // it waits for a function that it has called
	// Registers are its own. Those that a called function need not preserve have the values that this
	// one has left, and those of a frame that is not Sound too.
	Registers Registers
	Sound     bool // call frame information led here from the first frame on
}

// Callers walks up the stack of a stopped thread: the frames of its instruction, and of the calls
// that led to it, the nearest first. read reads 8 bytes of the process without faulting anything
// in. The walk ends where nothing says how to go on.
func (t *Table) Callers(pid int, mapping func(addr uint64) (vmspace.Mapping, bool), regs Registers, read func(addr uint64) (uint64, bool)) (frames []Frame) {
	now := [registers]uint64(regs)
	called := false // now is in a call: its address is behind the instruction
	sound := true
	for len(frames) < mostCallers {
		pc := now[counter]
		if called {
			pc--
		}
		m, ok := mapping(pc)
		if !ok || m.Perms&vmspace.Exec == 0 {
			return frames
		}
		for _, at := range t.inlined(pid, m, pc) {
			frames = append(frames, Frame{at, now[counter], now[stackPointer], called, now, sound})
		}
		next, signal, described, ok := t.caller(pid, m, now, pc, called, read)
		if !ok || next[counter] == 0 || next[stackPointer] <= now[stackPointer] && len(frames) > 1 {
			return frames
		}
		next[counter] = unsigned(next[counter])
		now, called, sound = next, !signal, sound && described
	}
	return frames
}

// inlined are the functions at an address, the innermost first: those that were inlined there, and
// the one that they were inlined into.
func (t *Table) inlined(pid int, m vmspace.Mapping, addr uint64) (places []vmspace.Place) {
	frames, p := t.frames(pid, m, addr)
	for _, f := range frames {
		at := p
		at.Function, at.File, at.Line = f.function, f.file, f.line
		places = append(places, at)
	}
	if len(places) == 0 {
		places = append(places, p)
	}
	return places
}

// atCall reports whether an address is that of a system call instruction, or of the next one.
func (t *Table) atCall(pid int, addr uint64) bool {
	if t.opt.Peek == nil {
		return false
	}
	for _, end := range []uint64{addr, addr&^(instruction-1) + instruction} {
		var before [8]byte
		present, err := t.opt.Peek(pid, end-uint64(len(before)), before[:])
		if err == nil && !slices.Contains(present, false) && endsWithCall(binary.LittleEndian.Uint64(before[:])) {
			return true
		}
	}
	return false
}

// caller gives the registers of the frame above: by call frame information, and where there is none
// by the frame pointer, as Go code has it. signal says that the frame was interrupted there, described
// that there was such information.
func (t *Table) caller(pid int, m vmspace.Mapping, now [registers]uint64, pc uint64, called bool, read func(addr uint64) (uint64, bool)) (next [registers]uint64, signal, described, ok bool) {
	o := t.object(pid, m, m.Path == "[vdso]")
	if o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		at, known := o.address(pc-m.Start+m.Offset, true)
		if c := o.calls; known && c != nil && c.wide {
			f := c.find(at)
			if f == nil && !called && t.atCall(pid, pc) {
				f = c.behind(at)
			}
			if f != nil {
				w, err := c.rules(f, at)
				if err == nil {
					next, err = w.caller(&now, f.cie.returns, read)
				}
				return next, f.cie.signal, true, err == nil
			}
		}
	}
	frame := now[framePointer]
	if frame+8 < now[stackPointer] || frame&7 != 0 { // on arm64 Go keeps it in the 8 bytes below the stack pointer
		return next, false, false, false
	}
	next = now
	above, ok1 := read(frame)
	back, ok2 := read(frame + 8)
	next[framePointer], next[counter], next[stackPointer] = above, back, frame+16
	return next, false, false, ok1 && ok2
}
