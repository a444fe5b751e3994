// Stills: the canvas as a picture. SVG has the theme's colours, text that can be selected, and no
// fonts; ANSI is what a terminal shows; plain text is the characters. A picture is recognised by
// how it begins, which for the last two is the screen's header: so the same command can be
// repeated, and another file with such an ending is not overwritten.

package tui

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"cowscope/actions"
	"cowscope/actions/output"
	"cowscope/tui/cell"
	"cowscope/vmspace/printable"

	tea "charm.land/bubbletea/v2"
)

// still is a kind of picture.
type still struct {
	ending string // of the file name
	draw   func(*cell.Canvas, *cell.Theme) string
	begins string // how such a picture begins, a regular expression
}

var stills = []still{
	{".svg", func(c *cell.Canvas, t *cell.Theme) string { return c.SVG(t, "cowscope") },
		`^<svg xmlns="http://www\.w3\.org/2000/svg" viewBox="[0-9 ]+" [^\n]*>\n<title>cowscope</title>\n`},
	{".ansi", func(c *cell.Canvas, t *cell.Theme) string { return c.Render(t) + "\n" },
		`^(\x1b\[[0-9;]*m)* (\x1b\[[0-9;]*m)*cowscope[^\n]* (\x1b\[[0-9;]*m)*step [0-9]+/[0-9]+`},
	{".txt", (*cell.Canvas).PlainText,
		`^ cowscope [^\n]* step [0-9]+/[0-9]+  `},
}

// file is the kind of file for the picture; by is the flag or command that names it.
func (k still) file(by string) output.Kind {
	return output.Kind{By: by, What: "a picture of cowscope", Mine: func(head io.Reader) bool {
		b, err := io.ReadAll(head)
		return err == nil && regexp.MustCompile(k.begins).Match(b)
	}}
}

// stillKind returns the kind of picture for a file name.
func stillKind(path string) (still, error) {
	var endings []string
	for _, k := range stills {
		if strings.EqualFold(filepath.Ext(path), k.ending) {
			return k, nil
		}
		endings = append(endings, k.ending)
	}
	return still{}, fmt.Errorf("--still %s: the ending of the name says what the picture is to be: %s", printable.Name(path), strings.Join(endings, ", "))
}

// writeStill writes the current screen into a file.
func (m *App) writeStill(path string) error {
	k, err := stillKind(path)
	if err != nil {
		return err
	}
	m.View()
	return k.file("--still").Write(path, []byte(k.draw(m.canvas, m.theme)))
}

// WriteStill writes the last screen of a lab, as on a terminal of that size, into a file.
func WriteStill(path string, l actions.Lab, o ScreenOptions, size Size) error {
	m, err := New(l, Options{Theme: orDefault(o.Theme), ASCII: o.ASCII, Plain: o.plain()})
	if err != nil {
		return err
	}
	s := newStage(m, nil)
	s.update(tea.WindowSizeMsg{Width: size.W, Height: size.H})
	s.settle(m.peek())
	return m.writeStill(path)
}

// CheckStill returns what is wrong with the file name of a picture; an empty name is valid.
func CheckStill(path string) error { return Output{Still: path}.check() }

// stillMsg says that a picture was written, or why not.
type stillMsg struct {
	name string
	err  error
}

func (s stillMsg) told() (text string, bad bool) {
	if s.err != nil {
		return "no picture: " + s.err.Error(), true
	}
	return "the picture is in " + s.name, false
}

// maxStills is the number of pictures in a directory from which on no more are made.
const maxStills = 10_000

// takeStill makes a picture of the screen, under a free name.
func (m *App) takeStill() tea.Cmd {
	if m.canvas == nil {
		return nil
	}
	k := stills[0]
	picture := []byte(k.draw(m.canvas, m.theme))
	return func() tea.Msg {
		for n := 1; n <= maxStills; n++ {
			name := fmt.Sprintf("cowscope-%d%s", n, k.ending)
			if err := k.file("").New(name, picture); !errors.Is(err, fs.ErrExist) {
				return stillMsg{name, err}
			}
		}
		return stillMsg{err: errors.New("there are too many in this directory")}
	}
}
