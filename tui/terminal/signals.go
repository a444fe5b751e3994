package terminal

import (
	"context"
	"os"
	"os/signal"
	"syscall"
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

// Until is a context that one of the signals cancels, with a SignalError as its cause. A second one
// has its default effect.
func Until(signals ...os.Signal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 1)
	Notify(c, signals...)
	go func() {
		defer signal.Stop(c)
		select {
		case s := <-c:
			cancel(SignalError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// Interruptible is a context for work without a screen.
func Interruptible() (context.Context, func()) {
	return Until(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}
