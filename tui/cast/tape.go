package cast

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Tape records in real time: it adds the time to what a Writer is given, and writes out a frame
// when it is over. A nil Tape records nothing. Its methods may be called from any goroutine.
type Tape struct {
	mu    sync.Mutex
	w     *Writer
	now   func() time.Duration                             // since the beginning
	after func(time.Duration, func()) (cancel func() bool) // nil if frames end by themselves
	timer func() bool                                      // cancels the end of the current frame
	size  [2]int
	told  bool
}

// NewTape records with the wall clock.
func NewTape(f io.Writer, h Header) (*Tape, error) {
	began := time.Now()
	t, err := NewTapeAt(f, h, func() time.Duration { return time.Since(began) })
	if err == nil {
		t.after = func(d time.Duration, do func()) func() bool { return time.AfterFunc(d, do).Stop }
	}
	return t, err
}

// NewTapeAt records with another clock, which does not advance by itself.
func NewTapeAt(f io.Writer, h Header, now func() time.Duration) (*Tape, error) {
	w, err := NewWriter(f, h)
	if err != nil {
		return nil, err
	}
	return &Tape{w: w, now: now, size: [2]int{h.Width, h.Height}}, nil
}

// Output records what was written to the terminal.
func (t *Tape) Output(b []byte) {
	t.do(func(at time.Duration) {
		t.w.Output(at, b)
		if t.after != nil && t.timer == nil {
			t.timer = t.after(Frame, func() { t.do(func(time.Duration) { t.timer = nil; t.w.Flush() }) })
		}
	})
}

// Input records what was typed.
func (t *Tape) Input(b []byte) { t.do(func(at time.Duration) { t.w.Input(at, b) }) }

// Marker begins a chapter.
func (t *Tape) Marker(label string) { t.do(func(at time.Duration) { t.w.Marker(at, label) }) }

// Resize records the terminal's size if it has changed. A terminal that does not know its size
// reports 0 by 0.
func (t *Tape) Resize(w, h int) {
	t.do(func(at time.Duration) {
		if size := [2]int{w, h}; size != t.size && w > 0 && h > 0 {
			t.size = size
			t.w.Resize(at, w, h)
		}
	})
}

func (t *Tape) do(f func(at time.Duration)) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.now())
}

// Failed is why not everything was recorded, nil if it was.
func (t *Tape) Failed() (err error) {
	t.do(func(time.Duration) {
		if t.w.err != nil {
			err = fmt.Errorf("the recording ends %.1f seconds after it began: %w", t.w.last.Seconds(), t.w.err)
		}
	})
	return err
}

// Fails is Failed, but returns the error only once.
func (t *Tape) Fails() error {
	err := t.Failed()
	if t == nil || t.told {
		return nil
	}
	t.told = err != nil
	return err
}

// Close writes the rest.
func (t *Tape) Close() error {
	t.do(func(time.Duration) {
		if t.timer != nil {
			t.timer()
		}
		t.w.Flush()
	})
	return t.Failed()
}
