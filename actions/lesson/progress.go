package lesson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"cowscope/actions/output"
	"cowscope/vmspace/printable"
)

// Rules of this file: the file is replaced as a whole, so that a reader finds the old one or the
// new one. Who writes holds a lock from reading to replacing, so that nobody's lessons are lost. A
// file that cannot be understood is put aside, not thrown away.

// Progress remembers which steps of which lessons are done, in a file that several programs may use
// at once.
type Progress struct{ path string }

// ProgressAt keeps progress in the file path, which is made when the first step is done.
func ProgressAt(path string) *Progress { return &Progress{path} }

// ProgressFile is where progress is kept: in $XDG_STATE_HOME, or ~/.local/state (XDG Base Directory
// Specification).
func ProgressFile() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // such a path is to be ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no place to remember progress: %w", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "cowscope", "progress.json"), nil
}

// progressVersion is that of the file's form.
const progressVersion = 1

// maxProgress is how large the file may be, in bytes.
const maxProgress = 1 << 20

// record is the file: the steps that are done, counted from 0, by the ID of their lesson.
type record struct {
	Version int              `json:"version"`
	Lessons map[string][]int `json:"lessons"`
}

// Done lists the steps of a lesson that are done. told says that the file was damaged and what
// became of it, "" where it was not.
func (p *Progress) Done(id string) (steps []int, told string, err error) {
	r, told, err := p.read()
	return r.Lessons[id], told, err
}

// All lists the steps that are done of every lesson.
func (p *Progress) All() (done map[string][]int, told string, err error) {
	r, told, err := p.read()
	return r.Lessons, told, err
}

// Mark notes that a step is done.
func (p *Progress) Mark(id string, step int) (told string, err error) {
	return p.change(func(r record) {
		if steps := r.Lessons[id]; !slices.Contains(steps, step) {
			r.Lessons[id] = append(steps, step)
			slices.Sort(r.Lessons[id])
		}
	})
}

// Forget drops what is known of a lesson.
func (p *Progress) Forget(id string) (told string, err error) {
	return p.change(func(r record) { delete(r.Lessons, id) })
}

// read gives what the file holds; nothing, where there is none or it is damaged.
func (p *Progress) read() (r record, told string, err error) {
	defer func() { err = printable.Error(err) }()
	r = record{progressVersion, map[string][]int{}}
	f, err := os.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, "", nil
	}
	if err != nil {
		return r, "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProgress+1))
	if err != nil {
		return r, "", err
	}
	var got record
	if why := got.parse(b); why != "" {
		return r, fmt.Sprintf("What was done before is not known: %s %s.", printable.Name(p.path), why), nil
	}
	return got, "", nil
}

// parse reads the file's bytes and says what is wrong with them.
func (r *record) parse(b []byte) (why string) {
	if len(b) > maxProgress {
		return "is too large"
	}
	if json.Unmarshal(b, r) != nil || r.Lessons == nil {
		return "is damaged"
	}
	if r.Version != progressVersion {
		return fmt.Sprintf("has version %d, and this cowscope knows version %d", r.Version, progressVersion)
	}
	for _, steps := range r.Lessons {
		if slices.ContainsFunc(steps, func(n int) bool { return n < 0 }) {
			return "is damaged"
		}
	}
	return ""
}

// change reads, changes and replaces the file while nobody else does.
func (p *Progress) change(f func(record)) (told string, err error) {
	defer func() { err = printable.Error(err) }()
	dir := filepath.Dir(p.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	unlock, err := output.Lock(p.path + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	r, told, err := p.read()
	if err != nil {
		return "", err
	}
	if told != "" {
		if err := os.Rename(p.path, p.path+".damaged"); err != nil {
			return told, err
		}
		told += " It is kept as " + filepath.Base(p.path) + ".damaged."
	}
	f(r)
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return told, err
	}
	return told, progressKind.Write(p.path, append(b, '\n'))
}

// progressKind is any file in its place: one that is damaged was put aside.
var progressKind = output.Kind{By: "progress", What: "progress", Mine: func(io.Reader) bool { return true }}
