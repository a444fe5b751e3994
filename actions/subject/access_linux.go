//go:build amd64 || arm64

package subject

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"syscall"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Rules of this file: loads and stores that a process makes itself, so that permission checks and
// faults are the CPU's. The subject has the code for them in its page of stubs; into another process it
// is put for the moment.

// Access makes a process execute code of one kind: on count bytes or pages from addr on. value is what
// is stored, or the distance of the pages.
type Access func(c Code, addr, count, value uint64) (Ending, error)

// Load reads n bytes one after the other. Value is the last of them.
func (a Access) Load(addr, n uint64) (Ending, error) { return a(Code{loadStub}, addr, n, 0) }

// Fill stores b over n bytes.
func (a Access) Fill(addr, n uint64, b byte) (Ending, error) {
	return a(Code{fillStub}, addr, n, uint64(b))
}

// Touch makes one access per page: a load, or a store that changes nothing.
func (a Access) Touch(addr, pages, pageSize uint64, write bool) (Ending, error) {
	if write {
		return a(Code{writeStub}, addr, pages, pageSize)
	}
	return a(Code{readStub}, addr, pages, pageSize)
}

// Store writes data: single bytes up to an aligned address, then eight at a time, then the bytes that
// are left. It stops at the first fault.
func (a Access) Store(addr uint64, data []byte) (Ending, error) {
	total := Ending{}
	for len(data) > 0 {
		s, n, value := store1Stub, 1, uint64(data[0])
		if addr%8 == 0 && len(data) >= 8 {
			s, n, value = store8Stub, 8, binary.LittleEndian.Uint64(data)
		}
		e, err := a(Code{s}, addr, 1, value)
		if err != nil || !e.OK() {
			e.Done = total.Done
			return e, err
		}
		total.Done += uint64(n)
		addr += uint64(n)
		data = data[n:]
	}
	return total, nil
}

// Code is machine code for one kind of access.
type Code struct{ stub *stub }

// Bytes are the code, to be put anywhere. It ends with a system call instruction.
func (c Code) Bytes() []byte {
	i := slices.IndexFunc(code, func(p piece) bool { return textBase+uint64(p.at) == c.stub.start })
	return append(slices.Clone(code[i].bytes[:c.length()]), callInstruction...)
}

// length is that of the code without its end.
func (c Code) length() uint64 { return c.stub.end - c.stub.start - trapPassed }

// Begin sets the registers of a thread that is to execute the code, which is at base.
func (c Code) Begin(r *ptrace.Registers, base, addr, count, value uint64) {
	setOperands(r, addr, count, value)
	setIP(r, base)
}

// Arrived is the ending of code that was executed to its end. r are the registers there.
func (c Code) Arrived(r *ptrace.Registers, count uint64) Ending {
	e := Ending{Done: count}
	if c.single() {
		e.Done = 0 // Store counts
	}
	if c.stub == loadStub {
		e.Value = loadedByte(r)
	}
	return e
}

// Broken is the ending of code that was stopped because it took too long.
func (c Code) Broken(r *ptrace.Registers, count uint64) Ending {
	e := Ending{TimedOut: true}
	if !c.single() {
		e.Done = count - remaining(r)
	}
	return e
}

// Raised is the ending of code that a signal stopped, given the registers there. ok is false if it is
// not the access that caused the signal.
func (c Code) Raised(r *ptrace.Registers, info *ptrace.SigInfo, base, addr, count, value uint64) (e Ending, ok bool) {
	ip := getIP(r)
	at := ip - base + c.stub.start // as if it were at its place in the page of stubs
	if info.Code <= 0 || at < c.stub.faultLo || at > c.stub.faultHi || !ofMemory(*info) || !within(*info, addr, c.span(count, value)) || unfetched(*info, ip) {
		return Ending{}, false
	}
	if !c.single() {
		e.Done = count - remaining(r)
	}
	e.Signal = signalAt(*info, ip)
	return e, true
}

// single reports whether the code makes one access and does not count.
func (c Code) single() bool { return c.stub == store8Stub || c.stub == store1Stub }

// span is how many bytes the code may touch, 0 for the whole address space.
func (c Code) span(count, value uint64) uint64 {
	switch c.stub {
	case loadStub, fillStub:
		return count
	case readStub, writeStub:
		if hi, lo := bits.Mul64(count, value); hi == 0 {
			return lo
		}
		return 0
	}
	return 8
}

// within reports whether a fault is in the range. If the CPU does not report the address (a general
// protection fault: it is not canonical), the range must extend beyond the lower half of the
// address space.
func within(c cause, addr, span uint64) bool {
	if c.Code == siKernel {
		const half = 1 << 47
		return span == 0 || addr >= half || addr+span > half
	}
	return span == 0 || c.Addr-addr < span
}

// ofMemory reports whether a load or a store can raise the signal.
func ofMemory(c cause) bool {
	return c.Signo == int32(unix.SIGSEGV) || c.Signo == int32(unix.SIGBUS)
}

// unfetched reports whether the fault is about the instruction at ip itself. A
// protection key refuses only data, so it never is.
func unfetched(c cause, ip uint64) bool {
	const pkuerr = 4
	return c.Signo == int32(unix.SIGSEGV) && c.Code != pkuerr && c.Code != siKernel && c.Addr == ip ||
		c.Signo == int32(unix.SIGBUS) && c.Addr == ip
}

// signalAt is a cause as it is returned; ip is where the thread was.
func signalAt(c cause, ip uint64) *Signal {
	return &Signal{Signo: syscall.Signal(c.Signo), Code: c.Code, Addr: c.Addr, IP: ip}
}
