// Package trace runs a program and stops it at its memory events: a system call about memory or
// processes, a page fault, a deadly signal.
//
//	Start ── a starter of one page ──► seized, filter put in ──► execve ──► the program
//	Next  ── lets every thread run to the next event, and stops them all
//
// Calls are told by a seccomp filter whose answer is SECCOMP_RET_TRACE, so that all others run at
// full speed (seccomp(2)); page faults by two perf events with sigtrap for each thread, after the
// page is there and before the instruction is executed again (perf_event_open(2)). A program under
// such a filter cannot be let go: without a tracer its calls answer ENOSYS. It dies with cowscope.
package trace
