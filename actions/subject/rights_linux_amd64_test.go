package subject

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hasKeys says whether the kernel uses the CPU's protection keys. The CPU says so, in a flag that
// the kernel sets (OSPKE), not the code under test.
func hasKeys(t *testing.T) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), " ospke")
}

func rightsOf(t *testing.T, p *Process) uint32 {
	t.Helper()
	v, e, err := p.Rights()
	ok(t)(e, err)
	return v
}

// PKRU is the process's own: it reads what it wrote, the CPU obeys it, a child begins with a copy.
func TestRights(t *testing.T) {
	if !hasKeys(t) {
		t.Skip("needs a CPU with protection keys (ospke in /proc/cpuinfo)")
	}
	inSubject(t, Config{}, func(p *Process) {
		for _, v := range []uint32{0, 0xfffffffc, 0x55555554, 0xc, 8} {
			ok(t)(p.SetRights(v))
			if got := rightsOf(t, p); got != v {
				t.Errorf("PKRU is %#x, want %#x", got, v)
			}
			alive(t, p)
		}
		a := mmap(t, p, 1, readWrite)
		key := call(t, p, unix.SYS_PKEY_ALLOC, 0, 0).Value
		if e := call(t, p, unix.SYS_PKEY_MPROTECT, a, pageSize, readWrite, key); !e.OK() || key == 0 || key > 15 {
			t.Fatalf("key %d: %s", key, describe(e))
		}
		ok(t)(p.Store(a, []byte{1}))
		ok(t)(p.SetRights(2 << (2 * key)))
		ok(t)(p.Load(a, 1))
		wantSignal(t, must(t)(p.Store(a, []byte{2})), unix.SIGSEGV, "PKUERR", a)
		child, e, err := p.Fork()
		ok(t)(e, err)
		ok(t)(p.SetRights(1 << (2 * key)))
		wantSignal(t, must(t)(p.Load(a, 1)), unix.SIGSEGV, "PKUERR", a)
		if got := rightsOf(t, child); got != 2<<(2*key) {
			t.Errorf("the child's PKRU is %#x", got)
		}
		ok(t)(child.Load(a, 1))
	})
}

// Nothing that the package does by itself goes through the process's rights: without any it still
// works.
func TestRightsToNothing(t *testing.T) {
	if !hasKeys(t) {
		t.Skip("needs a CPU with protection keys (ospke in /proc/cpuinfo)")
	}
	inSubject(t, Config{}, func(p *Process) {
		a, code := mmap(t, p, 1, readWrite), machine(t, p, 0xcc)
		ok(t)(p.SetRights(1<<32 - 1))
		wantSignal(t, must(t)(p.Load(a, 1)), unix.SIGSEGV, "PKUERR", a)
		wantSignal(t, must(t)(p.Store(a, []byte{1})), unix.SIGSEGV, "PKUERR", a)
		wantSignal(t, must(t)(p.Touch(a, 1, pageSize, true)), unix.SIGSEGV, "PKUERR", a)
		wantSignal(t, must(t)(p.Fill(a, 8, 1)), unix.SIGSEGV, "PKUERR", a)
		if e := must(t)(p.Jump(code)); !e.Trap {
			t.Errorf("the jump ended with %s", describe(e))
		}
		child, e, err := p.Fork()
		ok(t)(e, err)
		alive(t, child)
		if got := rightsOf(t, child); got != 1<<32-1 {
			t.Errorf("the child's PKRU is %#x", got)
		}
		ok(t)(p.SetRights(0))
		ok(t)(p.Load(a, 1))
	})
}

// Foreign code has the same instruction.
func TestRightsOfForeignCode(t *testing.T) {
	if !hasKeys(t) {
		t.Skip("needs a CPU with protection keys (ospke in /proc/cpuinfo)")
	}
	inSubject(t, Config{}, func(p *Process) {
		// xor ecx, ecx; xor edx, edx; mov eax, 0xfffffff0; wrpkru; ret
		ok(t)(p.Jump(machine(t, p, 0x31, 0xc9, 0x31, 0xd2, 0xb8, 0xf0, 0xff, 0xff, 0xff, 0x0f, 0x01, 0xef, 0xc3)))
		if got := rightsOf(t, p); got != 0xfffffff0 {
			t.Errorf("PKRU is %#x", got)
		}
	})
}

// Without keys the instruction is none.
func TestRightsWithoutKeys(t *testing.T) {
	if hasKeys(t) {
		t.Skip("needs a CPU without protection keys")
	}
	inSubject(t, Config{}, func(p *Process) {
		_, e, err := p.Rights()
		wantSignal(t, must(t)(e, err), unix.SIGILL, "ILLOPN", textBase+stubRights)
		wantSignal(t, must(t)(p.SetRights(0)), unix.SIGILL, "ILLOPN", textBase+stubSetRights)
		alive(t, p)
	})
}

// The stubs for PKRU can be taken away as the others can.
func TestRightsStubsTakenAway(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		poke(t, p, textBase+stubRights, []byte{0x90, 0x90, 0x90, 0x90, 0xcc})
		_, _, err := p.Rights()
		wantGone(t, "rights", err)
		alive(t, p)
	})
}
