// The header and the key bar.

package tui

import "fmt"

func drawHeader(p pen, s *scene) {
	if p.r.empty() {
		return
	}
	x := p.put(1, 0, roleAccent|flagBold, "cowscope")
	mode, state, st := s.mode, "● live", roleGood
	if s.recorded != "" {
		mode, state = "replay", "● end"
	}
	if !s.live {
		state, st = "◀ history", roleWarn
	}
	if s.busy != "" {
		state, st = "⟳ "+s.busy, roleWarn
	}
	state = clip(state, p.r.w/2)
	right := fmt.Sprintf("step %d/%d", s.step.N, s.steps[len(s.steps)-1].N)
	end := p.r.w - 1
	p.right(end, 0, st, state)
	end -= textWidth(state) + 2
	if end-textWidth(right) > x+1 {
		p.right(end, 0, roleText, right)
		end -= textWidth(right) + 2
	}
	for _, part := range []string{mode, s.kernel, s.rights, s.recorded} {
		if part != "" && x+3+textWidth(part) < end {
			x = p.put(x, 0, roleFaint, " · ")
			x = p.put(x, 0, roleDim, part)
		}
	}
}

// drawKeys draws the key bar: a message where there is one, else the keys that fit, essential ones first.
func drawKeys(p pen, s *scene, keys []keyHelp) {
	if p.r.empty() {
		return
	}
	if s.message != "" {
		st := roleText
		if s.bad {
			st = roleBad
		}
		p.cut(1, 0, p.r.w-2, st|flagBold, s.message)
		return
	}
	x := 1
	end := p.r.w - 1
	for _, k := range keys {
		w := textWidth(k.key) + 1 + textWidth(k.short)
		if x+w > end {
			continue
		}
		key, text := roleKey, roleText
		if k.off {
			key, text = roleFaint, roleFaint
		}
		x = p.put(x, 0, key, k.key)
		x = p.put(x+1, 0, text, k.short) + 2
	}
}

// keyHelp is one key as the bar shows it.
type keyHelp struct {
	key, short string
	off        bool
}
