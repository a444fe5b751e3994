package actions

import (
	"context"

	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// Lab is what a screen drives: a session with a subject, or anything else with a history.
type Lab interface {
	// Do runs one command line. An error means that nothing ran, or that cowscope itself failed;
	// the kernel's answer is in the step.
	Do(ctx context.Context, line string) (*history.Step, error)
	// Poll checks whether anything changed without a command, and returns the step that says so, or
	// nil.
	Poll(ctx context.Context) (*history.Step, error)
	// Peek reads the bytes of the page at addr if it is present, and never otherwise.
	Peek(ctx context.Context, label string, addr uint64) ([]byte, error)
	// History returns the steps that are kept, oldest first; the first and the newest are always there.
	History() []*history.Step
	// Follow tells f of every step from number from on: of those that are kept, and of each new one
	// as it happens, also of those that are not kept.
	Follow(from int, f func(*history.Step))
	Grammar() *lang.Grammar
	Info() Info
}
