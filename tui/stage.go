// The stage: a screen without a terminal. It passes the messages to the model one by one, by a
// clock of its own that does not wait, and draws each frame with the renderer of Bubble Tea.

package tui

import (
	"bytes"
	"context"
	"slices"
	"time"

	"cowscope/tui/cast"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// stage is a screen without a terminal.
type stage struct {
	m     *App
	now   time.Duration // since the beginning
	real  bool          // the time of commands counts too
	queue []timed       // pending messages, in order
	over  bool

	tape  *cast.Tape // nil if nothing is recorded
	draws *uv.TerminalRenderer
	cells uv.ScreenBuffer
	buf   bytes.Buffer
	shown tea.View
}

// timed is a message with the time at which it is due.
type timed struct {
	at  time.Duration
	msg tea.Msg
}

const stageTerm = "xterm-256color"

// newStage returns a stage for a model.
func newStage(m *App, tape *cast.Tape) *stage {
	s := &stage{m: m, tape: tape}
	s.draws = uv.NewTerminalRenderer(&s.buf, []string{"TERM=" + stageTerm})
	profile := colorprofile.TrueColor
	if m.opts.Plain {
		profile = colorprofile.ASCII
	}
	s.draws.SetColorProfile(profile)
	s.draws.SetTabStops(-1)
	s.draws.SetFullscreen(true)
	s.draws.SetRelativeCursor(false)
	m.later = s.later
	return s
}

// later queues a message for its time. Polls are dropped: each command reads everything again.
func (s *stage) later(d time.Duration, msg tea.Msg) tea.Cmd {
	switch msg.(type) {
	case pollMsg, slowMsg:
		return nil
	}
	return func() tea.Msg {
		at := s.now + d
		i := slices.IndexFunc(s.queue, func(t timed) bool { return t.at > at })
		if i < 0 {
			i = len(s.queue)
		}
		s.queue = slices.Insert(s.queue, i, timed{at, msg})
		return nil
	}
}

// run plays until no message is pending.
func (s *stage) run(ctx context.Context, size Size) error {
	s.update(tea.WindowSizeMsg{Width: size.W, Height: size.H})
	s.settle(s.m.Init())
	s.draw()
	for len(s.queue) > 0 && !s.over {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		next := s.queue[0]
		s.queue = s.queue[1:]
		s.now = max(s.now, next.at)
		s.update(next.msg)
	}
	s.leave()
	return nil
}

// update passes the message to the model, and draws the frame after it.
func (s *stage) update(msg tea.Msg) {
	began := time.Now()
	_, cmd := s.m.Update(msg)
	s.settle(cmd)
	if s.real {
		s.now += time.Since(began)
	}
	s.draw()
}

// settle runs a command and the messages that follow from it.
func (s *stage) settle(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.QuitMsg:
		s.over = true
	case tea.BatchMsg:
		for _, c := range msg {
			s.settle(c)
		}
	default:
		_, next := s.m.Update(msg)
		s.settle(next)
	}
}

// draw records the frame, if it differs from the last one. The output is that of Bubble Tea: modes,
// title and colours, then the differences, with the cursor hidden meanwhile.
func (s *stage) draw() {
	v := s.m.View()
	w, h := max(s.m.w, 0), max(s.m.h, 0)
	if s.tape == nil || w == 0 || h == 0 || v.Content == s.shown.Content && sameCursor(v.Cursor, s.shown.Cursor) {
		return
	}
	if s.cells.RenderBuffer == nil || s.cells.Width() != w || s.cells.Height() != h {
		if s.cells.RenderBuffer == nil {
			s.buf.WriteString(s.enter(v))
		}
		s.cells = uv.NewScreenBuffer(w, h)
		s.draws.Erase()
		s.draws.Resize(w, h)
	}
	if s.shown.Cursor != nil {
		s.buf.WriteString(ansi.ResetModeTextCursorEnable)
	}
	s.cells.Clear()
	uv.NewStyledString(v.Content).Draw(s.cells, s.cells.Bounds())
	s.draws.Render(s.cells.RenderBuffer)
	if c := v.Cursor; c != nil {
		s.draws.MoveTo(c.X, c.Y)
	}
	s.draws.Flush() // into memory
	if v.Cursor != nil {
		s.buf.WriteString(ansi.SetModeTextCursorEnable)
	}
	s.shown = v
	s.flush()
}

func sameCursor(a, b *tea.Cursor) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Position == b.Position
}

// enter is the output before the first frame.
func (s *stage) enter(v tea.View) string {
	out := ansi.SetModeAltScreenSaveCursor + ansi.ResetModeTextCursorEnable + ansi.SetWindowTitle(v.WindowTitle)
	if p := s.m.theme.Palette; v.BackgroundColor != nil {
		out += ansi.SetForegroundColor(p.Text) + ansi.SetBackgroundColor(p.Ground)
	}
	return out
}

// leave restores the terminal: a recording may be played on one.
func (s *stage) leave() {
	if s.cells.RenderBuffer == nil {
		return
	}
	s.buf.WriteString(ansi.ResetModeAltScreenSaveCursor + ansi.SetModeTextCursorEnable + ansi.SetWindowTitle(""))
	if s.shown.BackgroundColor != nil {
		s.buf.WriteString(ansi.ResetBackgroundColor + ansi.ResetForegroundColor)
	}
	s.flush()
}

func (s *stage) flush() {
	s.tape.Output(s.buf.Bytes())
	s.buf.Reset()
}
