//go:build !linux

package fault

import "time"

// Rings are the rings of the CPUs; on this system there are none.
type Rings struct{}

// Open fails with ErrNotLinux.
func Open(func() []int) (*Rings, error) { return nil, ErrNotLinux }

// Kernel is false.
func (*Rings) Kernel() bool { return false }

// Wait does nothing.
func (*Rings) Wait(time.Duration) error { return nil }

// Drain gives nothing.
func (*Rings) Drain([]Event) ([]Event, uint64) { return nil, 0 }

// Close does nothing.
func (*Rings) Close() error { return nil }
