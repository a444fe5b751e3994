package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/trace"
	"cowscope/actions/watch"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
)

// Free is a program that runs at full speed, and is watched as it does: nobody stops it. What it writes goes
// to a terminal of its own, and is told with the steps.
type Free struct {
	*watch.Lab
	grammar *lang.Grammar
	program *trace.Held
	term    *terminal
	name    string
}

// errFree is what a program that runs freely answers to all but Type.
var errFree = errors.New("the program runs freely: t types at its terminal; cowscope run without --free stops it at its events")

// OpenFree starts a program. It is watched from its first instruction on.
func OpenFree(ctx context.Context, cfg trace.Config) (*Free, error) {
	g, err := Grammar()
	if err != nil {
		return nil, err
	}
	t, err := openTerminal()
	if err != nil {
		return nil, err
	}
	cfg.Files, cfg.Terminal = []*os.File{t.slave, t.slave, t.slave}, true
	p, err := trace.Hold(cfg)
	if err != nil {
		t.close()
		return nil, err
	}
	w, err := watch.Open(ctx, p.PID())
	if err != nil {
		p.Close()
		t.close()
		return nil, err
	}
	w.Tell(t.take)
	p.LetGo()
	return &Free{w, g, p, t, printable.Name(filepath.Base(cfg.Path))}, nil
}

// Close ends the program, with what it has started and not left to others.
func (f *Free) Close() error {
	for _, d := range procfs.Descendants(f.program.PID()) {
		if p, err := os.FindProcess(d.PID); err == nil {
			_ = p.Kill()
		}
	}
	f.program.Close()
	err := f.Lab.Close()
	f.term.close()
	return err
}

// Do types at the program's terminal, and refuses every other line.
func (f *Free) Do(_ context.Context, line string) (*history.Step, error) {
	cmd, err := f.grammar.Parse(line)
	switch {
	case err != nil || cmd == nil:
		return nil, err
	case cmd.Verb.Name != Type:
		return nil, errFree
	}
	text, _ := cmd.Bytes("text")
	return nil, f.term.keys(text)
}

// Grammar is the language of a program that is run.
func (f *Free) Grammar() *lang.Grammar { return f.grammar }

// Info says what is run, on which machine, and what watching it costs.
func (f *Free) Info() actions.Info {
	info := f.Lab.Info()
	info.Mode, info.Note, info.Refuses = "run --free", f.name, errFree.Error()
	return info
}

// Resize tells the terminal of the program how much of what is written there is shown.
func (f *Free) Resize(columns, rows int) { f.term.resize(columns, rows) }
