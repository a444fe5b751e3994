package tui

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cowscope/actions/watch"

	tea "charm.land/bubbletea/v2"
)

// BenchmarkWatchedKeyToFrame is a key on the screen of a watched process: with few mappings, with
// 60,000, and with 60,000 pieces of one file, each of which could be the segment of a program.
func BenchmarkWatchedKeyToFrame(b *testing.B) {
	var few time.Duration
	for _, c := range []struct {
		name, kind string
		mappings   int
	}{{"few", "anon", 5}, {"many", "anon", 60_000}, {"file", "file=f", 60_000}} {
		b.Run(c.name, func(b *testing.B) {
			lab := benchLab(b, 5).lab
			do := func(format string, a ...any) {
				if st, err := lab.Do(context.Background(), fmt.Sprintf(format, a...)); err != nil || !st.OK() {
					b.Fatal(format, a, st, err)
				}
			}
			if c.mappings > 5 {
				do("file f %dp", c.mappings)
				do("big = mmap %dp rx private %s", c.mappings, c.kind)
				for i := 1; i < c.mappings; i += 2 {
					do("mprotect big+%dp 1p r", i)
				}
			}
			w, err := watch.Open(context.Background(), lab.History()[0].PID)
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			m, err := New(w, Options{})
			if err != nil {
				b.Fatal(err)
			}
			m.Update(tea.WindowSizeMsg{Width: 120, Height: 36})
			m.firstRow()
			for range 50 {
				moveRow(1)(m)
			}
			n := 0
			for b.Loop() {
				n++
				benchKey(m, pressOf([]string{"down", "up"}[n%2]))
			}
			each := b.Elapsed() / time.Duration(b.N)
			if c.name == "few" {
				few = each
			}
			b.ReportMetric(float64(each)/float64(few), "times-few")
		})
	}
}
