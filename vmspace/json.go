package vmspace

import (
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf8"
)

// Rules of this file: a snapshot is written as one JSON object, piece by piece; only the current
// piece is held in memory. Addresses and frames are hexadecimal strings, because not every JSON
// reader keeps 64 bits of a number. Hidden values are left out.

// WriteJSON writes s to w. name returns the name of a mapping in the command language, or ""; a nil
// name function means that there are no names.
func (s *Snapshot) WriteJSON(w io.Writer, name func(label string, m Mapping) string) error {
	return s.To(NewJSON(w, s.PageSize, s.Frames, name))
}

// jsonWriter writes the members of objects; comma says that a member precedes. Output is buffered
// in b.
type jsonWriter struct {
	w        io.Writer
	err      error // the first one
	b        []byte
	comma    bool
	frames   bool
	pageSize uint64
	name     func(string, Mapping) string

	processes int
	label     string   // of the process
	at        *Mapping // the mapping being written; nil before the first one of a process
	runs      int      // written of the current mapping
}

// jsonFull is the size of the buffer in bytes that triggers a write.
const jsonFull = 64 << 10

// NewJSON returns a Sink that writes to w what WriteJSON writes of a snapshot; frames says that
// frame numbers are visible.
func NewJSON(w io.Writer, pageSize uint64, frames bool, name func(label string, m Mapping) string) Sink {
	return &jsonWriter{w: w, b: make([]byte, 0, jsonFull+4<<10), pageSize: pageSize, frames: frames, name: name}
}

// Process, Pages, End and Close implement Sink.
func (o *jsonWriter) Process(p *Process) error {
	if o.processes++; o.processes == 1 {
		o.begin()
	} else {
		o.raw(",")
	}
	o.label, o.at = p.Label, nil
	o.head(p)
	return o.err
}

func (o *jsonWriter) Pages(m *Mapping, runs []Run) error {
	if m != o.at {
		name := ""
		if o.name != nil {
			name = o.name(o.label, *m)
		}
		resident := uint64(0)
		if m.Smaps == nil {
			resident = residentIn(runs)
		}
		if o.at != nil {
			o.raw("]},")
		}
		o.mapping(m, name, resident*o.pageSize)
		o.at, o.runs = m, 0
	}
	for i := range runs {
		o.run(&runs[i], o.runs == 0)
		o.runs++
	}
	return o.err
}

func (o *jsonWriter) End(changed []Range) error {
	if o.at != nil {
		o.raw("]}")
	}
	o.tail(changed)
	return o.err
}

func (o *jsonWriter) Close(broken bool) error {
	if !broken && o.processes == 0 {
		o.begin()
	}
	if !broken {
		o.raw("]}\n")
	}
	return o.flush()
}

// begin writes what comes before the first process.
func (o *jsonWriter) begin() {
	o.raw(`{"page_size":`)
	o.b = strconv.AppendUint(o.b, o.pageSize, 10)
	o.raw(`,"processes":[`)
}

// flush writes the buffer.
func (o *jsonWriter) flush() error {
	if o.err == nil && len(o.b) > 0 {
		_, o.err = o.w.Write(o.b)
	}
	o.b = o.b[:0]
	return o.err
}

// piece ends a piece of output, and flushes a full buffer.
func (o *jsonWriter) piece() {
	if len(o.b) >= jsonFull {
		o.flush()
	}
}

func (o *jsonWriter) raw(s string) { o.b = append(o.b, s...) }

func (o *jsonWriter) open() {
	o.b = append(o.b, '{')
	o.comma = false
}

func (o *jsonWriter) close() {
	o.b = append(o.b, '}')
	o.comma = true
}

func (o *jsonWriter) key(k string) {
	if o.comma {
		o.b = append(o.b, ',')
	}
	o.comma = true
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

func (o *jsonWriter) text(k, v string) {
	o.key(k)
	o.quote(v)
}

// quote writes a JSON string; a path may hold any byte.
func (o *jsonWriter) quote(v string) {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' || c == 0x7f {
			b, _ := json.Marshal(v) // never fails for a string
			o.b = append(o.b, b...)
			return
		}
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, v...)
	o.b = append(o.b, '"')
}

func (o *jsonWriter) number(k string, v uint64) {
	o.key(k)
	o.b = strconv.AppendUint(o.b, v, 10)
}

func (o *jsonWriter) hex(k string, v uint64) {
	o.key(k)
	o.b = append(strconv.AppendUint(append(o.b, `"0x`...), v, 16), '"')
}

