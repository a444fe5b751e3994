// Package borrow tells which pages a living process writes to, exactly, by a userfaultfd of its own
// that it lends.
//
//	cowscope                               the process
//	PTRACE_SEIZE, PTRACE_INTERRUPT   ──►   stops
//	                                       userfaultfd(2), at a system call instruction of the vdso
//	pidfd_getfd(2)                   ◄──   the descriptor
//	                                       close(2)
//	PTRACE_DETACH                    ──►   goes on, with all registers as before
//
// From then on nothing is stopped. The descriptor belongs to the memory of the process, wherever it
// is held: mappings are registered with it for asynchronous write protection, and PAGEMAP_SCAN
// protects pages and tells which of them lost the protection by a write (userfaultfd(2),
// Documentation/admin-guide/mm/userfaultfd.rst and pagemap.rst).
//
// # What the process notices
//
// One thread, the first, stops once, for less than a millisecond. Calls that it sleeps in go on as
// after a stop signal (signal(7)); of those that would end with EINTR, epoll_wait(2) and its kind
// are called again, with their whole timeout. Later each first write to a protected page takes a
// fault of about 0.7 µs. Registered mappings do not merge with new neighbours, a huge page is split
// when it is written to, and khugepaged makes no new one there. All of this ends when the
// descriptor is closed, at the latest with cowscope.
//
// Children are not covered, and run as before.
//
// If cowscope is killed while the thread is stopped, the kernel lets it go on as it is. Between the
// two calls its registers are its own. During a call, which takes some ten microseconds, they are
// not: killed just then, cowscope would leave the thread behind the vdso's instruction.
package borrow

import "errors"

// ErrUnsupported is the error of all on other systems.
var ErrUnsupported = errors.New("borrowing a userfaultfd needs Linux on amd64 or arm64")
