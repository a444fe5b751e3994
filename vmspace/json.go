package vmspace

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf8"
)

// Rules of this file: a snapshot goes out as one JSON object, written piece by piece: nothing is held but the piece at hand.
// Addresses and frames are strings in hexadecimal, because 64 bits do not fit a JSON number everywhere. What is hidden is left out.

// WriteJSON writes s to w. name gives a mapping's name in the language, "" where it has none; nil stands for no names.
func (s *Snapshot) WriteJSON(w io.Writer, name func(label string, m Mapping) string) error {
	out := jsonWriter{w: bufio.NewWriterSize(w, 64<<10)}
	out.raw(`{"processes":[`)
	for i, p := range s.Processes {
		if i > 0 {
			out.raw(",")
		}
		out.process(s, p, name)
	}
	out.raw("]}\n")
	return out.w.Flush() // the first error of a bufio.Writer stays
}

// jsonWriter writes members of objects; comma says that one went before.
type jsonWriter struct {
	w     *bufio.Writer
	b     []byte // scratch
	comma bool
}

func (o *jsonWriter) raw(s string) { o.w.WriteString(s) }

func (o *jsonWriter) open() {
	o.w.WriteByte('{')
	o.comma = false
}

func (o *jsonWriter) close() {
	o.w.WriteByte('}')
	o.comma = true
}

func (o *jsonWriter) key(k string) {
	if o.comma {
		o.w.WriteByte(',')
	}
	o.comma = true
	o.w.WriteByte('"')
	o.w.WriteString(k)
	o.w.WriteString(`":`)
}

func (o *jsonWriter) text(k, v string) {
	o.key(k)
	o.quote(v)
}

// quote writes a string; a path may hold any byte.
func (o *jsonWriter) quote(v string) {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' || c == 0x7f {
			b, _ := json.Marshal(v) // never fails for a string
			o.w.Write(b)
			return
		}
	}
	o.w.WriteByte('"')
	o.w.WriteString(v)
	o.w.WriteByte('"')
}

func (o *jsonWriter) number(k string, v uint64) {
	o.key(k)
	o.b = strconv.AppendUint(o.b[:0], v, 10)
	o.w.Write(o.b)
}

func (o *jsonWriter) hex(k string, v uint64) {
	o.key(k)
	o.b = strconv.AppendUint(append(o.b[:0], `"0x`...), v, 16)
	o.w.Write(append(o.b, '"'))
}

func (o *jsonWriter) yes(k string, v bool) {
	o.key(k)
	o.raw(strconv.FormatBool(v))
}

func (o *jsonWriter) words(k string, words []string) {
	o.key(k)
	o.w.WriteByte('[')
	for i, f := range words {
		if i > 0 {
			o.w.WriteByte(',')
		}
		o.quote(f)
	}
	o.w.WriteByte(']')
}

func (o *jsonWriter) process(s *Snapshot, p *Process, name func(string, Mapping) string) {
	o.open()
	o.text("label", p.Label)
	if p.Parent != "" {
		o.text("parent", p.Parent)
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
	runs := p.Pages.walk(0)
	for i, m := range p.Mappings.All() {
		if i > 0 {
			o.raw(",")
		}
		n := ""
		if name != nil {
			n = name(p.Label, m)
		}
		o.mapping(s, m, n, &runs)
	}
	o.raw("]")
	o.close()
}

// mapping writes m and the runs that lie in it, stepping runs on to the mapping after it.
func (o *jsonWriter) mapping(s *Snapshot, m Mapping, name string, runs *walker[Run]) {
	o.open()
	o.text("name", name)
	o.hex("start", m.Start)
	o.hex("end", m.End)
	o.text("perms", m.Perms.String())
	o.number("offset", m.Offset)
	o.text("device", deviceString(m))
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
		o.words("vm_flags", c.VMFlags)
	} else {
		resident := uint64(0)
		for at := *runs; at.item() != nil && at.item().Start < m.End; at.next() {
			// The zero page is not counted as resident (vm_normal_page in mm/memory.c), nor is what is lent.
			if r := at.item(); r.Word&WordPresent != 0 && r.State != Zero && r.State != Special {
				resident += r.Pages
			}
		}
		o.number("rss", resident*s.PageSize)
	}
	o.key("pages")
	o.raw("[")
	for first := true; runs.item() != nil && runs.item().Start < m.End; runs.next() {
		if !first {
			o.raw(",")
		}
		first = false
		o.run(runs.item(), s.Frames)
	}
	o.raw("]")
	o.close()
}

func (o *jsonWriter) run(r *Run, frames bool) {
	o.open()
	o.hex("start", r.Start)
	o.number("count", r.Pages)
	o.text("state", r.State.String())
	o.yes("huge", r.Attrs&Huge != 0)
	if a := r.Attrs &^ Huge; a != 0 {
		o.words("attrs", a.Names())
	}
	if frames && r.Frame != 0 {
		o.hex("frame", r.Frame)
	}
	if r.Mapcount >= 0 {
		o.number("mapcount", uint64(r.Mapcount))
	}
	o.text("source", "pagemap") // whatever else was asked, the word decides
	o.close()
}

// deviceString writes the device as /proc/PID/maps does: "08:01".
func deviceString(m Mapping) string {
	b := make([]byte, 0, 12)
	for i, v := range []uint32{m.Major, m.Minor} {
		if i > 0 {
			b = append(b, ':')
		}
		if v < 16 {
			b = append(b, '0')
		}
		b = strconv.AppendUint(b, uint64(v), 16)
	}
	return string(b)
}
