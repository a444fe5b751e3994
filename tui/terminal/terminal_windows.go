package terminal

import tea "charm.land/bubbletea/v2"

// console is the other end of a terminal: on Windows Bubble Tea sets its modes, and reads its size.
type console struct{ *terminal }

func (c console) Fd() uintptr { return c.screen.Fd() }

func (t *terminal) options() []tea.ProgramOption {
	return []tea.ProgramOption{tea.WithInput(t), tea.WithOutput(console{t})}
}

// watchSize does nothing: Bubble Tea does it.
func (t *terminal) watchSize(func(tea.Msg), <-chan struct{}) {}

// CanStop is false: there is no job control.
func CanStop() bool { return false }
