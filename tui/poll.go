// The gentle poll: what happens without a command, and the bytes under the cursor.

package tui

import (
	"slices"

	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
)

func (m *App) pollLater() tea.Cmd {
	if m.still() {
		return nil // nothing happens there any more
	}
	return m.later(pollEvery, pollMsg{})
}

// poll checks for changes without a command, unless a command is running, whose step will include
// them.
func (m *App) poll() tea.Cmd {
	if m.busy != "" {
		return m.pollLater()
	}
	return func() tea.Msg {
		step, err := m.lab.Poll(m.ctx)
		return polledMsg{step, err}
	}
}

func (m *App) polled(p polledMsg) tea.Cmd {
	if p.err != nil && m.ctx.Err() == nil {
		m.say(p.err.Error(), true)
		m.fresh = false
	}
	if cost := m.lab.Info().Cost; !slices.Equal(cost, m.cost) {
		m.cost, m.fresh = cost, false
	}
	if p.step == nil {
		return m.askBill()
	}
	wasLive := m.live()
	m.fresh = false
	m.sayLost(p.step)
	m.refresh()
	if wasLive {
		cursor := m.cursor
		m.show(len(m.steps) - 1)
		m.cursor = cursor
	}
	return tea.Batch(m.peek(), m.askBill())
}

// follow shows the newest step of a program that runs on, where the newest one was shown.
func (m *App) follow() {
	live := m.live()
	m.refresh()
	if live {
		m.show(len(m.steps) - 1)
	}
}

// peek asks for the bytes of the page under the cursor where they are shown and not yet there.
func (m *App) peek() tea.Cmd {
	want := pane.Peeked{Label: m.current(), Addr: m.cursor, N: m.step().N}
	same := m.asked.Label == want.Label && m.asked.Addr == want.Addr && m.asked.N == want.N
	if same || !m.live() || m.still() || m.busy != "" || m.view == pane.ViewRaw {
		return nil
	}
	p := m.step().After.Process(want.Label)
	if p == nil || !p.PageAt(want.Addr, m.step().After.PageSize).HasFrame() {
		return nil
	}
	m.asked = want
	return func() tea.Msg {
		b, err := m.lab.Peek(m.ctx, want.Label, want.Addr)
		want.Bytes = b
		if err != nil {
			want.Err = err.Error()
		}
		return peekedMsg(want)
	}
}
