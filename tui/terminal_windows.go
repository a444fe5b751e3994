package tui

import tea "charm.land/bubbletea/v2"

// console is a terminal's other end: on Windows Bubble Tea sets modes of it, and asks it for its
// size.
type console struct{ *terminal }

func (c console) Fd() uintptr { return c.screen.Fd() }

func (t *terminal) options(*App) []tea.ProgramOption {
	return []tea.ProgramOption{tea.WithInput(t), tea.WithOutput(console{t})}
}

// watchSize does nothing: Bubble Tea does it.
func (t *terminal) watchSize(func(tea.Msg), <-chan struct{}) {}
