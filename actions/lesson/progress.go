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

// Rules of this file: the file is replaced as a whole, so that a reader finds the old or the new
// content. A writer holds a lock from reading to replacing, so that no progress is lost. A file
// that cannot be parsed is renamed, not deleted.

// Progress records which steps of which lessons are done, in a file that several programs may use
// at once.
type Progress struct{ path string }

// ProgressAt keeps progress in the file path, which is created when the first step is done.
func ProgressAt(path string) *Progress { return &Progress{path} }

// ProgressFile is the path of the progress file: in $XDG_STATE_HOME, or ~/.local/state (XDG Base
// Directory Specification).
func ProgressFile() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // the specification says to ignore such a path
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no place to remember progress: %w", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "cowscope", "progress.json"), nil
}

// progressVersion is the version of the file format.
const progressVersion = 1

// maxProgress is the maximum size of the file, in bytes.
const maxProgress = 1 << 20

// record is the content of the file: the done steps, counted from 0, by the ID of their lesson.
type record struct {
	Version int              `json:"version"`
	Lessons map[string][]int `json:"lessons"`
}

// Done lists the done steps of a lesson. told is a message that the file is damaged or cannot be
// read, "" if there is no problem.
func (p *Progress) Done(id string) (steps []int, told string) {
	done, told := p.All()
	return done[id], told
}

// All lists the done steps of every lesson.
func (p *Progress) All() (done map[string][]int, told string) {
	r, told, err := p.read()
	if err != nil {
		told = fmt.Sprintf("What was done before is not known: %v.", err)
	}
	return r.Lessons, told
}

// Mark records that a step is done.
func (p *Progress) Mark(id string, step int) (told string, err error) {
	return p.change(func(r record) {
		if steps := r.Lessons[id]; !slices.Contains(steps, step) {
			r.Lessons[id] = append(steps, step)
			slices.Sort(r.Lessons[id])
		}
	})
}

// Forget removes the progress of a lesson.
func (p *Progress) Forget(id string) (told string, err error) {
	return p.change(func(r record) { delete(r.Lessons, id) })
}

// read returns the content of the file; an empty record if it does not exist or is damaged.
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

// parse parses the content of the file and returns what is wrong with it.
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

// change reads, changes and replaces the file under the lock.
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

// progressKind accepts any file in its place: a damaged one was renamed before.
var progressKind = output.Kind{By: "progress", What: "progress", Mine: func(io.Reader) bool { return true }}
