package subject

import "encoding/binary"

// The stubs for arm64. brk is reported with the ip at it. setOperands (regs_linux_arm64.go) sets
// the operands: x0 is the address, x1 the count, x2 the value, the stride or the target.
//
// Only instructions of the base architecture are used: a Raspberry Pi 4 has no LSE atomics. The
// write of a touch is therefore an exclusive load and store, which may count as two faults on an
// untouched page, first a read, then a write (an LSE atomic would too: the CPU reports it as a read
// if a read would fault).

const (
	stubReturn     = 0x000
	stubEntry      = 0x010
	stubBack       = 0x014
	stubIdle       = 0x020
	stubSyscall    = 0x030
	stubSyscallEnd = stubSyscall + 4
	stubLoad       = 0x040
	stubStore8     = 0x060
	stubStore1     = 0x070
	stubFill       = 0x080
	stubRead       = 0x0a0
	stubWrite      = 0x0c0
	stubJump       = 0x0e0
)

const brk = 0xd4200000 // brk #0

var trapBytes = words(brk)

const trapPassed = 0 // of a stub's end, as ptrace reports it

var callInstruction = words(0xd4000001) // svc #0

var code = []piece{
	{stubReturn, words(0xd65f03c0)}, // ret: `exec text` returns at once

	// Nothing to prepare: the return address is in x30 and is set for each run.
	{stubEntry, words(0x14000004)}, // b idle
	{stubBack, words(brk)},         // a ret of foreign code ends here
	{stubIdle, words(brk)},         // nothing to do

	{stubSyscall, words(
		0xd4000001, // svc #0
		brk,
	)},
	{stubLoad, words(
		0x39400003, // ldrb w3, [x0]
		0x91000400, // add  x0, x0, #1
		0xf1000421, // subs x1, x1, #1
		0x54ffffa1, // b.ne to the ldrb
		brk,
	)},
	{stubStore8, words(
		0xf9000002, // str x2, [x0]
		brk,
	)},
	{stubStore1, words(
		0x39000002, // strb w2, [x0]
		brk,
	)},
	{stubFill, words(
		0x39000002, // strb w2, [x0]
		0x91000400, // add  x0, x0, #1
		0xf1000421, // subs x1, x1, #1
		0x54ffffa1, // b.ne to the strb
		brk,
	)},
	{stubRead, words(
		0x39400003, // ldrb w3, [x0]
		0x8b020000, // add  x0, x0, x2
		0xf1000421, // subs x1, x1, #1
		0x54ffffa1, // b.ne to the ldrb
		brk,
	)},
	{stubWrite, words(
		0x085f7c03, // ldxrb w3, [x0]
		0x08047c03, // stxrb w4, w3, [x0]
		0x35ffffc4, // cbnz  w4 to the ldxrb
		0x8b020000, // add   x0, x0, x2
		0xf1000421, // subs  x1, x1, #1
		0x54ffff61, // b.ne  to the ldxrb
		brk,
	)},
	{stubJump, words(
		0xd61f0040, // br x2
		brk,
	)},
}

func words(w ...uint32) []byte {
	var b []byte
	for _, x := range w {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// at describes a stub of n instructions before its trap, of which the first
// faulting ones may fault.
func at(offset, n, faulting uint64) *stub {
	start := textBase + offset
	return &stub{start: start, end: start + 4*n, faultLo: start, faultHi: start + 4*(faulting-1)}
}

var (
	idleStub   = &stub{start: textBase + stubIdle, end: textBase + stubIdle}
	loadStub   = at(stubLoad, 4, 1)
	store8Stub = at(stubStore8, 1, 1)
	store1Stub = at(stubStore1, 1, 1)
	fillStub   = at(stubFill, 4, 1)
	readStub   = at(stubRead, 4, 1)
	writeStub  = at(stubWrite, 6, 2)

	// On a processor with FEAT_S1POE the rights to protection keys are in POR_EL0, which this
	// package does not set.
	rightsStub, setRightsStub *stub

	// The system call is one step: it ends after the instruction.
	syscallStub = &stub{start: textBase + stubSyscall, end: textBase + stubSyscallEnd}
	// The jump ends where a ret in foreign code ends.
	jumpStub = &stub{start: textBase + stubJump, end: textBase + stubBack}
)
