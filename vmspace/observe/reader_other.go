//go:build !linux

package observe

import (
	"context"
	"errors"
	"time"

	"cowscope/vmspace"
)

// ErrNotLinux is the error of every reader on a system without a Linux /proc.
var ErrNotLinux = errors.New("reading an address space needs Linux: there is no /proc/PID/pagemap here")

// Reader reads address spaces; on this system it cannot.
type Reader struct{}

// NewReader fails with ErrNotLinux.
func NewReader(Options) (*Reader, error) { return nil, ErrNotLinux }

// Observe fails with ErrNotLinux.
func (*Reader) Observe(context.Context, []vmspace.Member, Scope) (*vmspace.Snapshot, error) {
	return nil, ErrNotLinux
}

// Stream fails with ErrNotLinux.
func (*Reader) Stream(context.Context, vmspace.Member, vmspace.Sink) error { return ErrNotLinux }

// Forget does nothing.
func (*Reader) Forget(int) {}

// Peek fails with ErrNotLinux.
func (*Reader) Peek(int, uint64, []byte) ([]bool, error) { return nil, ErrNotLinux }

// Cost is zero.
func (*Reader) Cost() Cost { return Cost{} }

// Features is empty.
func (*Reader) Features() Features { return Features{} }

// Close does nothing.
func (*Reader) Close() error { return nil }

// Life is a hold on a process; here there is none.
type Life struct{}

// HoldLife fails with ErrNotLinux.
func HoldLife(int) (*Life, error) { return nil, ErrNotLinux }

// Close does nothing.
func (*Life) Close() error { return nil }

// Ending is not known.
func (*Life) Ending() (e Ending, known bool) { return e, false }

// CPUTime is not known.
func CPUTime() time.Duration { return 0 }
