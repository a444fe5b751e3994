// Stills: the canvas as a picture. SVG has the theme's colours, text that can be selected, and no font files; ANSI is what a terminal
// shows of it; plain text is the characters. A picture is recognised by how it begins, which for the last two is the screen's header:
// so the same command can be run again, and a file of somebody's own that has such an ending is not lost.

package tui

import (
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"cowscope/actions/output"
	"cowscope/vmspace/printable"

	tea "charm.land/bubbletea/v2"
)

// still is a kind of picture.
type still struct {
	ending string // of the file's name
	draw   func(*canvas, *theme) string
	begins *regexp.Regexp // such a picture
}

var stills = []still{
	{".svg", func(c *canvas, t *theme) string { return c.svg(t, "cowscope") },
		regexp.MustCompile(`^<svg xmlns="http://www\.w3\.org/2000/svg" viewBox="[0-9 ]+" [^\n]*>\n<title>cowscope</title>\n`)},
	{".ansi", func(c *canvas, t *theme) string { return c.render(t) + "\n" },
		regexp.MustCompile(`^(\x1b\[[0-9;]*m)* (\x1b\[[0-9;]*m)*cowscope[^\n]* (\x1b\[[0-9;]*m)*step [0-9]+/[0-9]+`)},
	{".txt", (*canvas).plain,
		regexp.MustCompile(`^ cowscope [^\n]* step [0-9]+/[0-9]+  `)},
}

// file is the kind of file that the picture goes to; by is what asked for it.
func (k still) file(by string) output.Kind {
	return output.Kind{By: by, What: "a picture of cowscope", Mine: func(head io.Reader) bool {
		b, err := io.ReadAll(head)
		return err == nil && k.begins.Match(b)
	}}
}

// stillKind is the kind of picture that a file's name asks for.
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

// writeStill draws the screen as it is now into a file.
func (m *App) writeStill(path string) error {
	k, err := stillKind(path)
	if err != nil {
		return err
	}
	m.View()
	return k.file("--still").Write(path, []byte(k.draw(m.canvas, m.theme)))
}

// WriteStill draws the last screen of a lab, as it would be on a terminal of that size, into a file.
func WriteStill(path string, l Lab, o ScreenOptions, size Size) error {
	m, err := New(l, Options{Theme: orDefault(o.Theme), ASCII: o.ASCII, Plain: o.plain()})
	if err != nil {
		return err
	}
	s := newStage(m, nil)
	s.update(tea.WindowSizeMsg{Width: size.W, Height: size.H})
	s.settle(m.peek())
	return m.writeStill(path)
}

// CheckStill says what is wrong with the name of a picture's file; none is well.
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

// maxStills is how many pictures a directory may hold before no more are made.
const maxStills = 10_000

// takeStill makes a picture of what is on the screen, under a name that is free.
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

// plain is the text of the canvas, without colour.
func (c *canvas) plain(t *theme) string {
	var b strings.Builder
	for y := range c.h {
		var line strings.Builder
		for _, ce := range c.cells[y*c.w:][:c.w] {
			line.WriteString(t.glyph(ce.text))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

const (
	cellW = 9  // width of a cell in SVG units
	cellH = 19 // height
)

// svg writes the canvas as a picture.
func (c *canvas) svg(t *theme, title string) string {
	var b strings.Builder
	w, h := c.w*cellW+2*cellH, c.h*cellH+2*cellH
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="15">`+"\n", w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="10" fill="%s"/>`+"\n", w, h, t.palette.ground)
	for y := range c.h {
		line := c.cells[y*c.w:][:c.w]
		for x := 0; x < c.w; {
			n := x + 1
			for n < c.w && line[n].style == line[x].style {
				n++
			}
			c.svgRun(&b, t, line[x:n], x, y)
			x = n
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// svgRun writes cells of one style: their background, then their text stretched to the cells' width.
func (c *canvas) svgRun(b *strings.Builder, t *theme, run []cell, x, y int) {
	st := run[0].style
	px, py := cellH+x*cellW, cellH+y*cellH
	fg, bg := t.picture(st)
	if bg != "" {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", px, py, len(run)*cellW, cellH, bg)
	}
	var text strings.Builder
	for _, ce := range run {
		text.WriteString(t.glyph(ce.text))
	}
	trimmed := strings.TrimLeft(text.String(), " ")
	lead := len(text.String()) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, " ")
	if trimmed == "" {
		return
	}
	weight := ""
	if st&flagBold != 0 || st&0xff == roleTitle || st&0xff == roleKey {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(b, `<text xml:space="preserve" x="%d" y="%d" fill="%s"%s textLength="%d">%s</text>`+"\n",
		px+lead*cellW, py+14, fg, weight, textWidth(trimmed)*cellW, html.EscapeString(trimmed))
}

// picture is the foreground and background of a style as colours.
func (t *theme) picture(s Style) (fg, bg string) {
	if fg = t.colour(s & 0xff); fg == "" {
		fg = t.palette.text
	}
	switch {
	case s&flagReverse != 0:
		return t.palette.ground, fg
	case s&flagCursor != 0:
		return fg, t.palette.cursor
	case s&flagMark != 0:
		return fg, t.palette.mark
	case s&flagRow != 0:
		return fg, t.palette.row
	}
	return fg, ""
}
