package terminal

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Interruptible is a context for work without a screen: a signal cancels it with a SignalError as
// its cause. A second signal has its default effect.
func Interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			cancel(SignalError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
