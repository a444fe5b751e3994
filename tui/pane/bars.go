// The header and the key bar.

package pane

import (
	"fmt"
	"slices"

	"cowscope/tui/cell"
)

// DrawHeader draws the line at the top.
func DrawHeader(p cell.Pen, s *Scene) {
	if p.R.Empty() {
		return
	}
	x := p.Put(1, 0, cell.Accent|cell.Bold, "cowscope")
	state, st := "● live", cell.Good
	if s.Still {
		state = "● end"
	}
	if !s.Live {
		state, st = "◀ history", cell.Warn
	}
	if s.Busy != "" {
		state, st = "⟳ "+s.Busy, cell.Warn
	}
	state = cell.Clip(state, p.R.W/2)
	right := fmt.Sprintf("step %d/%d", s.Step.N, s.Steps[len(s.Steps)-1].N)
	end := p.R.W - 1
	p.Right(end, 0, st, state)
	end -= cell.Width(state) + 2
	if end-cell.Width(right) > x+1 {
		p.Right(end, 0, cell.Plain, right)
		end -= cell.Width(right) + 2
	}
	parts := []string{s.Mode, s.Kernel, s.Rights, s.Note}
	if s.Watched {
		parts = slices.Concat([]string{s.Mode, s.Note}, s.Cost, []string{s.Kernel, s.Rights})
	}
	for _, part := range parts {
		if part != "" && x+3+cell.Width(part) < end {
			x = p.Put(x, 0, cell.Faint, " · ")
			x = p.Put(x, 0, cell.Dim, part)
		}
	}
}

// DrawKeys draws the key bar: the message, if there is one, otherwise the keys that fit, the most
// important first.
func DrawKeys(p cell.Pen, s *Scene, keys []KeyHelp) {
	if p.R.Empty() {
		return
	}
	if s.Message != "" {
		st := cell.Plain
		if s.Bad {
			st = cell.Bad
		}
		p.Cut(1, 0, p.R.W-2, st|cell.Bold, s.Message)
		return
	}
	x := 1
	end := p.R.W - 1
	for _, k := range keys {
		w := cell.Width(k.Key) + 1 + cell.Width(k.Short)
		if x+w > end {
			continue
		}
		key, text := cell.KeyCap, cell.Plain
		if k.Off {
			key, text = cell.Faint, cell.Faint
		}
		x = p.Put(x, 0, key, k.Key)
		x = p.Put(x+1, 0, text, k.Short) + 2
	}
}

// KeyHelp is one key as the bar shows it.
type KeyHelp struct {
	Key, Short string
	Off        bool
}
