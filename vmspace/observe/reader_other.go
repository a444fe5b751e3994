//go:build !linux

package observe

import (
	"context"
	"errors"

	"cowscope/vmspace"
)

// ErrNotLinux is what every reader answers where there is no Linux /proc to read.
var ErrNotLinux = errors.New("reading an address space needs Linux: there is no /proc/PID/pagemap here")

// Reader reads address spaces; here there are none that it can read.
type Reader struct{}

// NewReader fails with ErrNotLinux.
func NewReader(Options) (*Reader, error) { return nil, ErrNotLinux }

// Observe fails with ErrNotLinux.
func (*Reader) Observe(context.Context, []vmspace.Member, Scope) (*vmspace.Snapshot, error) {
	return nil, ErrNotLinux
}

// Stream fails with ErrNotLinux.
func (*Reader) Stream(context.Context, vmspace.Member, vmspace.Sink) error { return ErrNotLinux }

// Peek fails with ErrNotLinux.
func (*Reader) Peek(int, uint64, []byte) ([]bool, error) { return nil, ErrNotLinux }

// Cost is nothing.
func (*Reader) Cost() Cost { return Cost{} }

// Features has nothing to list.
func (*Reader) Features() Features { return Features{} }

// Close does nothing.
func (*Reader) Close() error { return nil }
