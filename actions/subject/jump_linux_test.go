//go:build amd64 || arm64

package subject

import (
	"syscall"
	"testing"
	"time"

	"cowscope/actions/ptrace"
)

// Foreign machine code, as a user may write it. The code itself is in a table for each
// architecture.

// foreign is machine code, and how a jump to it ends.
type foreign struct {
	name string
	code []byte
	want func(a uint64, e Ending) bool
}

func TestForeignCode(t *testing.T) {
	for _, tt := range foreignCode {
		t.Run(tt.name, func(t *testing.T) {
			inSubject(t, Config{JumpDeadline: time.Minute}, func(p *Process) {
				probe := machine(t, p, trapBytes...)
				look := func() ptrace.Registers {
					t.Helper()
					if e := ok(t)(p.Jump(probe)); !e.Trap {
						t.Fatal(describe(e))
					}
					return p.tracer.regs
				}
				before := look()
				a := machine(t, p, tt.code...)
				if tt.name == "loop" {
					p.cfg.JumpDeadline = 20 * time.Millisecond
				}
				e := must(t)(p.Jump(a))
				p.cfg.JumpDeadline = time.Minute
				if !tt.want(a, e) {
					t.Errorf("at %#x it ended with %s", a, describe(e))
				}
				if after := look(); after != before {
					t.Errorf("registers afterwards:\n%+v\nbefore:\n%+v", after, before)
				}
				ok(t)(p.Fill(a, 64, 0)) // runs backwards if the direction flag stayed
				alive(t, p)
			})
		})
	}
}

func raises(signo syscall.Signal, code string) func(uint64, Ending) bool {
	return func(a uint64, e Ending) bool {
		return e.Signal != nil && e.Signal.Signo == signo && e.Signal.CodeName() == code && e.Signal.IP >= a && e.Signal.IP < a+16
	}
}

func tries(nr uint64, compat bool) func(uint64, Ending) bool {
	return func(_ uint64, e Ending) bool {
		return e.Attempt != nil && e.Attempt.Nr == nr && e.Attempt.Compat == compat
	}
}

// Returning from foreign code works again and again, in the child too, and
// nobody writes to the stack for it.
func TestReturnLeavesTheStackShared(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		a := machine(t, p, retCode...)
		child, _, err := p.Fork()
		if err != nil {
			t.Fatal(err)
		}
		before := minorFaults(t, child)
		for range 3 {
			for _, who := range []*Process{p, child} {
				if e := ok(t)(who.Jump(a)); e != (Ending{}) {
					t.Fatal(describe(e))
				}
			}
		}
		if after := minorFaults(t, child); after != before {
			t.Errorf("%d faults in the child", after-before)
		}
	})
}

func TestJumpIntoText(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		ok(t)(p.Jump(textBase))
		if e := ok(t)(p.Jump(textBase + 0x700)); !e.Trap || e.IP != textBase+0x700 {
			t.Error(describe(e))
		}
		if e := must(t)(p.Jump(textBase + stubSyscall)); e.Attempt == nil {
			t.Error(describe(e))
		}
	})
}
