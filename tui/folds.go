package tui

import (
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
)

// Folds: on the screen of a living process the segments of each ELF file are one row that opens. In
// the lab every mapping is one that the user made, and has a row.

// labelled reports whether the processes are those of a lab, where the text of each has a name.
func (m *App) labelled() bool { return m.step().Names.Has("text") }

// foldsNow are the folds of the picture that is shown; nil where nothing is folded.
func (m *App) foldsNow() *pane.Folds {
	if m.labelled() {
		return nil
	}
	return &m.folds
}

// rows are the lines of the map of the picture that is shown.
func (m *App) rows() pane.Rows { return pane.Rows{Snap: m.step().After, Folds: m.foldsNow()} }

// folds reports whether anything can be folded here.
func folds(m *App) bool { return !m.labelled() }

func needFold(m *App) string {
	if m.rows().At(m.cursor).Fold == pane.NoFold {
		return "nothing is folded in this row; O opens all folds"
	}
	return ""
}

// toggleFold opens or closes the fold of the row under the cursor, which stays on its page.
func (m *App) toggleFold() tea.Cmd {
	m.folds.Toggle(m.step().After, m.cursor)
	return nil
}

func (m *App) toggleFolds() tea.Cmd {
	m.folds.ToggleAll()
	return nil
}
