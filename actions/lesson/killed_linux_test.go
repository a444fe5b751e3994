package lesson

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// killed kills a process from outside and waits until it is dead.
func killed(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10000)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
}

// The subject killed from outside is told, by the poll or by the next command, and the step can be
// begun again.
func TestKilled(t *testing.T) {
	for _, notice := range []string{"poll", "run", "do"} {
		r := read(t, story)
		r.do("next next run")
		if st, err := r.Poll(context.Background()); st != nil || err != nil {
			t.Fatal(st, err)
		}
		killed(t, last(r.Session()).PID)
		status := "done pending pending"
		switch notice {
		case "poll":
			st, err := r.Poll(context.Background())
			if err != nil || st == nil {
				t.Fatal(st, err)
			}
		case "run":
			r.do("1 run")
			status = "done failed pending"
		case "do":
			r.do(`"read a"`)
		}
		s := r.State()
		if !s.Lost || !s.Message.Restart {
			t.Errorf("%s: %+v", notice, s)
		}
		r.shows("2/2:"+next(strings.Fields(status)), status, "restart of the step")
		r.do("run")
		r.shows("2/2:"+next(strings.Fields(status)), status, "restart of the step")
		r.do("again run 1 run 2 run")
		if s := r.State(); s.Lost || s.Next >= 0 {
			t.Errorf("%s: %+v", notice, s)
		}
	}
}
