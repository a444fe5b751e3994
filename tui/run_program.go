package tui

import (
	"context"

	"cowscope/actions/run"
	"cowscope/actions/trace"
)

// RunFreely shows a program that runs at full speed until the user quits, which ends it.
func RunFreely(cfg trace.Config, o LabOptions) error {
	return o.open("run --free", func() (lab, error) { return run.OpenFree(context.Background(), cfg) })
}

// RunProgram shows a program that is run until the user quits, which ends it.
func RunProgram(cfg trace.Config, o LabOptions) error {
	return o.open("run", func() (lab, error) { return run.OpenLab(context.Background(), cfg) })
}
