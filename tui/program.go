package tui

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"cowscope/actions"
	"cowscope/actions/run"
	"cowscope/actions/trace"
	"cowscope/vmspace/printable"
)

// programSuffix ends the name of the source of a program that a demo is about.
const programSuffix = ".c"

// source is a program in C, beside the file that is about it.
type source struct {
	name string // of its file; "" for none
	in   fs.FS
	dir  string // in that
}

// isSource reports whether a name can be that of a source beside another file.
func isSource(name string) bool {
	return path.Base(name) == name && strings.HasSuffix(name, programSuffix) && name != programSuffix
}

// start compiles the program, and runs it to its function main. done ends it, and removes what was made.
func (s source) start() (l actions.Lab, done func(), err error) {
	text, err := fs.ReadFile(s.in, path.Join(s.dir, s.name))
	if err != nil {
		return nil, nil, printable.Error(err)
	}
	dir, err := os.MkdirTemp("", "cowscope-program-")
	if err != nil {
		return nil, nil, printable.Error(err)
	}
	remove := func() { os.RemoveAll(dir) }
	program, err := compile(dir, s.name, text)
	if err != nil {
		remove()
		return nil, nil, err
	}
	lab, err := run.OpenLab(context.Background(), trace.Config{Path: program, Args: []string{program}, Env: os.Environ()})
	if err != nil {
		remove()
		return nil, nil, err
	}
	return lab, func() { lab.Close(); remove() }, nil
}

// compile makes a program in a folder of its own, with its lines and without optimisation, as the source reads.
func compile(dir, name string, text []byte) (program string, err error) {
	file := filepath.Join(dir, name)
	program = strings.TrimSuffix(file, programSuffix)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", printable.Error(err)
	}
	out, err := exec.Command("cc", "-g", "-O0", "-o", program, file).CombinedOutput()
	if exited := (*exec.ExitError)(nil); errors.As(err, &exited) {
		return "", fmt.Errorf("cc does not compile %s: %s", name, printable.Line(strings.TrimSpace(string(out))))
	}
	return program, printable.Error(err)
}
