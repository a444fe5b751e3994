// Package inject has a stopped thread of a process make a system call, and puts back what it goes on
// with. Who stops the thread, and follows it to the end of the call, is the caller.
package inject
