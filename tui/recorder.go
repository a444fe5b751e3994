package tui

import (
	"context"
	"fmt"
	"sync"

	"cowscope/actions/history"
	"cowscope/actions/saved"
)

// recorder is a lab whose steps are saved as they happen. A step happens whether it can be saved or
// not: where it cannot, that is told once, and the lab goes on.
type recorder struct {
	Lab
	mu   sync.Mutex // a poll may end while a command runs
	w    *saved.Writer
	done int   // steps that were written
	err  error // why no more are
	told bool
}

// newRecorder writes what has happened so far.
func newRecorder(l Lab, f *saved.File, o LabOptions) (*recorder, error) {
	w, err := f.Begin(l.Info(), l.History()[0], o.ASLR, o.Program)
	if err != nil {
		return nil, err
	}
	return &recorder{Lab: l, w: w, done: 1}, nil
}

// save writes the steps that are not yet written.
func (r *recorder) save() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range r.History()[r.done:] {
		if r.err != nil {
			return
		}
		if err := r.w.Write(st, 0); err != nil {
			r.err = fmt.Errorf("the session is saved up to step %d only: %w", r.done-1, err)
		}
		r.done++
	}
}

// failed is why not all was saved, nil if it was.
func (r *recorder) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Do runs a command, and saves its step.
func (r *recorder) Do(ctx context.Context, line string) (*history.Step, error) {
	defer r.save()
	return r.Lab.Do(ctx, line)
}

// Poll looks, and saves what it finds. It tells, once, that no more is saved.
func (r *recorder) Poll(ctx context.Context) (*history.Step, error) {
	st, err := r.Lab.Poll(ctx)
	r.save()
	r.mu.Lock()
	defer r.mu.Unlock()
	if st == nil && err == nil && r.err != nil && !r.told {
		r.told, err = true, r.err
	}
	return st, err
}
