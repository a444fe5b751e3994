package saved

import (
	"context"
	"errors"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// Lab is a recording as a lab for the screen: it has a history, and runs nothing.
type Lab struct {
	rec     *Recording
	grammar *lang.Grammar
}

// ErrRecorded is the error of every command on a recording.
var ErrRecorded = errors.New("this is a recording: nothing runs in it; cowscope by itself starts a live lab")

// NewLab makes a lab of a recording with at least one step.
func NewLab(rec *Recording) (*Lab, error) {
	if rec == nil || len(rec.Steps) == 0 {
		return nil, errors.New("there is no step to show")
	}
	g, err := actions.Grammar()
	return &Lab{rec, g}, err
}

// Do fails with ErrRecorded.
func (l *Lab) Do(context.Context, string) (*history.Step, error) { return nil, ErrRecorded }

// Poll finds nothing.
func (l *Lab) Poll(context.Context) (*history.Step, error) { return nil, nil }

// Peek returns no bytes: a recording has only those that a command read.
func (l *Lab) Peek(context.Context, string, uint64) ([]byte, error) { return nil, nil }

// History returns every step of the recording.
func (l *Lab) History() []*history.Step { return l.rec.Steps }

// Follow calls f with the steps of the recording; there are no others.
func (l *Lab) Follow(from int, f func(*history.Step)) {
	for _, st := range l.rec.Steps[min(from, len(l.rec.Steps)):] {
		f(st)
	}
}

// Grammar is the language of the commands.
func (l *Lab) Grammar() *lang.Grammar { return l.grammar }

// Info describes the machine of the recording.
func (l *Lab) Info() actions.Info {
	return actions.Info{Mode: "replay", Kernel: l.rec.Kernel, Rights: l.rec.Rights, Note: "recorded " + l.rec.Started.Format("2006-01-02"),
		Refuses: ErrRecorded.Error(), Still: true}
}
