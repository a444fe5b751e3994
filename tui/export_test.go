package tui

import (
	"time"

	"cowscope/actions"
	"cowscope/tui/terminal"

	tea "charm.land/bubbletea/v2"
)

// RunWith runs the screen on any lab in the terminal, for tests in a process of their own.
func RunWith(lab actions.Lab) error {
	m, err := New(lab, Options{})
	if err != nil {
		return err
	}
	return terminal.Run(m, terminal.Options{})
}

// DemoWords are the words that a demo has beside the language.
func DemoWords() (words []string) {
	for _, w := range demoWords {
		words = append(words, w.word)
	}
	return words
}

// RunBroken runs the screen on a lab, in a terminal, with a part of it that does something else
// when a fork is sent.
func RunBroken(lab actions.Lab, part string) error {
	m, err := New(lab, Options{})
	if err != nil {
		return err
	}
	was := m.later
	m.later = func(d time.Duration, msg tea.Msg) tea.Cmd {
		if m.busy == "fork" {
			switch part {
			case "update":
				panic("something broke")
			case "view":
				m.theme = nil
			}
		}
		return was(d, msg)
	}
	return terminal.Run(m, terminal.Options{})
}
