package vmspace

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Rules of this file: one line a mapping, in columns. The widths follow from the list of mappings,
// which a sink has before the first page; how much room states take is a guess that most lines keep
// to. Only the counts of one mapping are held.

// shownAttrs are the attributes that pages are counted apart by.
const shownAttrs = Huge | KSM | Locked | LazyFree | UffdWP | Poisoned

// countWidth is the room for what the pages of a mapping are.
const countWidth = 16

// tableWriter writes what NewTable promises.
type tableWriter struct {
	*bufio.Writer
	pageSize uint64
	width    int // of a line; 0 for any
	heading  bool

	process                *Process
	at                     *Mapping // the one that is counted, nil before the first of a process
	counts                 pageCounts
	total                  pageCounts
	rangeWidth, pagesWidth int
	processes              int
	pss                    uint64 // of all processes
	known                  bool   // of all of them
}

// NewTable is a sink that writes a line a mapping to w: range, letters, kind, pages, how many are in
// which state, and the path; and at the end of a process what it comes to. width is that of a
// terminal, which gets a heading, and of a long path only the end; 0 stands for everything else.
func NewTable(w io.Writer, pageSize uint64, width int) Sink {
	return &tableWriter{Writer: bufio.NewWriterSize(w, 64<<10), pageSize: pageSize, width: width, heading: width > 0, known: true}
}

// pageCounts are numbers of pages, by state and the attributes that are shown.
type pageCounts map[pageKind]uint64

type pageKind struct {
	state State
	attrs Attrs
}

// add counts runs; pages of which pagemap says nothing are not counted.
func (c pageCounts) add(runs []Run) {
	for i := range runs {
		if r := &runs[i]; r.State != None && (r.State != Special || r.Word != 0) {
			c[pageKind{r.State, r.Attrs & shownAttrs}] += r.Pages
		}
	}
}

// each calls yield in the order of states.
func (c pageCounts) each(yield func(k pageKind, n uint64)) {
	order := func(a, b pageKind) int { return cmp.Or(int(a.state)-int(b.state), int(a.attrs)-int(b.attrs)) }
	for _, k := range slices.SortedFunc(maps.Keys(c), order) {
		yield(k, c[k])
	}
}

func (k pageKind) String() string {
	return strings.Join(append([]string{k.state.String()}, k.attrs.Names()...), " ")
}

// String lists the counts: 33 anon, 2 cow huge.
func (c pageCounts) String() string {
	var parts []string
	c.each(func(k pageKind, n uint64) { parts = append(parts, fmt.Sprintf("%d %s", n, k)) })
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// Process, Pages, End and Close are those of a Sink; the writer keeps its first error.
func (t *tableWriter) Process(p *Process) error {
	if t.processes++; t.processes > 1 {
		fmt.Fprintln(t)
	}
	t.process, t.at, t.counts, t.total = p, nil, pageCounts{}, pageCounts{}
	t.rangeWidth, t.pagesWidth = len("range"), len("pages")
	for at := p.Mappings.Walk(0); at.Item() != nil; at.Next() {
		m := at.Item()
		if m.Start < KernelHalf { // those of the kernel's half are longer, and at the end
			t.rangeWidth = max(t.rangeWidth, len(fmt.Sprintf("%x-%x", m.Start, m.End)))
		}
		t.pagesWidth = max(t.pagesWidth, len(fmt.Sprint(m.Pages(t.pageSize))))
	}
	parent := ""
	if p.Parent != "" {
		parent = ", child of " + p.Parent
	}
	_, err := fmt.Fprintf(t, "%s pid %d%s, %s, faults %d minor %d major\n", p.Label, p.PID, parent, p.State, p.MinorFlt, p.MajorFlt)
	if p.Err != "" {
		_, err = fmt.Fprintf(t, "  %s\n", printable.Line(p.Err))
	} else if t.heading {
		_, err = fmt.Fprintf(t, "%-*s perm %-7s %*s  %-*s  %s\n", t.rangeWidth, "range", "kind", t.pagesWidth, "pages", countWidth, "in which state", "path")
	}
	return err
}

func (t *tableWriter) Pages(m *Mapping, runs []Run) error {
	var err error
	if m != t.at {
		err = t.line()
		t.at = m
	}
	t.counts.add(runs)
	return err
}

// line writes the mapping that was counted.
func (t *tableWriter) line() error {
	m := t.at
	if m == nil {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%-*s %s %-7s %*d  %-*s", t.rangeWidth, fmt.Sprintf("%x-%x", m.Start, m.End), m.Perms, m.Kind(), t.pagesWidth, m.Pages(t.pageSize), countWidth, t.counts)
	if m.Path != "" {
		b.WriteString("  " + t.fit(printable.Name(m.Path), t.width-b.Len()-2))
	}
	for k, n := range t.counts {
		t.total[k] += n
	}
	clear(t.counts)
	_, err := t.Write(append(bytes.TrimRight(b.Bytes(), " "), '\n'))
	return err
}

// fit is the end of a path that does not fit into so many cells of a terminal. A name of its own,
// such as a file's, stays whole.
func (t *tableWriter) fit(path string, room int) string {
	n := utf8.RuneCountInString(path)
	if t.width == 0 || n <= room {
		return path
	}
	name := utf8.RuneCountInString(path[strings.LastIndexByte(path, '/')+1:])
	keep := max(room-1, min(name+1, n))
	if keep >= n {
		return path
	}
	return "…" + string([]rune(path)[n-keep:])
}

func (t *tableWriter) End(changed []Range) error {
	err := t.line()
	for _, r := range changed {
		_, err = fmt.Fprintf(t, "changed while being read: %s\n", r)
	}
	if t.process.Err != "" {
		t.known = false
		return err
	}
	pages := uint64(0)
	for at := t.process.Mappings.Walk(0); at.Item() != nil; at.Next() {
		pages += at.Item().Pages(t.pageSize)
	}
	sizes := t.process.Sizes()
	fmt.Fprintf(t, "mapped: %s, %s (%s)\n", amount.Of(uint64(t.process.Mappings.Len()), "mapping"), amount.Of(pages, "page"), amount.Size(pages*t.pageSize))
	var states []string
	t.total.each(func(k pageKind, n uint64) {
		states = append(states, fmt.Sprintf("%d %s (%s)", n, k, amount.Size(n*t.pageSize)))
	})
	if len(states) > 0 {
		fmt.Fprintf(t, "pages:  %s\n", strings.Join(states, ", "))
	}
	if sizes.Known {
		_, err = fmt.Fprintf(t, "memory: rss %s, pss %s, uss %s\n", amount.Size(sizes.RSS), amount.Size(sizes.PSS), amount.Size(sizes.USS))
	} else {
		_, err = fmt.Fprintf(t, "memory: rss %s\n", amount.Size(t.process.RSS))
	}
	t.pss, t.known = t.pss+sizes.PSS, t.known && sizes.Known
	return err
}

func (t *tableWriter) Close(broken bool) error {
	if t.processes > 1 && t.known && !broken {
		fmt.Fprintf(t, "\n%s: pss %s together\n", amount.Of(uint64(t.processes), "process"), amount.Size(t.pss))
	}
	return t.Flush()
}
