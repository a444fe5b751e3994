// Package ptrace makes the requests of ptrace(2), and knows the structures in which the kernel
// answers them. It is for amd64 and arm64.
//
// None of the requests blocks, because the thread that they are about is stopped. So they bypass the
// Go scheduler (RawSyscall). All those for one thread have to come from the thread that attached to
// it.
package ptrace
