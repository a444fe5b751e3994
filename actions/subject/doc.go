// Package subject is the process that cowscope experiments on, and the only
// code of the project that knows ptrace.
//
// The subject is not a Go program. It is an ELF file of one page, written byte
// by byte into memory that has no name, and it never runs on its own: it stands
// at a trap, is given registers, runs one stub to the next trap, and stands
// again.
//
//	cowscope                                     the subject
//	┌──────────────────────────┐                 ┌───────────────────────────┐
//	│ any goroutine            │                 │ text    r-xp   the stubs  │
//	│   tracer.Do(func() {     │                 │  ┌─────────────────────┐  │
//	│     p.Syscall(…)      ───┼── SETREGS ──────┼─▶│ syscall ; trap      │  │
//	│     p.Store(…)           │   run           │  │ load    ; trap      │  │
//	│     p.Fork()             │   wait4(pid)  ◀─┼──│ store   ; trap      │  │
//	│   })                     │   GETREGS       │  │ jump                │  │
//	│ one locked thread        │                 │  └─────────────────────┘  │
//	└──────────────────────────┘                 │ vvar vdso stack           │
//	                                             └───────────────────────────┘
//
// A Tracer owns one operating system thread, because the kernel ties a tracee
// to the thread that started it. Every method of Tracer (but Do and Close) and
// of Process is called inside Do; a Do may hold any number of calls, and costs
// one handoff between threads.
//
// Three kinds of ending are kept apart. An Ending is what the kernel or the CPU
// answered: a value, an errno, a signal, a deadline. An *ExitedError says that
// the process is gone, whoever ended it. Any other error means that cowscope
// itself failed, or (ErrStubs) that the user took the stubs away.
//
// What the stubs cannot do: everything except the system call itself runs
// under PTRACE_SYSEMU, and the system call is a single step of one instruction,
// which is made only where that instruction still stands. Behind both is a
// seccomp filter (confine_linux.go). Whatever machine code a user writes, into a
// page of his own or over the stubs, it cannot make a system call that was not
// asked for.
package subject
