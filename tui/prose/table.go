package prose

import (
	"slices"
	"strings"

	extast "github.com/yuin/goldmark/extension/ast"

	"cowscope/tui/cell"
)

// table lays out a table: the titles, a rule, the rows. If it is too wide, its widest columns are
// narrowed.
func (d document) table(n *extast.Table, st cell.Style, w int) []Line {
	var rows [][][]Span
	var widths []int
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		cellStyle := st
		if row.Kind() == extast.KindTableHeader {
			cellStyle |= cell.Bold
		}
		var cells [][]Span
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			text := d.inline(c, cellStyle)
			width := 1
			for _, l := range flow(text, 1<<16) {
				width = max(width, l.width())
			}
			if cells = append(cells, text); len(cells) > len(widths) {
				widths = append(widths, 1)
			}
			widths[len(cells)-1] = max(widths[len(cells)-1], width)
		}
		rows = append(rows, cells)
	}
	const between = " │ "
	room := w - (len(widths)-1)*cell.Width(between)
	if room < len(widths) { // no room for columns: the cells follow one another
		var out []Line
		for _, cells := range rows {
			for _, c := range cells {
				out = append(out, flow(c, w)...)
			}
		}
		return out
	}
	for total(widths) > room {
		widths[slices.Index(widths, slices.Max(widths))]--
	}
	var out []Line
	for i, cells := range rows {
		laid, height := make([][]Line, len(widths)), 1
		for k, c := range cells {
			laid[k] = flow(c, widths[k])
			height = max(height, len(laid[k]))
		}
		for y := range height {
			var line Line
			for k, width := range widths {
				if k > 0 {
					line = line.and(Span{between, cell.Dim})
				}
				var part Line
				if y < len(laid[k]) {
					part = laid[k][y]
				}
				for _, s := range part {
					line = line.and(s)
				}
				if k < len(widths)-1 {
					line = line.and(Span{strings.Repeat(" ", width-part.width()), st})
				}
			}
			out = append(out, line)
		}
		if i == 0 {
			rule := make([]string, len(widths))
			for k, width := range widths {
				rule[k] = strings.Repeat("─", width)
			}
			out = append(out, Plain(cell.Dim, strings.Join(rule, "─┼─")))
		}
	}
	return out
}

func total(ns []int) (n int) {
	for _, x := range ns {
		n += x
	}
	return n
}
