package run

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

	"cowscope/actions/trace"
	"cowscope/vmspace/printable"
)

// sourceSuffix ends the name of a source.
const sourceSuffix = ".c"

// Source is the source of a program in C, for a demo or a lesson that is about it.
type Source struct {
	Name string // of the file; "" for none
	In   fs.FS
	Dirs []string // where it may be, in that order
}

// IsSource reports whether a name can be that of a source beside another file.
func IsSource(name string) bool {
	return path.Base(name) == name && strings.HasSuffix(name, sourceSuffix) && name != sourceSuffix
}

// OpenSource compiles a program, and opens it as OpenLab does. Close removes what was made for it.
func OpenSource(ctx context.Context, s Source) (*Lab, error) {
	text, err := s.read()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cowscope-program-")
	if err != nil {
		return nil, printable.Error(err)
	}
	var l *Lab
	program, err := compileSource(dir, s.Name, text)
	if err == nil {
		l, err = OpenLab(ctx, trace.Config{Path: program, Args: []string{program}, Env: os.Environ()})
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	l.made = dir
	return l, nil
}

func (s Source) read() (text []byte, err error) {
	for _, dir := range s.Dirs {
		if text, err = fs.ReadFile(s.In, path.Join(dir, s.Name)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return text, printable.Error(err)
}

// compileSource makes a program in a folder of its own, with its lines, and without optimisation: it does what its
// source reads.
func compileSource(dir, name string, text []byte) (program string, err error) {
	file := filepath.Join(dir, name)
	program = strings.TrimSuffix(file, sourceSuffix)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", printable.Error(err)
	}
	out, err := exec.Command("cc", "-g", "-O0", "-o", program, file).CombinedOutput()
	if exited := (*exec.ExitError)(nil); errors.As(err, &exited) {
		return "", fmt.Errorf("cc does not compile %s: %s", name, printable.Line(strings.TrimSpace(string(out))))
	}
	return program, printable.Error(err)
}
