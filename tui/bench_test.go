package tui

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cowscope/actions"

	tea "charm.land/bubbletea/v2"
)

// What a key costs, from the key press to the finished frame, with few and with many mappings. The
// renderer's frame period comes on top of both. The last one reports the ratio.

func benchLab(b *testing.B, mappings int) *App {
	b.Helper()
	s, err := actions.Open(actions.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	do := func(format string, a ...any) {
		st, err := s.Do(context.Background(), fmt.Sprintf(format, a...))
		if err != nil || !st.OK() {
			b.Fatal(format, a, st, err)
		}
	}
	if mappings > 5 {
		do("big = mmap %dp rw private anon noreserve", mappings)
		for i := 1; i < mappings; i += 2 {
			do("mprotect big+%dp 1p r", i)
		}
	}
	do("mmap 4p rw shared anon")
	m, err := New(s, Options{})
	if err != nil {
		b.Fatal(err)
	}
	m.Update(tea.WindowSizeMsg{Width: 120, Height: 36})
	m.show(len(m.steps) - 1)
	return m
}

// key presses a key and takes it to its frame.
func benchKey(m *App, k tea.KeyPressMsg) {
	m.press(k)
	if m.busy != "" {
		st, err := m.lab.Do(m.ctx, m.busy)
		m.Update(doneMsg{m.busy, st, err})
	}
	m.View()
}

func BenchmarkKeyToFrame(b *testing.B) {
	for _, key := range []string{"w", "right"} {
		var few time.Duration
		for _, n := range []int{5, 60_000} {
			b.Run(fmt.Sprintf("%s/%d", key, n), func(b *testing.B) {
				m := benchLab(b, n)
				benchKey(m, pressOf(key))
				for b.Loop() {
					benchKey(m, pressOf(key))
				}
				each := b.Elapsed() / time.Duration(b.N)
				if n == 5 {
					few = each
				} else {
					b.ReportMetric(float64(each)/float64(few), "times-few")
				}
			})
		}
	}
}

// BenchmarkStart is everything that the lab does before Bubble Tea shows its first frame.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := actions.Open(actions.Options{})
		if err != nil {
			b.Fatal(err)
		}
		m, err := New(s, Options{})
		if err != nil {
			b.Fatal(err)
		}
		m.Update(tea.WindowSizeMsg{Width: 120, Height: 36})
		m.View()
		s.Close()
	}
}

// BenchmarkFrame draws one frame anew.
func BenchmarkFrame(b *testing.B) {
	m := benchLab(b, 5)
	m.Update(tea.WindowSizeMsg{Width: 200, Height: 60})
	for b.Loop() {
		m.fresh = false
		m.View()
	}
}
