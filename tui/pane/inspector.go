// The inspector: the page under the cursor in words, in raw words, or in bytes.

package pane

import (
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/tui/cell"
	"cowscope/vmspace"
	"cowscope/vmspace/printable"
)

// View is what the inspector shows; the key i cycles through them.
type View uint8

const (
	ViewWords View = iota
	ViewRaw
	ViewBytes
	ViewSource // of a program that is run
	ViewOutput // what it has written
	ViewCount
)

// fact is one line of the inspector: a label, a text, and where it was read.
type fact struct {
	label string
	style cell.Style
	text  string
	from  string
}

const factLabel = 9

// DrawInspector draws what is known about the page under the cursor.
func DrawInspector(p cell.Pen, s *Scene) {
	if p.R.Empty() {
		return
	}
	switch s.View {
	case ViewSource:
		drawSource(p, s)
		return
	case ViewOutput:
		drawOutput(p, s)
		return
	}
	title := fmt.Sprintf("%s 0x%x", s.Current, s.Cursor)
	if pr := s.process(); pr != nil {
		if place := history.PlaceOf(s.Step.Names, pr, s.Cursor, s.Snap.PageSize); !strings.HasPrefix(place, "0x") {
			title = fmt.Sprintf("%s %s · 0x%x", s.Current, place, s.Cursor)
		}
	}
	inner := cell.Box(p, title, cell.Faint)
	y := 0
	for _, f := range inspectorFacts(s) {
		if y >= inner.R.H {
			break
		}
		y = drawFact(inner, y, f)
	}
	if s.View != ViewRaw && y < inner.R.H {
		drawBytes(inner.Sub(cell.At(1, y, inner.R.W-2, inner.R.H-y)), s)
	}
}

// drawFact draws one fact from line y and returns the line after it. The source is at the right if
// it fits beside the text.
func drawFact(p cell.Pen, y int, f fact) int {
	p.Put(1, y, cell.Dim, f.label)
	w := p.R.W - factLabel - 2
	from := ""
	if f.from != "" {
		from = "(" + f.from + ")"
	}
	lines := cell.Wrap(f.text, w)
	for i, l := range lines {
		st := f.style
		if i > 0 {
			st = cell.Plain
		}
		x := p.Put(1+factLabel, y+i, st, l)
		if i == len(lines)-1 && from != "" && x+cell.Width(from)+2 <= p.R.W {
			p.Right(p.R.W-1, y+i, cell.Faint, from)
		}
	}
	return y + max(len(lines), 1)
}

// inspectorFacts lists the facts about the page under the cursor.
func inspectorFacts(s *Scene) []fact {
	pr := s.process()
	if pr == nil {
		return []fact{{"", cell.Dim, "no process is left; n starts a fresh one", ""}}
	}
	if !pr.Alive() {
		return []fact{{"", cell.Dim, pr.Label + " is dead: its address space is gone; Tab goes to a process that lives", ""}}
	}
	m, run, ok := s.page()
	switch {
	case !ok:
		return append([]fact{{"unmapped", cell.Bad, "no mapping covers this address", "maps"}}, predictionFacts(s, pr)...)
	case s.View == ViewRaw:
		return rawFacts(s, m, run)
	}
	facts := []fact{{run.State.String(), cell.StateRole(run.State) | cell.Bold, stateSentence(s, pr, run), ""}}
	g := s.Snap.Grounds(pr, m, run)
	for _, why := range g.Inferred {
		facts = append(facts, fact{"inferred", cell.Warn, why, ""})
	}
	facts = append(facts, touchFacts(s)...)
	frame, rest := frameFact(s, run), predictionFacts(s, pr)
	if run.Frame != 0 || run.Mapcount >= 0 || run.Attrs != 0 {
		facts = append(facts, frame...)
	} else {
		rest = append(rest, frame...) // that the frame is hidden is less important
	}
	facts = append(append(append(facts, fileFact(s, m)...), keyFact(s, m)...), rest...)
	return append(facts, fact{"evidence", cell.Dim, strings.Join(g.Seen, "; "), ""})
}

