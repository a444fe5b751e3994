package bill

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// mostRows is how many mappings of a fork the text names.
const mostRows = 5

// table is a line of the table of children.
const table = "%-5s %10s %12s %12s %10s %10s %10s"

// Lines is the bill for people: lines of at most 76 cells, but for the names of files at their ends.
// Those that begin with a blank belong to the one above.
func (b *Bill) Lines() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if len(b.Forks) == 0 {
		say("no process here is the child of another")
	} else {
		at := ""
		if !b.Read.IsZero() {
			at = "as of " + b.Read.Format(time.TimeOnly)
		}
		say("%-16s %12s %12s", at, "copied since", "the fork by")
		say(table, "child", "shared", "the parent", "the child", "either", "left", "a second")
	}
	for _, a := range b.Forks {
		likely, rate := "", "-"
		if a.Likely.Pages > 0 {
			likely = "~"
		}
		if a.Rate != nil {
			rate = b.size(a.Rate.PerSecond())
		}
		parent, child := b.copied(a.Pair)
		say(table, a.ChildLabel, likely+b.size(a.Shared.Pages+a.Likely.Pages), parent, child, b.size(a.Doubt()), b.size(a.Left.Pages), rate)
	}
	for _, a := range b.Forks {
		say("")
		ended := ""
		if a.Ended {
			ended = ", ended: as it was last seen"
		}
		say("%s, child of %s, pid %d%s", a.ChildLabel, a.ParentLabel, a.PID, ended)
		out = append(out, b.notes(a)...)
		out = append(append(out, b.copiers(a)...), b.rows(a)...)
	}
	for _, f := range b.Forecasts {
		say("")
		out = append(out, f.lines()...)
	}
	return out
}

// size formats a number of pages; none is a dash.
func (b *Bill) size(pages uint64) string {
	if pages == 0 {
		return "-"
	}
	return amount.Size(pages * b.PageSize)
}

// copied is what each of the two copied: exactly, or between bounds by fault counts.
func (b *Bill) copied(p *Pair) (parent, child string) {
	most, childMost, known := p.Most()
	side := func(sure, most, others uint64) string {
		all := sure + p.Doubt()
		switch least := all - min(all, others); {
		case p.Doubt() == 0:
			return b.size(sure)
		case !known:
			return "?"
		case least > sure:
			return ">=" + b.size(least)
		case most < all:
			return "<=" + b.size(most)
		}
		return "?"
	}
	return side(p.Parent.Copied, most, childMost-p.Child.Copied), side(p.Child.Copied, childMost, most-p.Parent.Copied)
}

// notes are the lines about one child beneath the table.
func (b *Bill) notes(a *Account) (out []string) {
	say := func(format string, args ...any) { out = append(out, " "+fmt.Sprintf(format, args...)) }
	if a.Likely.Pages > 0 {
		say("~ %s: cow in both, most likely one frame; frame numbers are hidden", b.size(a.Likely.Pages))
	}
	if a.Left.Huge > 0 {
		say("%s of what is left are huge pages: a write splits one, and copies a page", b.size(a.Left.Huge))
	}
	if a.Replaced {
		say("nothing of the fork is left in it: it may have executed a program")
	}
	if a.Doubt() > 0 {
		what := "shared at the fork, and copied by one of the two"
		if !a.Whole {
			what = "copied by one of the two, or new in both: the fork was not seen"
		}
		say("either: %s", what)
		if parent, child := b.copied(a.Pair); strings.Contains(parent+child, "=") {
			say("<= and >= are inferred: a copy takes a fault, and %s took %d", a.ChildLabel, a.ChildFaults)
		}
	}
	for _, side := range []struct {
		label string
		Side
	}{{a.ParentLabel, a.Parent}, {a.ChildLabel, a.Child}} {
		var parts []string
		for _, n := range []struct {
			pages uint64
			what  string
		}{{side.New, "new since"}, {side.Kept, "of the fork, alone now"}, {side.Unsure, "its own, unknown since when"}, {side.Unknown, "unreadable"}} {
			if n.pages > 0 {
				parts = append(parts, b.size(n.pages)+" "+n.what)
			}
		}
		if len(parts) > 0 {
			say("%s: %s", side.label, strings.Join(parts, ", "))
		}
	}
	switch g := a.Grade; {
	case g == nil:
	case g.Shared == 0:
		say("forecast %s shared, and it had nothing of it when it was first seen", b.size(g.Forecast.Shared.Pages))
	default:
		tables := ""
		if g.Tables > 0 {
			tables = fmt.Sprintf("; tables from %s, were %s", amount.Size(g.Forecast.Tables), amount.Size(g.Tables))
		}
		say("forecast %s shared, were %s%s", b.size(g.Forecast.Shared.Pages), b.size(g.Shared), tables)
	}
	return out
}

