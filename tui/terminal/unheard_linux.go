package terminal

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// unheard has writes to standard output and error that nobody reads come to their end: what is written
// there from now on is lost. A write that waits is begun again after a signal that has a handler
// (SA_RESTART in signal(7)), and then finds the null device there.
func unheard() {
	null, err := unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(null)
	for fd, f := range map[int]*os.File{unix.Stdout: os.Stdout, unix.Stderr: os.Stderr} {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0); err == nil && n == 0 {
			_ = unix.Dup3(null, fd, 0)
			_ = f.SetWriteDeadline(time.Now()) // of a file that does not block, Go waits by epoll(7)
		}
	}
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Tgkill(os.Getpid(), tid, unix.SIGURG) // which Go has a handler for, and takes for one of its own
		}
	}
}
