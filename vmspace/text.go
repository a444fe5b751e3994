package vmspace

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cowscope/vmspace/printable"
)

// WriteText writes the snapshot for people, one fact a line: a line a process, a line a mapping as in /proc/PID/maps, and under it a
// line for each run of pages that are there. Addresses are hexadecimal, sizes in bytes. Paths, which the kernel prints raw, are quoted
// where they are not printable.
func (s *Snapshot) WriteText(w io.Writer) error {
	out := newTextWriter(w, s.PageSize)
	for _, p := range s.Processes {
		out.head(p)
		for at := p.Mappings.walk(0); at.item() != nil; at.next() {
			out.mapping(at.item())
			for run := range p.PagesIn(at.item().Range) {
				out.run(run)
			}
		}
		out.changed(p.Changed)
	}
	return out.Flush()
}

// textWriter writes what people read.
type textWriter struct {
	*bufio.Writer
	pageSize uint64
}

func newTextWriter(w io.Writer, pageSize uint64) textWriter {
	return textWriter{bufio.NewWriterSize(w, 64<<10), pageSize}
}

func (o textWriter) head(p *Process) {
	fmt.Fprintf(o, "%s pid %d %s, rss %d, faults %d minor %d major\n", p.Label, p.PID, p.State, p.RSS, p.MinorFlt, p.MajorFlt)
	if p.Err != "" {
		fmt.Fprintf(o, "  %s\n", printable.Line(p.Err))
	}
}

func (o textWriter) mapping(m *Mapping) {
	fmt.Fprintf(o, "%x-%x %s %s %d pages%s\n", m.Start, m.End, m.Perms, m.Kind(), m.Pages(o.pageSize), pathText(m.Path))
}

// run writes a run; pages of which pagemap says nothing are not worth a line.
func (o textWriter) run(r Run) {
	if r.State == None || r.State == Special && r.Word == 0 {
		return
	}
	b := append(o.AvailableBuffer(), "    "...)
	b = strconv.AppendUint(b, r.Start, 16)
	b = strconv.AppendUint(append(b, ' '), r.Pages, 10)
	b = append(append(b, ' '), r.State.String()...)
	if r.Attrs != 0 {
		b = append(append(b, ' '), strings.Join(r.Attrs.Names(), " ")...)
	}
	if r.Frame != 0 {
		b = strconv.AppendUint(append(b, " frame 0x"...), r.Frame, 16)
	}
	if r.Mapcount >= 0 {
		b = strconv.AppendInt(append(b, " mapped "...), int64(r.Mapcount), 10)
		b = append(b, " times"...)
	}
	o.Write(append(b, '\n'))
}

func (o textWriter) changed(ranges []Range) {
	for _, r := range ranges {
		fmt.Fprintf(o, "changed while being read: %s\n", r)
	}
}

func pathText(path string) string {
	if path == "" {
		return ""
	}
	return " " + printable.Name(path)
}