// mostPlaces is how many places of either process the text names.
const mostPlaces = 3

// copiers are the places in the code of each of the two at which most was copied.
func (b *Bill) copiers(a *Account) (out []string) {
	for _, label := range []string{a.ParentLabel, a.ChildLabel} {
		places, rest := 0, uint64(0)
		for _, c := range a.Copiers {
			switch {
			case c.Process != label:
			case places == mostPlaces:
				rest += c.Faults
			default:
				places++
				out = append(out, fmt.Sprintf(" %10s copied by %s at %s", b.size(c.Faults), label, printable.Line(c.At)))
			}
		}
		if rest > 0 {
			out = append(out, fmt.Sprintf(" %10s copied by %s at other places", b.size(rest), label))
		}
	}
	return out
}

// rows are the mappings of which most is shared or copied.
func (b *Bill) rows(a *Account) (out []string) {
	weight := func(r Row) uint64 { return r.Shared.Pages + r.Likely.Pages + r.Apart.Pages }
	rows := slices.SortedStableFunc(slices.Values(a.Rows), func(x, y Row) int { return cmp.Compare(weight(y), weight(x)) })
	rows = slices.DeleteFunc(rows, func(r Row) bool { return weight(r) == 0 })
	for _, r := range rows[:min(len(rows), mostRows)] {
		name := r.Path
		if name == "" {
			name = r.Kind().String()
		}
		out = append(out, fmt.Sprintf(" %10s shared %10s apart  %s %s %s", b.size(r.Shared.Pages+r.Likely.Pages), b.size(r.Apart.Pages), r.Range, r.Perms, printable.Name(name)))
	}
	if n := len(rows) - mostRows; n > 0 {
		out = append(out, fmt.Sprintf(" and %s with less", amount.Of(uint64(n), "mapping")))
	}
	return out
}

// lines is the forecast for people.
func (f *Forecast) lines() []string {
	size := func(pages uint64) string { return amount.Size(pages * f.PageSize) }
	first := fmt.Sprintf("a fork of %s now would share %s copy-on-write", f.Process, size(f.Shared.Pages))
	if f.Shared.Huge > 0 {
		first += ", " + size(f.Shared.Huge) + " of it huge"
	}
	most := "unknown (VmPTE)"
	if f.TablesMost > 0 {
		most = amount.Size(f.TablesMost) + " (VmPTE)"
	}
	out := []string{first, fmt.Sprintf(" costs at once page tables of at least %s, at most %s", amount.Size(f.Tables), most),
		fmt.Sprintf(" costs later at most %s, if every page is written to", amount.Size(f.Later()))}
	var parts []string
	for _, n := range []struct {
		pages uint64
		what  string
	}{{f.Mapped, "stay one memory (MAP_SHARED)"}, {f.LeftOut, "are left out (MADV_DONTFORK)"}, {f.Emptied, "are left empty (MADV_WIPEONFORK)"}, {f.Swapped, "are swapped out"}} {
		if n.pages > 0 {
			parts = append(parts, " "+size(n.pages)+" "+n.what)
		}
	}
	out = append(out, parts...)
	if !f.Known {
		out = append(out, " MADV_DONTFORK and MADV_WIPEONFORK are unknown: VmFlags were not read")
	}
	return out
}

// WriteText writes Lines.
func (b *Bill) WriteText(w io.Writer) error {
	_, err := io.WriteString(w, strings.Join(b.Lines(), "\n")+"\n")
	return err
}

