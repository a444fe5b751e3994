package terminal

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Notify has c told of those of the signals that were not ignored when the program was started: what
// nohup(1) starts goes on after a SIGHUP, and what a shell starts in the background after a SIGINT.
func Notify(c chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// Until is a context that one of the signals cancels, with a SignalError as its cause. Who waits for
// somebody to read what it writes need not wait for long after that. A second signal has its default
// effect, but for SIGPIPE, which comes with every write until nobody writes any more.
func Until(signals ...os.Signal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	c, pipe, done := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan struct{})
	Notify(c, signals...)
	if slices.Contains(signals, os.Signal(syscall.SIGPIPE)) {
		signal.Notify(pipe, syscall.SIGPIPE)
	}
	go func() {
		var s os.Signal
		select {
		case s = <-c:
		case <-done:
		}
		signal.Stop(c)
		if s == nil {
			return
		}
		cancel(SignalError{s.(syscall.Signal)})
		for { // until the program has said its last words, and has ended
			time.Sleep(endPatience)
			unheard()
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(pipe)
		close(done)
		cancel(nil)
	})
}

// Interruptible is a context for work without a screen.
func Interruptible() (context.Context, func()) {
	return Until(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}
