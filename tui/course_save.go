package tui

import (
	"errors"
	"sync"

	"cowscope/actions/lesson"
	"cowscope/actions/saved"
)

// courseSaver saves the session of a lesson as it goes on. A step or lesson that begins again has a
// fresh subject, and the file begins anew with it: it holds the session that is on the screen. A
// nil courseSaver saves nothing.
type courseSaver struct {
	mu     sync.Mutex
	player *lesson.Player
	file   *saved.File
	opts   LabOptions
	fresh  int
	r      *recorder // of the session that runs
	err    error     // that the file could not begin
}

func newCourseSaver(p *lesson.Player, f *saved.File, o LabOptions) *courseSaver {
	if f == nil {
		return nil
	}
	c := &courseSaver{player: p, file: f, opts: o}
	c.save()
	return c
}

// save writes what has happened since the last time.
func (c *courseSaver) save() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if n := c.player.State().Fresh; c.r == nil || n != c.fresh {
		c.fresh = n
		if c.r, c.err = newRecorder(courseLab{c.player}, c.file, c.opts); c.err != nil {
			return
		}
	}
	c.r.save()
}

// failed is why not all was saved, nil if it was.
func (c *courseSaver) failed() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.r == nil {
		return c.err
	}
	return errors.Join(c.err, c.r.failed())
}
