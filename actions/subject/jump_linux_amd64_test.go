package subject

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// Foreign machine code of x86-64.

var (
	retCode  = []byte{0xc3}
	loopCode = []byte{0xeb, 0xfe}
	exitCode = []byte{0xb8, 231, 0, 0, 0, 0x0f, 0x05} // mov eax, exit_group; syscall
	zeroCode = []byte{0x31, 0xc0}                     // xor eax, eax: as long as a system call
)

// nonsense are instructions to fill the stubs with: nop, trap, zeros, ret, hlt, lock.
var nonsense = [][]byte{{0x90}, {0xcc}, {0x00}, {0xc3}, {0xf4}, {0xf0}}

var foreignCode = []foreign{
	{"ret", []byte{0xc3}, func(a uint64, e Ending) bool { return e == Ending{} }},
	{"int3", []byte{0x90, 0xcc}, func(a uint64, e Ending) bool { return e == Ending{Trap: true, IP: a + 1} }},
	{"icebp", []byte{0xf1}, func(a uint64, e Ending) bool { return e.Trap }},
	{"ud2", []byte{0x0f, 0x0b}, raises(unix.SIGILL, "ILLOPN")},
	{"hlt", []byte{0xf4}, raises(unix.SIGSEGV, "KERNEL")},
	{"division by zero", []byte{0x31, 0xc9, 0xf7, 0xf1}, raises(unix.SIGFPE, "INTDIV")},
	{"trap flag: pushf; or [rsp], 0x100; popf; nop", []byte{0x9c, 0x48, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x90, 0xc3},
		func(a uint64, e Ending) bool { return e.Trap }},
	{"loop", []byte{0xeb, 0xfe}, func(a uint64, e Ending) bool { return e == Ending{TimedOut: true, IP: a} }},
	{"getpid", []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3}, tries(39, false)},
	{"kill(1, 9)", []byte{0xbf, 1, 0, 0, 0, 0xbe, 9, 0, 0, 0, 0xb8, 62, 0, 0, 0, 0x0f, 0x05, 0xc3},
		func(a uint64, e Ending) bool {
			return e.Attempt != nil && *e.Attempt == Attempt{Nr: 62, Args: [6]uint64{1, 9, 0, 0, 0, 0}}
		}},
	{"exit_group", []byte{0xb8, 231, 0, 0, 0, 0x0f, 0x05}, tries(231, false)},
	{"execve through int 0x80", []byte{0xb8, 11, 0, 0, 0, 0xcd, 0x80}, tries(11, true)},
	{"garbage in every register, direction backwards", []byte{
		0x48, 0x83, 0xcb, 0xff, 0x48, 0x83, 0xcd, 0xff, 0x49, 0x83, 0xcc, 0xff, // rbx rbp r12
		0x49, 0x83, 0xcf, 0xff, 0x48, 0x83, 0xcc, 0xff, 0xfd, 0xcc, // r15 rsp; std; int3
	}, func(a uint64, e Ending) bool { return e.Trap }},
	{"our own call, entered from outside: jmp to it", append([]byte{0x68}, append(le32(textBase+stubSyscall), 0xc3)...),
		func(a uint64, e Ending) bool { return e.Attempt != nil }},
}

func le32(x uint32) []byte { return binary.LittleEndian.AppendUint32(nil, x) }

// Code that switches to 32-bit mode is held like any other, and the process comes
// back from there.
func TestThirtyTwoBitMode(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		e := call(t, p, unix.SYS_MMAP, 0, pageSize, readWrite|unix.PROT_EXEC,
			unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_32BIT, none, 0)
		if !e.OK() {
			t.Fatal(describe(e))
		}
		a := e.Value
		enter := toThirtyTwo(uint32(a))
		for name, tt := range map[string]struct {
			code []byte
			want func(Ending) bool
		}{
			"int3":     {[]byte{0xcc}, func(e Ending) bool { return e.Trap && e.IP == a+uint64(len(enter)) }},
			"int 0x80": {[]byte{0xb8, 1, 0, 0, 0, 0xcd, 0x80}, func(e Ending) bool { return tries(1, true)(0, e) }},
			"sysenter": {[]byte{0xb8, 1, 0, 0, 0, 0x0f, 0x34}, func(e Ending) bool { return e.Attempt != nil || e.Signal != nil }},
			"ud2":      {[]byte{0x0f, 0x0b}, func(e Ending) bool { return e.Signal != nil && e.Signal.Signo == unix.SIGILL }},
		} {
			ok(t)(p.Store(a, append(enter, tt.code...)))
			if e := must(t)(p.Jump(a)); !tt.want(e) {
				t.Errorf("%s in 32-bit mode ended with %s", name, describe(e))
			}
			alive(t, p)
			ok(t)(p.Jump(textBase))
		}
	})
}
