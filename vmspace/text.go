package vmspace

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteText writes the snapshot for people, one fact a line: a line a process, a line a mapping as in /proc/PID/maps, and under it a
// line for each run of pages that are there. Addresses are hexadecimal, sizes in bytes. What the kernel prints raw, file names above
// all, is written with Go's escapes where it is not printable, so that no terminal obeys it.
func (s *Snapshot) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, p := range s.Processes {
		fmt.Fprintf(out, "%s pid %d %s, rss %d, faults %d minor %d major\n", p.Label, p.PID, p.State, p.RSS, p.MinorFlt, p.MajorFlt)
		if p.Err != "" {
			fmt.Fprintf(out, "  %s\n", p.Err)
		}
		for _, m := range p.Mappings.All() {
			fmt.Fprintf(out, "%x-%x %s %s %d pages%s\n", m.Start, m.End, m.Perms, m.Kind(), m.Pages(s.PageSize), pathText(m.Path))
			for run := range p.PagesIn(m.Range) {
				writeRun(out, run)
			}
		}
	}
	return out.Flush()
}

func pathText(path string) string {
	if path == "" {
		return ""
	}
	q := strconv.Quote(path)
	return " " + q[1:len(q)-1]
}

// writeRun writes a run; pages without a page table entry are not worth a line.
func writeRun(w io.Writer, r Run) {
	if r.State == None {
		return
	}
	fmt.Fprintf(w, "    %x %d %s", r.Start, r.Pages, r.State)
	if names := r.Attrs.Names(); len(names) > 0 {
		fmt.Fprintf(w, " %s", strings.Join(names, " "))
	}
	if r.Frame != 0 {
		fmt.Fprintf(w, " frame 0x%x", r.Frame)
	}
	if r.Mapcount >= 0 {
		fmt.Fprintf(w, " mapped %d times", r.Mapcount)
	}
	fmt.Fprintln(w)
}
