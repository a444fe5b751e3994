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
	"strconv"
	"strings"

	"cowscope/actions/trace"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
)

// sourceSuffix ends the name of a source.
const sourceSuffix = ".c"

// Source is the source of a program in C, for a demo or a lesson that is about it.
type Source struct {
	Name string // of the file; "" for none
	In   fs.FS
	Dirs []string // where it may be, in that order
	// Foreign says that it does not come with cowscope: what it does is not known.
	Foreign bool
}

// IsSource reports whether a name can be that of a source beside another file.
func IsSource(name string) bool {
	return path.Base(name) == name && strings.HasSuffix(name, sourceSuffix) && name != sourceSuffix
}

// OpenSource compiles a program, and opens it as OpenLab does. Close removes what was made for it. A foreign
// program gets all rights of the user, so it has to be allowed.
func OpenSource(ctx context.Context, s Source, allowed bool) (*Lab, error) {
	if s.Foreign && !allowed {
		return nil, fmt.Errorf("%s does not come with cowscope, and would run with all your rights: read it, and then --allow-program lets it run", s.Name)
	}
	text, err := s.read()
	if err != nil {
		return nil, err
	}
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", folderPrefix, os.Getpid()))
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

// folderPrefix begins the name of a folder that is made for a program; the number of the process that made it
// follows.
const folderPrefix = "cowscope-program-"

// sweep removes the folders of processes that were killed, and are gone.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range dirs {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), folderPrefix), "-")
		if pid, err := strconv.Atoi(number); err == nil && pid > 0 && procfs.Name(pid) == "" {
			os.RemoveAll(dir) // it fails for those of other users
		}
	}
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
