// Forms: the parameters of a verb as fields. A form makes a command line, and shows it while it is
// filled in.

package tui

import (
	"errors"
	"fmt"
	"strings"

	"cowscope/actions/lang"
	"cowscope/tui/cell"
	"cowscope/tui/pane"
	"cowscope/vmspace"

	tea "charm.land/bubbletea/v2"
)

// form is a verb being filled in.
type form struct {
	verb   *lang.Verb
	fields []field
	at     int
	err    string
}

// field is one parameter.
type field struct {
	param *lang.Param
	editor
	err string
}

// bindField is the parameter for NAME =, which stands before the verb.
var bindField = lang.Param{Name: "name", Kind: lang.KindWord, Optional: true, Help: "what to call it; the next free letter if empty"}

// openForm opens the form of a verb, with values from the cursor filled in.
func openForm(verb string) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		v := m.lab.Grammar().Verb(verb)
		if v == nil {
			return nil
		}
		f := &form{verb: v}
		for i := range v.Params {
			p := &v.Params[i]
			f.fields = append(f.fields, field{param: p, editor: newEditor(m.prefill(verb, p))})
		}
		if v.Binds {
			f.fields = append(f.fields, field{param: &bindField, editor: newEditor("")})
		}
		m.over = f
		return nil
	}
}

// prefill is the initial text of a field: the row or the page under the cursor, its permissions, or
// the parameter's default.
func (m *App) prefill(verb string, p *lang.Param) string {
	switch p.Kind {
	case lang.KindRange:
		return m.rowRange()
	case lang.KindPlace:
		return m.place()
	case lang.KindProt:
		if mp, ok := m.mapping(); ok && verb == "mprotect" {
			return lang.Prot(mp.Perms & (vmspace.Read | vmspace.Write | vmspace.Exec)).String()
		}
	}
	return p.Default
}

func (m *App) mapping() (vmspace.Mapping, bool) {
	st := m.step()
	p := st.After.Process(st.Current)
	if p == nil {
		return vmspace.Mapping{}, false
	}
	return p.MappingAt(m.cursor)
}

// rowRange is the selected row in the language: a name alone if that is the whole row, otherwise a
// place and a size.
func (m *App) rowRange() string {
	st := m.step()
	ps := st.After.PageSize
	r := pane.RowAt(st.After, m.cursor)
	if r.Gap {
		return m.place() + " 1p"
	}
	place := m.placeOf(r.Start)
	if _, b, ok := st.Names.Of(st.Current, r.Start); ok && b.End == r.End {
		return place // a range without a size reaches to the end of its name
	}
	return fmt.Sprintf("%s %dp", place, r.Pages(ps))
}

func (f *form) key(m *App, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		m.over = nil
	case "enter":
		return f.enter(m)
	case "tab", "down":
		f.move(1)
	case "shift+tab", "up":
		f.move(-1)
	default:
		fd := &f.fields[f.at]
		fd.key(k)
		fd.err, f.err = "", ""
	}
	return nil
}

func (f *form) paste(_ *App, text string) {
	f.fields[f.at].insert(strings.Join(strings.Fields(text), " "))
}

// move moves to another field; leaving a field checks it.
func (f *form) move(d int) {
	f.check(f.at)
	f.at = (f.at + d + len(f.fields)) % len(f.fields)
}

// check shows the error of a field below it.
func (f *form) check(i int) bool {
	fd := &f.fields[i]
	fd.err = ""
	if fd.param == &bindField {
		if t := strings.TrimSpace(fd.text()); t != "" && !lang.IsName(t) {
			fd.err = "a name is a letter, then letters, digits and _; p1, p2… are processes"
		}
		return fd.err == ""
	}
	if err := f.verb.CheckField(fd.param.Name, fd.text()); err != nil {
		var syn *lang.SyntaxError
		if errors.As(err, &syn) {
			fd.err = syn.Msg
			if syn.Hint != "" {
				fd.err += "; " + syn.Hint
			}
		} else {
			fd.err = err.Error()
		}
	}
	return fd.err == ""
}

// line is the command that the fields make.
func (f *form) line() string {
	texts, bind := map[string]string{}, ""
	for i := range f.fields {
		fd := &f.fields[i]
		if fd.param == &bindField {
			bind = strings.TrimSpace(fd.text())
			continue
		}
		texts[fd.param.Name] = fd.text()
	}
	return lang.Compose(f.verb, texts, bind)
}

func (f *form) enter(m *App) tea.Cmd {
	for i := range f.fields {
		if !f.check(i) {
			f.at = i
			return nil
		}
	}
	line := f.line()
	if _, err := m.lab.Grammar().Parse(line); err != nil {
		f.fail(err)
		return nil
	}
	return m.run(line)
}

func (f *form) fail(err error) bool {
	f.err = err.Error()
	return true
}

const formLabel = 10

func (f *form) draw(p cell.Pen, m *App) *tea.Cursor {
	w := min(72, p.R.W-2)
	h := min(len(f.fields)+6, p.R.H-2)
	box := p.Sub(cell.At((p.R.W-w)/2, max((p.R.H-h)/3, 1), w, h))
	box.Fill(0)
	inner := cell.Box(box, f.verb.Name+": "+f.verb.Summary, cell.Accent)
	if inner.R.Empty() {
		return nil
	}
	rows := max(inner.R.H-4, 1)
	first := min(max(0, f.at-rows+1), max(0, len(f.fields)-rows))
	var cursor *tea.Cursor
	for i := first; i < min(first+rows, len(f.fields)); i++ {
		fd := &f.fields[i]
		y := i - first
		label := cell.Dim
		if i == f.at {
			label = cell.Title
			inner.Put(0, y, cell.Accent|cell.Bold, "▸")
		}
		if fd.err != "" {
			label = cell.Bad | cell.Bold
		}
		inner.Cut(2, y, formLabel, label, fd.param.Name)
		x := fd.draw(inner, 3+formLabel, y, inner.R.W-formLabel-4, cell.Field|cell.InRow)
		if i == f.at {
			cursor = tea.NewCursor(inner.R.X+min(x, inner.R.W-2), inner.R.Y+y)
		}
	}
	f.drawFoot(inner, m)
	drawFooter(p, "Enter", "run", "Tab", "next field", "Esc", "close")
	return cursor
}

// drawFoot draws the possible words of the field, or its error, and the command that the form
// makes.
func (f *form) drawFoot(p cell.Pen, m *App) {
	fd := &f.fields[f.at]
	y := p.R.H - 3
	text, st := fd.param.Help, cell.Dim
	if words := fieldWords(fd.param); words != "" {
		text = words
	}
	switch {
	case fd.err != "":
		text, st = fd.err, cell.Bad
	case f.err != "":
		text, st = f.err, cell.Bad
	}
	for i, l := range cell.Wrap(text, p.R.W-4) {
		if i < 2 {
			p.Put(2, y+i, st, l)
		}
	}
	x := p.Put(2, p.R.H-1, cell.Accent|cell.Bold, m.step().Current)
	p.Cut(x+1, p.R.H-1, p.R.W-x-2, cell.Title, f.line())
}

func fieldWords(p *lang.Param) string {
	var out []string
	for _, w := range p.Words {
		out = append(out, w.Name)
	}
	return strings.Join(out, " ")
}
