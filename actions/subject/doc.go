// Package subject is the process that cowscope experiments on. It is the only package that uses
// ptrace.
//
// The subject is not a Go program. It is an ELF file of one page, written byte by byte into a
// nameless file, and it never runs by itself: it is stopped at a trap, gets its registers set, runs
// one stub to the next trap, and is stopped again.
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
// A Tracer owns one operating system thread, because the kernel ties a tracee to the thread that
// started it. Every method of Tracer (except Do and Close) and of Process is called inside Do; a Do
// may contain any number of calls, and costs one handoff between threads.
//
// Three kinds of results are kept apart. An Ending is the answer of the kernel or the CPU: a value,
// an errno, a signal, a deadline. An *ExitedError says that the process is gone, whatever ended it.
// Any other error means that cowscope itself failed, or (ErrStubs) that the stubs are no longer
// usable.
//
// The stubs are confined: everything except the system call itself runs under PTRACE_SYSEMU, and
// the system call is a single step over one instruction, made only if that instruction is intact.
// Behind both is a seccomp filter (confine_linux.go). Whatever machine code a user writes, into
// another page or over the stubs, it cannot make a system call that was not requested.
package subject
