//go:build !linux || !(amd64 || arm64)

package trace

import (
	"context"
	"os"

	"cowscope/actions/subject"
)

// Config says what is run, and how.
type Config struct {
	Path     string
	Args     []string
	Env      []string
	Dir      string
	Files    []*os.File
	Terminal bool
	PID      int
}

// Program is a program that is run: here there is none.
type Program struct{}

// Start fails with ErrNotLinux.
func Start(Config) (*Program, error) { return nil, ErrNotLinux }

// PID is 0.
func (p *Program) PID() int { return 0 }

// Faultless is ErrNotLinux.
func (p *Program) Faultless() error { return ErrNotLinux }

// Next fails with ErrNotLinux.
func (p *Program) Next(context.Context) (Event, error) { return Event{}, ErrNotLinux }

// Pending is nothing.
func (p *Program) Pending() []Event { return nil }

// Where has nothing to give.
func (p *Program) Where() (Event, bool) { return Event{}, false }

// Break fails with ErrNotLinux.
func (p *Program) Break([]Breakpoint) error { return ErrNotLinux }

// Actor acts for a process: here there is none.
type Actor struct{ *subject.Process }

// Fork fails with ErrNotLinux.
func (a *Actor) Fork() (*Actor, subject.Ending, error) { return nil, subject.Ending{}, ErrNotLinux }

// Act fails with ErrNotLinux.
func (p *Program) Act(func(actor func(pid, tid int) *Actor) error) error { return ErrNotLinux }

// Held is a program that is stopped before its first instruction: here there is none.
type Held struct{}

// Hold fails with ErrNotLinux.
func Hold(Config) (*Held, error) { return nil, ErrNotLinux }

// PID is 0.
func (h *Held) PID() int { return 0 }

// LetGo does nothing.
func (h *Held) LetGo() {}

// Close does nothing.
func (h *Held) Close() {}

// Close does nothing.
func (p *Program) Close() {}

// WrittenBehind says nothing here.
const WrittenBehind = false
