// Panics: a panic in the model or in a command ends the program in order, and is reported with its
// stack after the screen is gone. The library catches panics too, but reports some of them while
// the screen is still there, where nobody can read them.

package terminal

import (
	"fmt"
	"runtime/debug"
	"sync"

	tea "charm.land/bubbletea/v2"
)

// PanicError is a panic and its stack.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack) }

// fence wraps a model and catches its panics.
type fence struct {
	m    tea.Model
	quit func()
	mu   sync.Mutex
	err  *PanicError // the first
}

// catch is deferred around code that may panic.
func (f *fence) catch() {
	if r := recover(); r != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.err == nil {
			f.err = &PanicError{r, debug.Stack()}
			go f.quit()
		}
	}
}

// broken is the first panic, or nil.
func (f *fence) broken() *PanicError {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *fence) Init() (cmd tea.Cmd) {
	defer f.catch()
	return f.guarded(f.m.Init())
}

func (f *fence) Update(msg tea.Msg) (_ tea.Model, cmd tea.Cmd) {
	if f.broken() != nil {
		return f, nil
	}
	defer f.catch()
	_, cmd = f.m.Update(msg)
	return f, f.guarded(cmd)
}

func (f *fence) View() (v tea.View) {
	// Until the end: the library clears the other screen.
	v.AltScreen = true
	if f.broken() != nil {
		return v
	}
	defer f.catch()
	return f.m.View()
}

// guarded wraps a command, and every command that it returns, in the fence.
func (f *fence) guarded(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() (msg tea.Msg) {
		defer f.catch()
		msg = cmd()
		if batch, ok := msg.(tea.BatchMsg); ok {
			for i, c := range batch {
				batch[i] = f.guarded(c)
			}
		}
		return msg
	}
}
