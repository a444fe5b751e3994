package subject

// The stubs for x86-64. int3 is reported with the ip after it. setOperands (regs_linux_amd64.go)
// sets the operands: rdi and rsi are the address, rcx the count, rax and rdx the value or the
// stride, r11 the target of a jump.

const (
	trapSize   = 1
	trapPassed = trapSize // of a stub's end, as ptrace reports it
)

var callInstruction = []byte{0x0f, 0x05} // syscall

const (
	stubReturn     = 0x000
	stubEntry      = 0x010
	stubBack       = 0x015
	stubIdle       = 0x020
	stubSyscall    = 0x030
	stubSyscallEnd = stubSyscall + 2
	stubLoad       = 0x040
	stubStore8     = 0x050
	stubStore1     = 0x060
	stubFill       = 0x070
	stubRead       = 0x080
	stubWrite      = 0x090
	stubJump       = 0x0a0
	stubRights     = 0x0b0
	stubSetRights  = 0x0c0
)

var trapBytes = []byte{0xcc} // int3

var code = []piece{
	// `exec text` returns at once.
	{stubReturn, []byte{0xc3}}, // ret

	// The entry pushes a return address onto the stack, once, before there is any child. A ret in
	// foreign code then finds it without another write to the stack page, which would end its
	// sharing after a fork.
	{stubEntry, []byte{
		0xe8, 0x0b, 0x00, 0x00, 0x00, // call idle
	}},
	{stubBack, []byte{0xcc}}, // int3: a ret of foreign code ends here
	{stubIdle, []byte{0xcc}}, // int3: nothing to do

	{stubSyscall, []byte{
		0x0f, 0x05, // syscall
		0xcc,
	}},
	{stubLoad, []byte{
		0xf3, 0xac, // rep lodsb: al = [rsi++], rcx times
		0xcc,
	}},
	{stubStore8, []byte{
		0x48, 0x89, 0x07, // mov [rdi], rax
		0xcc,
	}},
	{stubStore1, []byte{
		0x88, 0x07, // mov [rdi], al
		0xcc,
	}},
	{stubFill, []byte{
		0xf3, 0xaa, // rep stosb: [rdi++] = al, rcx times
		0xcc,
	}},
	{stubRead, []byte{
		0x8a, 0x07, // mov al, [rdi]
		0x48, 0x01, 0xd7, // add rdi, rdx
		0x48, 0xff, 0xc9, // dec rcx
		0x75, 0xf6, // jnz to the mov
		0xcc,
	}},
	// A locked read-modify-write requires write access from the start: one fault, for a write, and
	// the byte keeps its value.
	{stubWrite, []byte{
		0xf0, 0x80, 0x0f, 0x00, // lock or byte [rdi], 0
		0x48, 0x01, 0xd7, // add rdi, rdx
		0x48, 0xff, 0xc9, // dec rcx
		0x75, 0xf4, // jnz to the or
		0xcc,
	}},
	{stubJump, []byte{
		0x41, 0xff, 0xe3, // jmp r11
		0xcc,
	}},
	{stubRights, []byte{
		0x0f, 0x01, 0xee, // rdpkru: eax = PKRU, edx = 0; ecx must be 0
		0xcc,
	}},
	{stubSetRights, []byte{
		0x0f, 0x01, 0xef, // wrpkru: PKRU = eax; ecx and edx must be 0
		0xcc,
	}},
}

// at describes a stub of n bytes whose first instruction is the one that may fault.
func at(offset, n uint64) *stub {
	start := textBase + offset
	return &stub{start: start, end: start + n + trapSize, faultLo: start, faultHi: start}
}

var (
	idleStub   = &stub{start: textBase + stubIdle, end: textBase + stubIdle + trapSize}
	loadStub   = at(stubLoad, 2)
	store8Stub = at(stubStore8, 3)
	store1Stub = at(stubStore1, 2)
	fillStub   = at(stubFill, 2)
	readStub   = at(stubRead, 10)
	writeStub  = at(stubWrite, 12)

	rightsStub    = at(stubRights, 3)
	setRightsStub = at(stubSetRights, 3)

	// The system call is one step: it ends after the instruction, not at the trap.
	syscallStub = &stub{start: textBase + stubSyscall, end: textBase + stubSyscallEnd}
	// The jump ends where a ret in foreign code ends.
	jumpStub = &stub{start: textBase + stubJump, end: textBase + stubBack + trapSize}
)