// predictionFacts lists the possible outcomes of each kind of access to the page.
func predictionFacts(s *Scene, pr *vmspace.Process) []fact {
	var facts []fact
	for _, a := range []vmspace.Access{vmspace.Load, vmspace.Store, vmspace.Fetch} {
		can, st := s.Step.Predict(pr.Label, s.Cursor, a).Can, cell.Plain
		if len(can) > 0 && can[0].Refused() {
			st = cell.Bad
		}
		facts = append(facts, fact{a.String(), st, predictionText(can), ""})
	}
	return facts
}

// stateSentence is what the state means here, with the relatives that have the same frame.
func stateSentence(s *Scene, pr *vmspace.Process, run vmspace.Run) string {
	if run.State == vmspace.COW || run.State == vmspace.Shared {
		if with := sharers(s, pr, s.Cursor); len(with) > 1 {
			names := printable.List(with)
			if run.State == vmspace.COW {
				return "one frame, mapped by " + names + "; a write makes the writer a copy"
			}
			return "one frame, mapped by " + names + "; all see every write"
		}
	}
	return vmspace.States[run.State].Sentence
}

// sharers lists the processes that certainly have the same frame at addr, pr first.
func sharers(s *Scene, pr *vmspace.Process, addr uint64) []string {
	out := []string{pr.Label}
	for _, o := range s.Snap.Processes {
		if o != pr && !o.SharesWith(pr) && kin(s, pr, o, addr) == kinSame {
			out = append(out, o.Label)
		}
	}
	return out
}

func frameFact(s *Scene, run vmspace.Run) []fact {
	if run.State == vmspace.None || run.State == vmspace.Guard || run.State == vmspace.Unknown {
		return nil
	}
	var parts, from []string
	if run.Frame != 0 {
		parts = append(parts, fmt.Sprintf("0x%x", run.FrameOf((s.Cursor-run.Start)/s.Snap.PageSize)))
		from = append(from, "pagemap")
	} else if !s.Snap.Frames {
		parts = append(parts, "number hidden without root")
	}
	if run.Mapcount >= 0 {
		parts = append(parts, fmt.Sprintf("mapped %d×", run.Mapcount))
		from = append(from, "kpagecount")
	}
	parts = append(parts, run.Attrs.Names()...)
	if len(parts) == 0 {
		return nil
	}
	return []fact{{"frame", cell.Plain, strings.Join(parts, " · "), strings.Join(from, ", ")}}
}

// fileFact is which part of which file the page is.
func fileFact(s *Scene, m vmspace.Mapping) []fact {
	e, own := s.Step.FileOf(m)
	if !own && m.Kind() != vmspace.KindFile || m.Inode == 0 {
		return nil
	}
	name, size, sealed, from := pathName(m.Path), "", "", "maps"
	if own {
		name, size = e.Name, fmt.Sprintf(" of %d bytes", e.Size)
		for _, other := range s.Step.OtherNames(e) {
			name += " = " + other
		}
	}
	if e.Seals != 0 {
		sealed, from = ", sealed: "+e.Seals.String(), "maps, fcntl"
	}
	return []fact{{"file", cell.Plain, fmt.Sprintf("%s%s, from byte %d on%s", name, size, s.Cursor-m.Start+m.Offset, sealed), from}}
}

// keyFact is the protection key of the mapping, if it has one.
func keyFact(s *Scene, m vmspace.Mapping) []fact {
	if m.Smaps == nil || m.Smaps.ProtectionKey == 0 {
		return nil
	}
	key, keys := m.Smaps.ProtectionKey, s.Step.KeysOf(s.Current)
	text := fmt.Sprintf("%d: %s", key, history.KeyText(keys, key))
	if keys.Known {
		text += fmt.Sprintf(" (PKRU 0x%08x)", keys.PKRU)
	}
	return []fact{{"key", cell.Plain, text, "smaps"}}
}

// predictionText lists the possible outcomes of an access, likeliest first.
func predictionText(can []vmspace.Happening) string {
	var words []string
	for _, h := range can {
		words = append(words, happeningText(h))
	}
	return strings.Join(words, "; or ")
}

func happeningText(h vmspace.Happening) string {
	for _, x := range vmspace.Happenings {
		if x.Name == h {
			return x.Sentence
		}
	}
	return string(h)
}

