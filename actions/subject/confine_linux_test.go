//go:build amd64 || arm64

package subject

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cowscope/actions/ptrace"

	"golang.org/x/sys/unix"
)

// Each way into the kernel, tried with one wall taken away: the filter alone holds what is let
// loose, and the check of the instruction alone holds what would be stepped over. The call that is
// tried deletes a file that may be deleted.

// A way is machine code that enters the kernel, written over the instruction of the system call.
type way struct {
	name string
	code []byte
	// operands sets the registers so that the call unlinks the path at this address, whose number
	// is below 1<<32.
	operands func(r *ptrace.Registers, path uint64)
}

// requests are the ways of letting a process run. Only the first is ever used over the instruction
// of the system call; the second is used nowhere.
var requests = []struct {
	name    string
	request int
}{{"a single step", runStep}, {"let loose", unix.PTRACE_CONT}}

const low = 0x10000 // vm.mmap_min_addr as it is everywhere: within reach of 32-bit registers

func TestFilterHoldsWhatIsLetLoose(t *testing.T) {
	for _, w := range ways {
		for _, how := range requests {
			t.Run(w.name+"/"+how.name, func(t *testing.T) {
				victim := filepath.Join(t.TempDir(), "victim")
				if err := os.WriteFile(victim, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				inSubject(t, Config{}, func(p *Process) {
					path := call(t, p, unix.SYS_MMAP, low, pageSize, readWrite, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE, none, 0).Value
					if path != low {
						t.Fatalf("mmap gave %#x", path)
					}
					ok(t)(p.Store(path, []byte(victim+"\x00")))
					poke(t, p, textBase+stubSyscall, w.code)
					r := p.fresh()
					w.operands(r, path)
					setIP(r, syscallStub.start)
					if e := ptrace.SetRegisters(p.pid, r); e != 0 {
						t.Fatal(e)
					}
					p.tracer.watch.begin(p, 100*time.Millisecond)
					// Some ways take several steps. What each of them ends with does not matter.
					for range 8 {
						if _, _, err := p.await(syscallStub, how.request); err != nil {
							break
						}
					}
					p.tracer.watch.end()
				})
				if _, err := os.Stat(victim); err != nil {
					t.Error("the file is gone:", err)
				}
			})
		}
	}
}

// No way is stepped over: the bytes are not ours.
func TestForeignInstructionIsNotStepped(t *testing.T) {
	ours := text("", nil)[stubSyscall:stubSyscallEnd]
	for _, w := range ways {
		if bytes.HasPrefix(w.code, ours) { // the same instruction in the same place, with a call that is not on the list
			continue
		}
		inSubject(t, Config{}, func(p *Process) {
			poke(t, p, textBase+stubSyscall, w.code)
			before := faults(p)
			if _, err := p.Syscall(unix.SYS_GETPID); !errors.Is(err, ErrStubs) {
				t.Errorf("%s: %v, want ErrStubs", w.name, err)
			}
			if after := faults(p); after != before {
				t.Errorf("%s: the process ran", w.name)
			}
		})
	}
}

// faults are a trace of having run: the poked page is fetched anew.
func faults(p *Process) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.Join(strings.Fields(rest)[7:9], " ")
}

// What is not on the list is refused, and told; what is on it is made, in children too.
func TestFilter(t *testing.T) {
	inSubject(t, Config{}, func(p *Process) {
		for _, p := range []*Process{p, fork(t, p)} {
			for _, nr := range []uintptr{unlisted, unix.SYS_SOCKET, unix.SYS_EXECVE, unix.SYS_PTRACE, unix.SYS_SECCOMP, unix.SYS_PRCTL, 0x40000000 | unix.SYS_GETPID} {
				_, err := p.Syscall(nr)
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("without system call %d on its list", nr)) {
					t.Errorf("call %d: %v", nr, err)
				}
			}
			alive(t, p)
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
			if err != nil {
				t.Fatal(err)
			}
			if field(string(status), "Seccomp") != "2" || field(string(status), "NoNewPrivs") != "1" {
				t.Error("the process has no filter of its own")
			}
			// Vulnerable and mitigated alike are what they are without a filter.
			if ours, _ := os.ReadFile("/proc/self/status"); field(string(ours), "Speculation_Store_Bypass") != field(string(status), "Speculation_Store_Bypass") {
				t.Error("the filter has changed the mitigation of Speculative Store Bypass")
			}
		}
	})
}

// Of a call whose first arguments are listed no other is made, in children either. prctl takes an
// int, and the filter looks at no more of it.
func TestFirstArguments(t *testing.T) {
	inTracer(t, func(tr *Tracer) {
		p, err := tr.Start(Config{Calls: []uintptr{unix.SYS_GETPID, unix.SYS_PRCTL},
			First: map[uintptr][]uint32{unix.SYS_PRCTL: {unix.PR_GET_DUMPABLE, unix.PR_GET_THP_DISABLE}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*Process{p, fork(t, p)} {
			for _, option := range []uint64{unix.PR_GET_DUMPABLE, unix.PR_GET_THP_DISABLE, 1<<32 | unix.PR_GET_DUMPABLE} {
				if e := must(t)(p.Syscall(unix.SYS_PRCTL, option, 0, 0, 0, 0)); e.Errno != 0 {
					t.Errorf("prctl %#x: %s", option, describe(e))
				}
			}
			for _, option := range []uint64{unix.PR_SET_DUMPABLE, unix.PR_GET_PDEATHSIG, 0, ^uint64(0), unix.PR_GET_DUMPABLE << 32} {
				if _, err := p.Syscall(unix.SYS_PRCTL, option, 0, 0, 0, 0); err == nil || !strings.Contains(err.Error(), "without system call") {
					t.Errorf("prctl %#x: %v", option, err)
				}
			}
			alive(t, p)
		}
	})
}

func TestTooManyCalls(t *testing.T) {
	const maxCalls = maxInstructions - 12 // one for each, beside those that look around and end
	many := make([]uintptr, maxCalls+1)
	for i := range many {
		many[i] = uintptr(1000 + i)
	}
	inTracer(t, func(tr *Tracer) {
		if _, err := tr.Start(Config{Calls: many}); err == nil || !strings.Contains(err.Error(), "do not fit") {
			t.Error(err)
		}
		p := start(t, tr, Config{})
		alive(t, p)
	})
	fits := maxCalls - len(ownCalls)
	inTracer(t, func(tr *Tracer) {
		p, err := tr.Start(Config{Calls: many[:fits]})
		if err != nil {
			t.Fatal(err)
		}
		for _, nr := range []uintptr{many[0], many[fits-1]} {
			if e := must(t)(p.Syscall(nr)); e.Errno != unix.ENOSYS {
				t.Errorf("call %d: %s", nr, describe(e))
			}
		}
	})
}

// The emulated page of old C libraries (arch/x86/entry/vsyscall) makes its calls inside a page
// fault, where PTRACE_SYSEMU does not see them. The filter does.
func TestVsyscall(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("needs amd64: only x86 has a vsyscall page")
	}
	inSubject(t, Config{}, func(p *Process) {
		if !strings.Contains(maps(t, p), "[vsyscall]") {
			t.Skip("needs vsyscall: this kernel has none")
		}
		for i, nr := range []uint64{96, 201, 309} { // gettimeofday, time, getcpu
			e := must(t)(p.Jump(0xffffffffff600000 + uint64(i)*0x400))
			if e.Attempt == nil || e.Attempt.Nr != nr || e.Attempt.Compat {
				t.Errorf("call %d: %s", nr, describe(e))
			}
		}
		alive(t, p)
	})
}
