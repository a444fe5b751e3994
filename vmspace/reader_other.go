//go:build !linux

package vmspace

import "errors"

// ErrNotLinux is what every reader answers where there is no Linux /proc to read.
var ErrNotLinux = errors.New("reading an address space needs Linux: there is no /proc/PID/pagemap here")

// Reader reads address spaces; here there are none that it can read.
type Reader struct{}

// NewReader fails with ErrNotLinux.
func NewReader(Options) (*Reader, error) { return nil, ErrNotLinux }

// Read fails with ErrNotLinux.
func (*Reader) Read([]Member) (*Snapshot, error) { return nil, ErrNotLinux }

// ReadUnless fails with ErrNotLinux.
func (*Reader) ReadUnless(func() bool, []Member) (*Snapshot, error) { return nil, ErrNotLinux }

// Update fails with ErrNotLinux.
func (*Reader) Update([]Member, []Touched) (*Snapshot, error) { return nil, ErrNotLinux }

// Glance fails with ErrNotLinux.
func (*Reader) Glance([]Member, Glance) (*Snapshot, error) { return nil, ErrNotLinux }

// Stream fails with ErrNotLinux.
func (*Reader) Stream(Member, Sink) error { return ErrNotLinux }

// Peek fails with ErrNotLinux.
func (*Reader) Peek(int, uint64, []byte) ([]bool, error) { return nil, ErrNotLinux }

// Cost is nothing.
func (*Reader) Cost() Cost { return Cost{} }

// Features has nothing to list.
func (*Reader) Features() Features { return Features{} }

// Stop does nothing.
func (*Reader) Stop() {}

// Close does nothing.
func (*Reader) Close() error { return nil }
