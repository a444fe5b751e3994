package tui

import (
	"strings"
	"testing"

	"cowscope/vmspace/procfs"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var someProcesses = []procfs.Listed{
	{PID: 40, Parent: 1, Name: "redis-server", Args: "/usr/bin/redis-server *:6379", RSS: 300 << 20, Readable: true},
	{PID: 44, Parent: 40, Name: "redis-server", Args: "redis-rdb-bgsave", RSS: 290 << 20, Readable: true},
	{PID: 50, Parent: 1, Name: "sh", Args: "sh -c redis-cli", RSS: 3 << 20, Readable: true},
	{PID: 1, Name: "init", Args: "/sbin/init", UID: 0, RSS: 1 << 20},
	{PID: 60, Parent: 50, Name: "a\x1b[2J\nb", Args: "x\x1b]0;title\ay", Readable: true},
}

func pickerOf(t *testing.T, w, h int) *picker {
	t.Helper()
	m, err := newPicker("", Options{Theme: "dark"})
	if err != nil {
		t.Fatal(err)
	}
	m.Update(tea.WindowSizeMsg{Width: w, Height: h})
	m.Update(listedMsg{all: someProcesses, pss: map[int]uint64{40: 200 << 20}})
	return m
}

func pressIn(m *picker, keys ...string) {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k}
		switch k {
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "down":
			msg = tea.KeyPressMsg{Code: tea.KeyDown}
		case "pgdown":
			msg = tea.KeyPressMsg{Code: tea.KeyPgDown}
		}
		m.Update(msg)
	}
}

func TestPicker(t *testing.T) {
	for _, c := range []struct {
		keys   string
		chosen int
		says   string
	}{
		{"enter", 40, ""},
		{"down enter", 44, ""},
		{"r e d i s enter", 40, ""},
		{"c l i enter", 50, ""},
		{"b g s enter", 44, ""},
		{"4 4 enter", 44, ""},
		{"pgdown enter", 60, ""},
		{"down down down down down down enter", 60, ""},
		{"s b i n / i enter", 0, "only root and root may read its memory"},
		{"n o b o d y h a s enter", 0, "no process has that"},
		{"x x x esc down enter", 44, ""},
	} {
		m := pickerOf(t, 80, 24)
		pressIn(m, strings.Fields(c.keys)...)
		if m.chosen != c.chosen {
			t.Errorf("%s: chosen %d, want %d", c.keys, m.chosen, c.chosen)
		}
		if text := ansi.Strip(m.View().Content); !strings.Contains(text, c.says) {
			t.Errorf("%s: %s", c.keys, text)
		}
	}
}

// What a process calls itself is shown and never obeyed; every line has the width of the screen.
func TestPickerScreen(t *testing.T) {
	for _, size := range []Size{{80, 24}, {200, 10}, {60, 16}, {10, 3}, {0, 0}} {
		m := pickerOf(t, size.W, size.H)
		text := m.View().Content
		if strings.Contains(text, "\x1b[2J") || strings.Contains(text, "\x1b]0;") {
			t.Errorf("%v: %q", size, text)
		}
		for _, line := range strings.Split(text, "\n") {
			if size.H > 0 && ansi.StringWidth(line) != size.W {
				t.Errorf("%v: a line of %d columns", size, ansi.StringWidth(line))
			}
		}
	}
	text := ansi.Strip(pickerOf(t, 80, 24).View().Content)
	for _, want := range []string{"5 processes", "300 MiB", "200 MiB", "/usr/bin/redis-serv"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string][]int{"redis-server": {40}, "sh": {50}, "init": {1}, "redis-rdb-bgsave": {44}, "nobody": nil} {
		var got []int
		for _, p := range named(someProcesses, name) {
			got = append(got, p.PID)
		}
		if len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
