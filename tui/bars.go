// The header and the key bar.

package tui

import (
	"fmt"

	"cowscope/tui/cell"
)

func drawHeader(p cell.Pen, s *scene) {
	if p.R.Empty() {
		return
	}
	x := p.Put(1, 0, cell.Accent|cell.Bold, "cowscope")
	mode, state, st := s.mode, "● live", cell.Good
	if s.recorded != "" {
		mode, state = "replay", "● end"
	}
	if !s.live {
		state, st = "◀ history", cell.Warn
	}
	if s.busy != "" {
		state, st = "⟳ "+s.busy, cell.Warn
	}
	state = cell.Clip(state, p.R.W/2)
	right := fmt.Sprintf("step %d/%d", s.step.N, s.steps[len(s.steps)-1].N)
	end := p.R.W - 1
	p.Right(end, 0, st, state)
	end -= cell.Width(state) + 2
	if end-cell.Width(right) > x+1 {
		p.Right(end, 0, cell.Plain, right)
		end -= cell.Width(right) + 2
	}
	for _, part := range []string{mode, s.kernel, s.rights, s.recorded} {
		if part != "" && x+3+cell.Width(part) < end {
			x = p.Put(x, 0, cell.Faint, " · ")
			x = p.Put(x, 0, cell.Dim, part)
		}
	}
}

// drawKeys draws the key bar: a message where there is one, else the keys that fit, essential ones
// first.
func drawKeys(p cell.Pen, s *scene, keys []keyHelp) {
	if p.R.Empty() {
		return
	}
	if s.message != "" {
		st := cell.Plain
		if s.bad {
			st = cell.Bad
		}
		p.Cut(1, 0, p.R.W-2, st|cell.Bold, s.message)
		return
	}
	x := 1
	end := p.R.W - 1
	for _, k := range keys {
		w := cell.Width(k.key) + 1 + cell.Width(k.short)
		if x+w > end {
			continue
		}
		key, text := cell.KeyCap, cell.Plain
		if k.off {
			key, text = cell.Faint, cell.Faint
		}
		x = p.Put(x, 0, key, k.key)
		x = p.Put(x+1, 0, text, k.short) + 2
	}
}

// keyHelp is one key as the bar shows it.
type keyHelp struct {
	key, short string
	off        bool
}
