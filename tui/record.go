// Recording: what goes to the terminal goes on a tape too, with a marker for each step.

package tui

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"cowscope/tui/cast"

	"github.com/charmbracelet/x/term"
)

// Output is the files that a screen leaves behind. The zero Output leaves none.
type Output struct {
	Record string // file of the recording
	Cast   int    // version of its format
	Input  bool   // what is typed is recorded too
	Still  string // file of a picture of the last screen
}

// check says what is wrong with the options, before anything runs.
func (o Output) check() error {
	if o.Record == "" && o.Input {
		return errors.New("--record-input needs --record FILE: it says what goes into the recording")
	}
	if o.Record != "" && !slices.Contains(cast.Versions, o.Cast) {
		return fmt.Errorf("--cast-version %d: there are versions %v", o.Cast, cast.Versions)
	}
	if o.Still == "" {
		return nil
	}
	k, err := stillKind(o.Still)
	if err == nil {
		err = k.file("--still").Check(o.Still)
	}
	return err
}

// open makes the file of the recording, nil where nothing is recorded.
func (o Output) open() (*cast.File, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return cast.Create(o.Record)
}

// chapters puts a marker on the tape for each step that is new. What a lesson or a demo checks by
// the way begins no chapter.
func (m *App) chapters() {
	for _, st := range m.steps[slices.Index(m.steps, m.chapter)+1:] {
		m.chapter = st
		by := st.Check && st.OK() && (m.course != nil || m.play != nil)
		if st.N == 0 || by {
			continue
		}
		name := st.Command
		if name == "" {
			name = st.Event
		}
		if m.course != nil {
			s := m.course.player.State()
			name = fmt.Sprintf("%d/%d %s · %s", s.Front+1, len(s.Steps), s.Steps[s.Front].Heading, name)
		}
		m.tape.Marker(name)
	}
	if err := m.tape.Fails(); err != nil {
		m.say(err.Error(), true)
	}
}

// refresh takes over the history.
func (m *App) refresh() {
	m.steps = m.lab.History()
	if m.tape != nil {
		m.chapters()
	}
}

// header describes a recording of this screen.
func (m *App) header(version int, size Size, title string) cast.Header {
	h := cast.Header{Version: version, Width: size.W, Height: size.H, Title: title, Term: os.Getenv("TERM"), Shell: os.Getenv("SHELL"), Timestamp: time.Now().Unix()}
	if p := m.theme.Palette; !m.theme.Plain {
		h.Theme = &cast.Theme{Foreground: p.Text, Background: p.Ground, Palette: p.ANSI}
	}
	return h
}

// terminalSize is the size of the terminal; one that does not know its size counts as the usual
// one, until it tells.
func terminalSize() Size {
	w, h, err := term.GetSize(os.Stdout.Fd())
	if err != nil || w <= 0 || h <= 0 {
		return Size{80, 24}
	}
	w, h = fitSize(w, h)
	return Size{w, h}
}

// run runs the model in the terminal, and leaves the files behind that were asked for.
func (o LabOptions) run(m *App, file *cast.File, title string) (err error) {
	var typed, shown func([]byte)
	if file != nil {
		if m.tape, err = cast.NewTape(file, m.header(o.Cast, terminalSize(), title)); err != nil {
			return err
		}
		m.chapter = m.steps[len(m.steps)-1] // what was before it is not on it
		if shown = m.tape.Output; o.Input {
			typed = m.tape.Input
		}
	}
	err = errors.Join(runProgram(m, o.plain(), typed, shown), m.tape.Close())
	if o.Still != "" {
		err = errors.Join(err, m.writeStill(o.Still))
	}
	return err
}
