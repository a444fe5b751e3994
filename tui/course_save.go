package tui

import (
	"errors"
	"sync"

	"cowscope/actions/lesson"
	"cowscope/actions/saved"
)

// courseSaver saves the session of a lesson while it runs. Restarting a step or the lesson starts a
// fresh subject, and the file is overwritten: it contains the session on the screen. A nil
// courseSaver saves nothing.
type courseSaver struct {
	mu     sync.Mutex
	player *lesson.Player
	file   *saved.File
	opts   LabOptions
	fresh  int
	r      *saved.Recorder // of the current session
	err    error           // the error at the start of the file
}

func newCourseSaver(p *lesson.Player, f *saved.File, o LabOptions) *courseSaver {
	if f == nil {
		return nil
	}
	c := &courseSaver{player: p, file: f, opts: o}
	c.save()
	return c
}

// save begins the file again when the subject is a fresh one.
func (c *courseSaver) save() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.player.State().Fresh; c.err == nil && (c.r == nil || n != c.fresh) {
		c.fresh = n
		c.r, c.err = c.opts.saving(courseLab{c.player}, c.file)
	}
}

// failed is why not everything was saved, nil if it was.
func (c *courseSaver) failed() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.r == nil {
		return c.err
	}
	return errors.Join(c.err, c.r.Failed())
}
