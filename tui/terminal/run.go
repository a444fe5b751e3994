// Package terminal runs a Bubble Tea model in the terminal: input passes a filter, output is
// bounded, and the terminal is restored whatever ends the program.
package terminal

import (
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// FramesPerSecond is the maximum frame rate: half of Bubble Tea's own. Its renderer also ticks when
// nothing changes, and that is most of the cost of an idle screen.
const FramesPerSecond = 30

// Options are how a model runs.
type Options struct {
	Plain        bool         // no colour
	Typed, Shown func([]byte) // called with input and with output; nil for none
}

// Run runs the model until it quits. A *PanicError or a SignalError is any other ending.
func Run(m tea.Model, o Options) error {
	t, err := open()
	if err != nil {
		return err
	}
	defer t.giveBack(false) // if Run panics
	t.typed, t.shown = o.Typed, o.Shown
	f := &fence{m: m}
	opts := append(t.options(), tea.WithoutSignalHandler(), tea.WithFPS(FramesPerSecond), tea.WithFilter(t.bound))
	if o.Plain {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	p := tea.NewProgram(f, opts...)
	f.quit, t.send = p.Quit, p.Send
	if t.early != "" {
		t.tell(t.early)
	}
	done := make(chan struct{})
	defer close(done)
	t.watchSize(p.Send, done)
	ended := t.watch(p.Quit, done)
	_, err = p.Run()
	t.giveBack(true)
	if e := f.broken(); e != nil {
		return e
	}
	select {
	case e := <-ended:
		return e
	default:
		return err
	}
}
