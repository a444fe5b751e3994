package saved

import (
	"context"
	"fmt"
	"sync"

	"cowscope/actions"
	"cowscope/actions/history"
)

// Recorder is a lab whose steps are saved as they happen, also those that its history does not keep.
// If a step cannot be saved, that is reported once, and the lab goes on.
type Recorder struct {
	actions.Lab
	mu   sync.Mutex
	w    *Writer
	err  error // why no more steps are written
	told bool
}

// NewRecorder continues after w has written the first step.
func NewRecorder(l actions.Lab, w *Writer) *Recorder {
	r := &Recorder{Lab: l, w: w}
	l.Follow(1, r.save)
	return r
}

// save writes a step.
func (r *Recorder) save(st *history.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if err := r.w.Write(st, 0); err != nil {
		r.err = fmt.Errorf("the session is saved up to step %d only: %w", st.N-1, err)
	}
}

// Failed is why not everything was saved, nil if it was.
func (r *Recorder) Failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Poll polls the lab, and reports once that no more is saved.
func (r *Recorder) Poll(ctx context.Context) (*history.Step, error) {
	st, err := r.Lab.Poll(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if st == nil && err == nil && r.err != nil && !r.told {
		r.told, err = true, r.err
	}
	return st, err
}
