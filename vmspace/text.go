package vmspace

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cowscope/vmspace/printable"
)

// WriteText writes the snapshot for people, one fact per line: a line per process, a line per
// mapping as in /proc/PID/maps, and below it a line per run of pages that are present. Addresses
// are hexadecimal, sizes in bytes. Paths, which the kernel prints raw, are quoted if they are not
// printable.
func (s *Snapshot) WriteText(w io.Writer) error { return s.To(NewText(w, s.PageSize)) }

// textWriter writes text for people.
type textWriter struct {
	*bufio.Writer
	pageSize uint64
	at       *Mapping // the mapping being written; nil before the first one of a process
}

// NewText returns a Sink that writes to w what WriteText writes of a snapshot.
func NewText(w io.Writer, pageSize uint64) Sink {
	return &textWriter{Writer: bufio.NewWriterSize(w, 64<<10), pageSize: pageSize}
}

// Process, Pages, End and Close implement Sink; the writer keeps its first error.
func (o *textWriter) Process(p *Process) error {
	o.at = nil
	shares := ""
	switch {
	case p.Thread:
		shares = ", a thread of " + p.Parent
	case p.Shares != "":
		shares = ", in the memory of " + p.Shares
	}
	_, err := fmt.Fprintf(o, "%s pid %d %s, rss %d, faults %d minor %d major%s\n", p.Label, p.PID, p.State, p.RSS, p.MinorFlt, p.MajorFlt, shares)
	if p.Err != "" {
		_, err = fmt.Fprintf(o, "  %s\n", printable.Line(p.Err))
	}
	return err
}

func (o *textWriter) Pages(m *Mapping, runs []Run) (err error) {
	if m != o.at {
		o.at = m
		_, err = fmt.Fprintf(o, "%x-%x %s %s %d pages%s\n", m.Start, m.End, m.Perms, m.Kind(), m.Pages(o.pageSize), pathText(m.Path))
	}
	for i := range runs {
		if e := o.run(&runs[i]); e != nil {
			err = e
		}
	}
	return err
}

func (o *textWriter) End(changed []Range) (err error) {
	for _, r := range changed {
		_, err = fmt.Fprintf(o, "changed while being read: %s\n", r)
	}
	return err
}

func (o *textWriter) Close(bool) error { return o.Flush() }

// run writes a run; pages without a pagemap word get no line.
func (o *textWriter) run(r *Run) error {
	if r.State == None || r.State == Special && r.Word == 0 {
		return nil
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
	_, err := o.Write(append(b, '\n'))
	return err
}

func pathText(path string) string {
	if path == "" {
		return ""
	}
	return " " + printable.Name(path)
}
