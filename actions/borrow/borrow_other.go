//go:build !linux || !(amd64 || arm64)

package borrow

import (
	"time"

	"cowscope/vmspace"
)

// Writes exists here only so that callers compile.
type Writes struct{}

// Take fails with ErrUnsupported.
func Take(int) (*Writes, error) { return nil, ErrUnsupported }

// Stopped is 0.
func (w *Writes) Stopped() time.Duration { return 0 }

// Cover fails with ErrUnsupported.
func (w *Writes) Cover(vmspace.List[vmspace.Mapping]) error { return ErrUnsupported }

// Restart fails with ErrUnsupported.
func (w *Writes) Restart(vmspace.List[vmspace.Mapping]) error { return ErrUnsupported }

// Covered is empty.
func (w *Writes) Covered() []vmspace.Range { return nil }

// Refused is 0.
func (w *Writes) Refused() int { return 0 }

// Written fails with ErrUnsupported.
func (w *Writes) Written() ([]vmspace.Range, error) { return nil, ErrUnsupported }

// Close does nothing.
func (w *Writes) Close() error { return nil }