// rawFacts are the kernel's words about the page, bit by bit.
func rawFacts(s *Scene, m vmspace.Mapping, run vmspace.Run) []fact {
	maps := fmt.Sprintf("%s %s %08x %02x:%02x %d %s", m.Range, m.Perms, m.Offset, m.Major, m.Minor, m.Inode, m.Path)
	facts := []fact{{"maps", cell.Plain, maps, ""}}
	facts = append(facts, fact{"pagemap", cell.Plain, fmt.Sprintf("0x%016x %s", run.Word, strings.Join(vmspace.PagemapBits(run.Word), " ")), ""})
	if run.Scan != 0 {
		facts = append(facts, fact{"scan", cell.Plain, fmt.Sprintf("0x%x %s", run.Scan, strings.Join(vmspace.ScanBits(run.Scan), " ")), ""})
	}
	if run.KFlags != 0 {
		facts = append(facts, fact{"kpage", cell.Plain, fmt.Sprintf("0x%x %s", run.KFlags, strings.Join(vmspace.KPageBits(run.KFlags), " ")), ""})
	}
	if m.Smaps != nil {
		facts = append(facts, fact{"VmFlags", cell.Plain, strings.Join(m.Smaps.VMFlags, " "), "smaps"},
			fact{"rss", cell.Plain, fmt.Sprintf("%s · pss %s · locked %s", bytesText(m.Smaps.Rss), bytesText(m.Smaps.Pss), bytesText(m.Smaps.Locked)), "smaps"})
	}
	return append(facts, keyFact(s, m)...)
}

// drawBytes draws the bytes of the page, sixteen per line, if they were read.
func drawBytes(p cell.Pen, s *Scene) {
	_, run, ok := s.page()
	if !ok || run.State == vmspace.None || p.R.H == 0 {
		return
	}
	if s.Still || !s.Live {
		if off, b := loadedBytes(s); len(b) > 0 {
			drawHexLines(p, s, off, b)
			return
		}
	}
	b := s.Bytes
	switch {
	case s.Still:
		p.Cut(0, 0, p.R.W, cell.Faint, "a recording holds no bytes but those that a command read")
		return
	case !s.Live:
		p.Cut(0, 0, p.R.W, cell.Faint, "bytes are read live only; } goes there")
		return
	case b.Err != "":
		p.Cut(0, 0, p.R.W, cell.Faint, b.Err)
		return
	case b.Label != s.Current || b.Addr != s.Cursor || len(b.Bytes) == 0:
		return
	}
	drawHexLines(p, s, 0, b.Bytes)
}

// loadedBytes are the bytes that the step's command read of the page under the cursor, and their
// offset in the page.
func loadedBytes(s *Scene) (off int, b []byte) {
	size := s.Snap.PageSize
	page, b := s.Cursor&^(size-1), s.Step.Loaded()
	if s.Step.Process != s.Current || s.Step.Focus.Start&^(size-1) != page {
		return 0, nil
	}
	off = int(s.Step.Focus.Start - page)
	return off, b[:min(len(b), int(size)-off)]
}

// drawHexLines draws bytes that begin off bytes into the page.
func drawHexLines(p cell.Pen, s *Scene, off int, b []byte) {
	per := 16
	if p.R.W < factLabel+per*4+2 {
		per = 8
	}
	lines := p.R.H
	if s.View == ViewWords {
		lines = min(lines, 4)
	}
	for y := range lines {
		if y*per >= len(b) {
			return
		}
		drawHexLine(p, y, off+y*per, b[y*per:min((y+1)*per, len(b))], per)
	}
}

func drawHexLine(p cell.Pen, y, off int, b []byte, per int) {
	p.Put(0, y, cell.Dim, fmt.Sprintf("%03x", off))
	x := factLabel
	for i, c := range b {
		st := cell.Plain
		if c == 0 {
			st = cell.Faint
		}
		p.Put(x, y, st, fmt.Sprintf("%02x", c))
		x += 3
		if i == 7 && per == 16 {
			x++
		}
	}
	x = factLabel + per*3 + 2
	for i, c := range b {
		if c >= ' ' && c < 0x7f {
			p.Put(x+i, y, cell.Good, string(rune(c)))
		} else {
			p.Put(x+i, y, cell.Faint, "·")
		}
	}
}