func (o *jsonWriter) words(k string, words []string) {
	o.key(k)
	o.b = append(o.b, '[')
	for i, f := range words {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.quote(f)
	}
	o.b = append(o.b, ']')
}

// head writes a process up to its first mapping.
func (o *jsonWriter) head(p *Process) {
	o.open()
	o.text("label", p.Label)
	if p.Parent != "" {
		o.text("parent", p.Parent)
	}
	if p.Shares != "" {
		o.text("shares", p.Shares)
	}
	if p.Thread {
		o.key("thread")
		o.raw("true")
	}
	o.number("pid", uint64(p.PID))
	o.text("state", p.State.String())
	if p.Err != "" {
		o.text("error", p.Err)
	}
	o.key("faults")
	o.open()
	o.number("minor", p.MinorFlt)
	o.number("major", p.MajorFlt)
	o.close()
	o.number("rss", p.RSS)
	o.key("mappings")
	o.raw("[")
}

// tail writes what follows the last mapping of a process.
func (o *jsonWriter) tail(changed []Range) {
	o.raw("]")
	o.comma = true
	if len(changed) > 0 {
		o.key("changed")
		for i, r := range changed {
			o.raw([]string{"[", ","}[min(i, 1)])
			o.open()
			o.hex("start", r.Start)
			o.hex("end", r.End)
			o.close()
		}
		o.raw("]")
	}
	o.close()
}

// residentIn counts the resident pages of runs. The zero page and special pages are not counted, as
// in the kernel's RSS (vm_normal_page in mm/memory.c).
func residentIn(runs []Run) (pages uint64) {
	for i := range runs {
		if r := &runs[i]; r.Word&WordPresent != 0 && r.State != Zero && r.State != Special {
			pages += r.Pages
		}
	}
	return pages
}

// mapping writes m up to its first run of pages. rss is used if m has no counters.
func (o *jsonWriter) mapping(m *Mapping, name string, rss uint64) {
	o.piece()
	o.open()
	o.text("name", name)
	o.hex("start", m.Start)
	o.hex("end", m.End)
	o.text("perms", m.Perms.String())
	o.number("offset", m.Offset)
	o.key("device")
	o.b = append(appendDevice(append(o.b, '"'), m), '"')
	o.number("inode", m.Inode)
	o.text("path", m.Path)
	o.text("kind", m.Kind().String())
	if c := m.Smaps; c != nil {
		o.number("rss", c.Rss)
		o.number("pss", c.Pss)
		o.number("swap", c.Swap)
		o.number("locked", c.Locked)
		o.number("lazyfree", c.LazyFree)
		o.number("anon_huge", c.AnonHuge)
		o.number("ksm", c.KSM)
		o.words("vm_flags", c.VMFlags)
		if c.ProtectionKey != 0 {
			o.number("protection_key", uint64(c.ProtectionKey))
		}
	} else {
		o.number("rss", rss)
	}
	o.key("pages")
	o.raw("[")
}

// run writes a run of pages, in a single append chain because it is by far the most frequent piece.
func (o *jsonWriter) run(r *Run, first bool) {
	o.piece()
	b := o.b
	if !first {
		b = append(b, ',')
	}
	b = strconv.AppendUint(append(b, `{"start":"0x`...), r.Start, 16)
	b = strconv.AppendUint(append(b, `","count":`...), r.Pages, 10)
	b = append(append(b, `,"state":"`...), States[r.State].Name...)
	b = strconv.AppendBool(append(b, `","huge":`...), r.Attrs&Huge != 0)
	if a := r.Attrs &^ Huge; a != 0 {
		o.b, o.comma = b, true
		o.words("attrs", a.Names())
		b = o.b
	}
	if o.frames && r.Frame != 0 {
		b = append(strconv.AppendUint(append(b, `,"frame":"0x`...), r.Frame, 16), '"')
	}
	if r.Mapcount >= 0 {
		b = strconv.AppendUint(append(b, `,"mapcount":`...), uint64(r.Mapcount), 10)
	}
	o.b = append(b, `,"source":"pagemap"}`...) // whatever else was read, the word decides
}

// appendDevice writes the device number as /proc/PID/maps does: 08:01.
func appendDevice(b []byte, m *Mapping) []byte {
	for i, v := range []uint32{m.Major, m.Minor} {
		if i > 0 {
			b = append(b, ':')
		}
		if v < 16 {
			b = append(b, '0')
		}
		b = strconv.AppendUint(b, uint64(v), 16)
	}
	return b
}
