package saved

import (
	"context"
	"errors"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// Lab is a recording as the screen drives it: it has a history, and nothing happens any more.
type Lab struct {
	rec     *Recording
	grammar *lang.Grammar
}

// ErrRecorded is what a recording answers to every command.
var ErrRecorded = errors.New("this is a recording, where nothing runs; cowscope alone starts a live lab")

// NewLab makes a lab of a recording that has a step.
func NewLab(rec *Recording) (*Lab, error) {
	if rec == nil || len(rec.Steps) == 0 {
		return nil, errors.New("there is no step to show")
	}
	g, err := actions.Grammar()
	return &Lab{rec, g}, err
}

// Do fails with ErrRecorded.
func (l *Lab) Do(context.Context, string) (*history.Step, error) { return nil, ErrRecorded }

// Poll has nothing to tell.
func (l *Lab) Poll(context.Context) (*history.Step, error) { return nil, nil }

// Peek has no bytes: a recording holds only those that a command read.
func (l *Lab) Peek(context.Context, string, uint64) ([]byte, error) { return nil, nil }

// History is every step of the recording.
func (l *Lab) History() []*history.Step { return l.rec.Steps }

// Grammar is the language that the commands are in.
func (l *Lab) Grammar() *lang.Grammar { return l.grammar }

// Info says of which machine the recording is.
func (l *Lab) Info() actions.Info {
	return actions.Info{Kernel: l.rec.Kernel, Rights: l.rec.Rights, Recorded: "recorded " + l.rec.Started.Format("2006-01-02")}
}
