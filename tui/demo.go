// Demos: scripts that drive the real screen. This file parses them; play.go plays them.
//
//	# what the demo shows, in one line
//	size 120x36                      of the screen, if there is no terminal
//	program pages.c                  the demo is about a program, whose source is beside it
//	say "Four pages are reserved."   a caption
//	a = mmap 4p rw private anon      any command: it is typed into the command line, and run
//	expect page a none               not typed: if it fails, the demo ends there with an error
//	key w                            the press of a key
//	pause 1.5                        seconds, in addition to the time that a reader needs

package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cowscope/actions"
	"cowscope/actions/run"
	"cowscope/actions/verb"
	"cowscope/assets"
	"cowscope/tui/pane"
	"cowscope/vmspace/printable"

	tea "charm.land/bubbletea/v2"
)

// Demo is a parsed demo.
type Demo struct {
	Name   string
	Title  string // its first line, if that is a comment
	Size   Size   // zero if it has no size line
	file   string // its name in errors
	script *actions.Script
	beats  []beat
	source run.Source // of the program that it is about; none where that is a session
}

// Size is the size of a screen in cells.
type Size struct{ W, H int }

// DefaultSize is the size of a screen without a terminal.
var DefaultSize = Size{120, 36}

// ParseSize parses a size such as 120x36.
func ParseSize(text string) (Size, error) {
	w, h, _ := strings.Cut(text, "x")
	x, err := strconv.ParseUint(w, 10, 16)
	y, err2 := strconv.ParseUint(h, 10, 16)
	if err != nil || err2 != nil || x < pane.MinWidth || y < pane.MinHeight || x > 1000 || y > 1000 {
		return Size{}, fmt.Errorf("%q is no size of a screen: 120x36 is, and so is all from %dx%d to 1000x1000", text, pane.MinWidth, pane.MinHeight)
	}
	return Size{int(x), int(y)}, nil
}

// beat is one action of a demo, and the delay before it.
type beat struct {
	line int
	wait time.Duration
	do   func(*App) tea.Cmd
}

// The pace of a demo: that of a person who types with care, and of one who reads for the first
// time.
const (
	perLetter   = 40 * time.Millisecond
	beforeEnter = 400 * time.Millisecond
	afterKey    = 900 * time.Millisecond
	afterRun    = 1600 * time.Millisecond
	perCaption  = 900 * time.Millisecond
	perWord     = 260 * time.Millisecond
	atEnd       = 2500 * time.Millisecond
)

// demoWords are the words of a demo that are not in the language.
var demoWords = []struct {
	word, form, help string
	read             func(*demoReader, string) error
}{
	{"say", `say "…"`, "a caption; the demo waits until it can be read", (*demoReader).say},
	{"pause", "pause 1.5", "wait so many seconds more", (*demoReader).pause},
	{"key", "key w", "the press of a key: `key Enter`, `key Tab`, `key Shift+Tab`, `key Up`, `key w`", (*demoReader).key},
	{"program", "program pages.c", "at the beginning: the demo is about this program in C, whose source is beside it", (*demoReader).program},
	{"size", "size 120x36", "at the beginning: the size of the screen, unless `--size` is given", (*demoReader).size},
}

// demoReader parses a demo.
type demoReader struct {
	d    *Demo
	line int
	wait time.Duration // before the next beat
}

// mostLines is the maximum number of lines: each letter becomes a beat in memory, and nobody
// watches so many.
const mostLines = 10_000

// ReadDemo parses a demo; file is its name in errors. All of it is checked before any of it runs.
func ReadDemo(file string, in io.Reader) (*Demo, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", printable.Name(file), printable.Error(err))
	}
	r := &demoReader{d: &Demo{file: printable.Name(file), Name: strings.TrimSuffix(path.Base(file), demoSuffix)}}
	if n := bytes.Count(text, []byte("\n")); n > mostLines {
		return nil, fmt.Errorf("%s: the demo has %d lines; it may have %d at most", r.d.file, n, mostLines)
	}
	lines := strings.Split(string(text), "\n")
	if title, ok := strings.CutPrefix(lines[0], "#"); ok {
		r.d.Title = strings.TrimSpace(title)
	}
	// The demo's own lines are blank, so that the others keep their numbers.
	language := slices.Clone(lines)
	own := map[int]func(string) error{}
	for i, l := range lines {
		word, _, _ := strings.Cut(strings.TrimSpace(l), " ")
		for _, w := range demoWords {
			if w.word == word {
				own[i], language[i] = func(rest string) error { return w.read(r, rest) }, ""
			}
		}
	}
	grammar := actions.Grammar
	if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "program ") }) {
		grammar = run.Grammar
	}
	if r.d.script, err = actions.ReadScriptOf(grammar, file, strings.NewReader(strings.Join(language, "\n"))); err != nil {
		return nil, err
	}
	g, err := grammar()
	if err != nil {
		return nil, err
	}
	for i, l := range lines {
		r.line = i + 1
		if read := own[i]; read != nil {
			_, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
			if err := read(strings.TrimSpace(rest)); err != nil {
				return nil, r.d.wrong(r.line, err)
			}
			continue
		}
		if cmd, err := g.Parse(l); err == nil && cmd != nil && cmd.Verb.Name != "needs" {
			r.command(cmd.Verb.Name, cmd.String())
		}
	}
	if len(r.d.beats) == 0 {
		return nil, fmt.Errorf("%s: the demo does nothing", r.d.file)
	}
	r.add(atEnd, nil) // what the last beat shows stays visible
	return r.d, nil
}