// The JSON: all sizes are in bytes.
type (
	jsonBill struct {
		PageSize  uint64         `json:"page_size"`
		Frames    bool           `json:"frames"`
		Forks     []jsonFork     `json:"forks"`
		Forecasts []jsonForecast `json:"forecasts"`
	}
	jsonFork struct {
		Parent       string  `json:"parent"`
		Child        string  `json:"child"`
		PID          int     `json:"pid"`
		History      bool    `json:"history"` // the parent was seen before the fork
		Replaced     bool    `json:"replaced"`
		Ended        bool    `json:"ended"`
		ParentFaults uint64  `json:"parent_faults"`
		ChildFaults  uint64  `json:"child_faults"` // since the fork
		ParentMost   *uint64 `json:"parent_copied_at_most,omitempty"`
		ChildMost    *uint64 `json:"child_copied_at_most,omitempty"`
		jsonSums
		CopiedASecond *uint64     `json:"copied_a_second,omitempty"`
		CopiedAt      []jsonPlace `json:"copied_at"` // empty where page faults are not told
		Mappings      []jsonRow   `json:"mappings"`
	}
	jsonPlace struct {
		Process string `json:"process"`
		At      string `json:"at"`
		Copied  uint64 `json:"copied"`
	}
	jsonRow struct {
		Start string `json:"start"`
		End   string `json:"end"`
		Perms string `json:"perms"`
		Path  string `json:"path"`
		jsonSums
	}
	jsonSums struct {
		Shared   uint64   `json:"shared"`
		Likely   uint64   `json:"shared_likely"`
		Left     uint64   `json:"left"`
		LeftHuge uint64   `json:"left_huge"`
		Apart    uint64   `json:"apart"`
		Copied   uint64   `json:"copied"`
		InParent jsonSide `json:"in_parent"`
		InChild  jsonSide `json:"in_child"`
	}
	jsonSide struct {
		Copied  uint64 `json:"copied"`
		Kept    uint64 `json:"kept"`
		New     uint64 `json:"new"`
		Unsure  uint64 `json:"unsure"`
		Unknown uint64 `json:"unknown"`
		Other   uint64 `json:"other"`
	}
	jsonForecast struct {
		Process    string `json:"process"`
		Shared     uint64 `json:"shared"`
		SharedHuge uint64 `json:"shared_huge"`
		Swapped    uint64 `json:"swapped"`
		Mapped     uint64 `json:"map_shared"`
		Files      uint64 `json:"files"`
		LeftOut    uint64 `json:"dontfork"`
		Emptied    uint64 `json:"wipeonfork"`
		Tables     uint64 `json:"page_tables_at_least"`
		TablesMost uint64 `json:"page_tables_at_most,omitempty"`
		Later      uint64 `json:"later_at_most"`
		Known      bool   `json:"vm_flags_known"`
	}
)

// WriteJSON writes the bill as one JSON object.
func (b *Bill) WriteJSON(w io.Writer) error {
	j := jsonBill{b.PageSize, b.Frames, []jsonFork{}, []jsonForecast{}}
	for _, a := range b.Forks {
		f := jsonFork{Parent: a.ParentLabel, Child: a.ChildLabel, PID: a.PID, History: a.Whole, Replaced: a.Replaced, Ended: a.Ended,
			ParentFaults: a.ParentFaults, ChildFaults: a.ChildFaults, jsonSums: b.sums(&a.Sums), CopiedAt: []jsonPlace{}, Mappings: []jsonRow{}}
		if parent, child, known := a.Most(); known {
			parent, child = parent*b.PageSize, child*b.PageSize
			f.ParentMost, f.ChildMost = &parent, &child
		}
		if a.Rate != nil {
			n := uint64(float64(a.Rate.Copied.Pages*b.PageSize) * float64(time.Second) / float64(a.Rate.Over))
			f.CopiedASecond = &n
		}
		for _, c := range a.Copiers {
			f.CopiedAt = append(f.CopiedAt, jsonPlace{c.Process, c.At, c.Faults * b.PageSize})
		}
		for _, r := range a.Rows {
			f.Mappings = append(f.Mappings, jsonRow{fmt.Sprintf("0x%x", r.Start), fmt.Sprintf("0x%x", r.End), r.Perms.String(), r.Path, b.sums(&r.Sums)})
		}
		j.Forks = append(j.Forks, f)
	}
	for _, f := range b.Forecasts {
		ps := b.PageSize
		j.Forecasts = append(j.Forecasts, jsonForecast{f.Process, f.Shared.Pages * ps, f.Shared.Huge * ps, f.Swapped * ps, f.Mapped * ps, f.Files * ps,
			f.LeftOut * ps, f.Emptied * ps, f.Tables, f.TablesMost, f.Later(), f.Known})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(j)
}

func (b *Bill) sums(s *Sums) jsonSums {
	ps := b.PageSize
	side := func(s Side) jsonSide {
		return jsonSide{s.Copied * ps, s.Kept * ps, s.New * ps, s.Unsure * ps, s.Unknown * ps, s.Other * ps}
	}
	return jsonSums{s.Shared.Pages * ps, s.Likely.Pages * ps, s.Left.Pages * ps, s.Left.Huge * ps, s.Apart.Pages * ps, s.Copied.Pages * ps, side(s.Parent), side(s.Child)}
}
