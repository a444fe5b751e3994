// A demo on the screen: its beats are keys and commands of the real screen, one after another.
//
// Rules: a demo does nothing that a user could not do; the next beat waits until the screen has
// finished the previous one; the first failure ends the demo, with its place.

package tui

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/tui/cell"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
)

// play is the demo that an App shows. A nil play shows none.
type play struct {
	demo    *Demo
	fast    bool // without delays
	leaves  bool // the screen is left at the end
	next    int  // index of the next beat
	caption string
	held    bool // a command is running: the next beat follows it
	still   bool // the user has paused it
	due     bool // a beat became due meanwhile
	err     error
}

// playMsg says that the next beat is due.
type playMsg struct{}

// NewPlay returns the model for a demo.
func NewPlay(d *Demo, lab actions.Lab, opts Options) (*App, error) {
	m, err := New(lab, opts)
	if err == nil {
		m.play, m.presenting = &play{demo: d}, true
	}
	return m, err
}

func (p *play) begin(m *App) tea.Cmd {
	if p == nil {
		return nil
	}
	return p.schedule(m)
}

// schedule sends a message when the next beat is due.
func (p *play) schedule(m *App) tea.Cmd {
	wait := p.demo.beats[p.next].wait
	if p.fast {
		wait = 0
	}
	return m.later(wait, playMsg{})
}

// take sees each message first: while a demo is shown, its keys come from the demo, and the user
// can only pause it and leave.
func (p *play) take(m *App, msg tea.Msg) (cmd tea.Cmd, taken bool) {
	if p == nil {
		return nil, false
	}
	switch msg := msg.(type) {
	case playMsg:
		return p.beat(m), true
	case tea.KeyPressMsg:
		return p.userKey(m, msg.String()), true
	case tea.PasteMsg, tea.MouseMsg:
		return nil, true
	}
	return nil, false
}

func (p *play) userKey(m *App, key string) tea.Cmd {
	switch key {
	case "q", "ctrl+c":
		p.err = errors.New("the demo was left before its end")
		return m.quit()
	case "ctrl+z":
		return m.suspend()
	case "space":
		p.still = !p.still
		if p.due && !p.still {
			p.due = false
			return p.beat(m)
		}
	}
	return nil
}

// beat runs the next beat.
func (p *play) beat(m *App) tea.Cmd {
	if p.still {
		p.due = true
		return nil
	}
	if p.next == len(p.demo.beats)-1 {
		return p.end(m)
	}
	b := p.demo.beats[p.next]
	p.next++
	m.fresh = false
	cmd := b.do(m)
	switch {
	case m.bad && m.busy == "":
		return p.fail(m, errors.New(m.message))
	case m.busy != "":
		p.held = true
		return cmd
	}
	return tea.Batch(cmd, p.schedule(m))
}

// follow handles the end of a command: if it is not what the demo expects, the demo is over.
func (p *play) follow(m *App, d doneMsg) tea.Cmd {
	switch {
	case p == nil || !p.held:
		return nil
	case d.err != nil:
		return p.fail(m, d.err)
	case d.step != nil && d.step.Result == history.Failed:
		return p.fail(m, fmt.Errorf("%s does not hold: it is %s, not %s", d.line, d.step.Got, d.step.Want))
	}
	p.held = false
	return p.schedule(m)
}

func (p *play) fail(m *App, err error) tea.Cmd {
	p.err = p.demo.wrong(p.demo.beats[p.next-1].line, err)
	return m.quit()
}

// end leaves the screen, or gives the keys to the user.
func (p *play) end(m *App) tea.Cmd {
	p.next = len(p.demo.beats)
	if p.leaves {
		return m.quit()
	}
	m.play = nil
	m.say("That was the demo. The lab is yours now: every key works, q quits.", false)
	return nil
}

// outcome is the result of the demo: an error if it did not reach its end.
func (p *play) outcome() error {
	switch {
	case p == nil:
		return nil
	case p.err == nil && p.next < len(p.demo.beats):
		return p.demo.wrong(p.demo.beats[p.next].line, errors.New("the demo ended here, before its end"))
	}
	return p.err
}

// check checks an expectation. It is not a key press.
func (m *App) check(line string) tea.Cmd {
	was := m.pressed
	cmd := m.run(line)
	m.pressed = was
	return cmd
}

// captionLines is the number of lines of a caption, used or not, so that the screen does not jump.
const captionLines = 2

func (m *App) captionHeight() int {
	if m.play == nil || m.h <= pane.MinHeight+captionLines {
		return 0
	}
	return captionLines
}

func drawCaption(p cell.Pen, pl *play) {
	if p.R.Empty() || pl == nil || pl.caption == "" {
		return
	}
	for y, l := range cell.Wrap(pl.caption, p.R.W-5) {
		p.Put(1, y, cell.Accent|cell.Bold, "▌")
		p.Put(3, y, cell.Title|cell.Bold, l)
	}
}

// mode is what the screen shows, for its header.
func (m *App) mode() string {
	switch {
	case m.course != nil:
		return m.course.title
	case m.play != nil:
		return "demo " + m.play.demo.Name
	}
	return cmp.Or(m.lab.Info().Mode, "lab")
}

// later is a tea.Tick with a message that does not depend on the time.
func later(d time.Duration, msg tea.Msg) tea.Cmd {
	return tea.Tick(d, func(time.Time) tea.Msg { return msg })
}