func (d *Demo) wrong(line int, err error) error {
	return &actions.ScriptError{File: d.file, Line: line, Err: err}
}

// add appends a beat after the pending delay; more is an additional delay.
func (r *demoReader) add(more time.Duration, do func(*App) tea.Cmd) {
	r.d.beats = append(r.d.beats, beat{r.line, r.wait + more, do})
	r.wait = 0
}

// command types a command, or checks an expectation without showing it.
func (r *demoReader) command(name, line string) {
	if slices.ContainsFunc(actions.AllVerbs, func(a *verb.Action) bool { return a.Name == name && a.Check }) {
		wait := r.wait
		r.wait = 0
		r.add(0, func(m *App) tea.Cmd { return m.check(line) })
		r.wait = wait // it is not shown, so it takes no time
		return
	}
	for _, c := range ":" + line {
		k := tea.KeyPressMsg{Code: c, Text: string(c)}
		r.add(perLetter, func(m *App) tea.Cmd { return m.press(k) })
	}
	r.add(beforeEnter, func(m *App) tea.Cmd { return m.press(tea.KeyPressMsg{Code: tea.KeyEnter}) })
	r.wait = afterRun
}

func (r *demoReader) say(rest string) error {
	text, err := strconv.Unquote(rest)
	if err != nil || rest[0] != '"' {
		return errors.New(`say needs a text: say "four pages"`)
	}
	r.add(0, func(m *App) tea.Cmd {
		m.play.caption = text
		return nil
	})
	r.wait = perCaption + time.Duration(len(strings.Fields(text)))*perWord
	return nil
}

func (r *demoReader) pause(rest string) error {
	seconds, err := strconv.ParseFloat(rest, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 || seconds > 600 {
		return errors.New("pause needs a number of seconds up to 600: pause 1.5")
	}
	r.wait += time.Duration(seconds * float64(time.Second))
	return nil
}

func (r *demoReader) key(rest string) error {
	k, ok := keyPress(rest)
	if !ok {
		return fmt.Errorf("no key is called %q: key w, key Enter, key Tab, key Shift+Tab and key Up are", rest)
	}
	r.add(0, func(m *App) tea.Cmd { return m.press(k) })
	r.wait = afterKey
	return nil
}

func (r *demoReader) size(rest string) (err error) {
	if len(r.d.beats) > 0 {
		return errors.New("size comes too late: it stands at the head of a demo")
	}
	r.d.Size, err = ParseSize(rest)
	return err
}

func (r *demoReader) program(rest string) error {
	switch {
	case len(r.d.beats) > 0 || r.d.source.Name != "":
		return errors.New("program comes too late: it stands once, at the head of a demo")
	case !run.IsSource(rest):
		return fmt.Errorf("%q is no name of a source in C beside the demo: pages.c is", rest)
	}
	r.d.source.Name = rest
	return nil
}

// Missing is why the demo cannot run on this machine, "" if it can.
func (d *Demo) Missing() (string, error) { return d.script.Missing() }

// start opens what the demo is about: a session, or a program. done ends it.
func (d *Demo) start(o actions.Options) (l actions.Lab, done func(), err error) {
	if d.source.Name != "" {
		p, err := run.OpenSource(context.Background(), d.source, o.AllowProgram)
		if err != nil {
			return nil, nil, err
		}
		return p, func() { p.Close() }, nil
	}
	s, err := actions.Open(o)
	if err != nil {
		return nil, nil, err
	}
	return s, func() { s.Close() }, nil
}

// Length is how long the demo takes, without the time of its commands.
func (d *Demo) Length() (sum time.Duration) {
	for _, b := range d.beats {
		sum += b.wait
	}
	return sum
}

const (
	demosDir   = "demos"
	demoSuffix = ".cow"
)

// Demos returns the embedded demos, sorted by name.
func Demos() ([]*Demo, error) {
	files, err := fs.Glob(assets.Demos, demosDir+"/*"+demoSuffix)
	var out []*Demo
	for _, f := range files {
		d, err := openDemo(assets.Demos, f)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, err
}

func openDemo(in fs.FS, file string) (*Demo, error) {
	f, err := in.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := ReadDemo(file, f)
	if err == nil {
		d.source.In, d.source.Dirs = in, []string{path.Dir(file)}
	}
	return d, err
}

// FindDemo returns an embedded demo by name, or one in a file.
func FindDemo(name string) (*Demo, error) {
	d, err := openDemo(assets.Demos, path.Join(demosDir, name+demoSuffix))
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
		return d, err
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no demo is called %q, nor is there such a file: cowscope demo list tells what there is", name)
	}
	if err != nil {
		return nil, printable.Error(err)
	}
	defer f.Close()
	d, err = ReadDemo(name, f)
	if err == nil {
		d.source.In, d.source.Dirs, d.source.Foreign = os.DirFS(filepath.Dir(name)), []string{"."}, true
	}
	return d, err
}

// WriteDemos lists the demos, name first; with a heading on a terminal.
func WriteDemos(w io.Writer, heading bool) error {
	all, err := Demos()
	if err != nil {
		return err
	}
	if heading {
		fmt.Fprintf(w, "%-20s  %-4s  %s\n", "demo", "time", "about")
	}
	for _, d := range all {
		s := int(d.Length().Seconds())
		if _, err := fmt.Fprintf(w, "%-20s  %d:%02d  %s\n", d.Name, s/60, s%60, d.Title); err != nil {
			return err
		}
	}
	return nil
}
