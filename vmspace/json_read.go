package vmspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"cowscope/vmspace/printable"
)

// Rules of this file: what WriteJSON wrote is read piece by piece, and nothing is held but the piece
// at hand, which is bounded. The text may be anybody's: whatever WriteJSON would not have written is
// a mistake, and is said with its place. What JSON does not have is 0: of the
// words of pages only that they are present is known, from their states.

// mostJSON is how many bytes of JSON may be read for one value: a name, a run of pages, the VmFlags
// of a mapping.
const mostJSON = 1 << 20

// JSONError is a mistake in the JSON of a snapshot.
type JSONError struct {
	Line   int   // from 1
	Offset int64 // bytes of the text before the mistake, or before the value that has it
	Msg    string
}

func (e *JSONError) Error() string {
	return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Offset, e.Msg)
}

// ReadJSON gives what WriteJSON wrote to the sink that begin makes, and closes it. Where the text
// does not say how large a page is, it is otherwise. The error is a *JSONError, or that of r or of
// the sink.
func ReadJSON(r io.Reader, otherwise uint64, begin func(pageSize uint64) Sink) error {
	in := &jsonInput{r: r, line: 1}
	d := &jsonReader{in: in, dec: json.NewDecoder(in), pageSize: otherwise, begin: begin}
	d.dec.DisallowUnknownFields()
	err := d.document()
	if d.to != nil {
		err = errors.Join(err, d.to.Close(err != nil))
	}
	var own *JSONError
	switch {
	case err == nil || errors.As(err, &own) || d.sinkErr != nil:
		return err
	case in.err != nil && in.err != io.EOF:
		return in.err
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return d.mistake("the text ends too early")
	}
	return d.mistake("%s", printable.Line(err.Error()))
}

// jsonInput counts what is read, and keeps a value from becoming too long.
type jsonInput struct {
	r      io.Reader
	err    error
	read   int64
	done   int64   // bytes that were understood
	line   int     // of the byte behind them
	breaks []int64 // offsets of the newlines that come after
}

func (in *jsonInput) Read(b []byte) (int, error) {
	if in.read-in.done > mostJSON {
		return 0, &JSONError{in.line, in.done, fmt.Sprintf("a value is longer than %d bytes", mostJSON)}
	}
	n, err := in.r.Read(b[:min(len(b), mostJSON)])
	for i, c := range b[:n] {
		if c == '\n' {
			in.breaks = append(in.breaks, in.read+int64(i))
		}
	}
	in.read, in.err = in.read+int64(n), err
	return n, err
}

// understood notes how far the text was understood.
func (in *jsonInput) understood(offset int64) {
	in.done = offset
	n := 0
	for n < len(in.breaks) && in.breaks[n] < offset {
		n++
	}
	in.line += n
	in.breaks = in.breaks[n:]
}

// jsonReader reads a snapshot.
type jsonReader struct {
	in        *jsonInput
	dec       *json.Decoder
	begin     func(uint64) Sink
	to        Sink
	sinkErr   error
	pageSize  uint64
	processes int
}

// mistake makes an error of the place that was reached.
func (d *jsonReader) mistake(format string, args ...any) error {
	return &JSONError{d.in.line, d.in.done, fmt.Sprintf(format, args...)}
}

// fed notes an error of the sink.
func (d *jsonReader) fed(err error) error {
	d.sinkErr = err
	return err
}

func (d *jsonReader) token() (json.Token, error) {
	t, err := d.dec.Token()
	if err == nil {
		d.in.understood(d.dec.InputOffset())
	}
	return t, err
}

// value decodes the next value into v.
func (d *jsonReader) value(v any) error {
	err := d.dec.Decode(v)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return d.mistake("%s stands where a value of another type belongs", kind.Value)
	case err != nil && strings.HasPrefix(err.Error(), "json: "):
		return d.mistake("%s", printable.Line(strings.TrimPrefix(err.Error(), "json: ")))
	case err == nil:
		d.in.understood(d.dec.InputOffset())
	}
	return err
}

// open reads the delimiter that begins an object or an array.
func (d *jsonReader) open(delim json.Delim) error {
	t, err := d.token()
	if err != nil {
		return err
	}
	if t != delim {
		return d.mistake("%s is expected, not %s", delim, printable.Line(fmt.Sprintf("%.40v", t)))
	}
	return nil
}

// object reads an object; member reads the value of each of its members, which are known and come
// once.
func (d *jsonReader) object(known []string, member func(name string) error) error {
	if err := d.open('{'); err != nil {
		return err
	}
	var seen []string
	for d.dec.More() {
		t, err := d.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		switch {
		case !slices.Contains(known, name):
			return d.mistake("no member %.40q is known here: there are %s", name, strings.Join(known, ", "))
		case slices.Contains(seen, name):
			return d.mistake("%s comes twice", name)
		}
		seen = append(seen, name)
		if err := member(name); err != nil {
			return err
		}
	}
	return d.open('}')
}

// array reads an array of anything.
func (d *jsonReader) array(element func() error) error {
	if err := d.open('['); err != nil {
		return err
	}
	for d.dec.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return d.open(']')
}

func (d *jsonReader) document() error {
	had := false
	err := d.object([]string{"page_size", "processes"}, func(name string) error {
		if name == "page_size" {
			return d.readPageSize(had)
		}
		had = true
		d.to = d.begin(d.pageSize)
		return d.array(d.process)
	})
	if err != nil {
		return err
	}
	if !had {
		return d.mistake("processes is missing: this is no snapshot")
	}
	if _, err := d.token(); err != io.EOF {
		return d.mistake("something follows the snapshot")
	}
	return nil
}

func (d *jsonReader) readPageSize(late bool) error {
	var size uint64
	if err := d.value(&size); err != nil {
		return err
	}
	switch {
	case late:
		return d.mistake("page_size stands behind processes, and belongs before them")
	case size < 1<<10 || size > 1<<24 || size&(size-1) != 0:
		return d.mistake("a page of %d bytes: no machine has such", size)
	}
	d.pageSize = size
	return nil
}

func (d *jsonReader) process() error {
	p := &Process{Shift: ShiftOf(d.pageSize)}
	var changed []Range
	given := map[string]bool{}
	err := d.object([]string{"label", "parent", "shares", "pid", "state", "error", "faults", "rss", "mappings", "changed"}, func(name string) error {
		given[name] = true
		switch name {
		case "label":
			return d.value(&p.Label)
		case "parent":
			return d.value(&p.Parent)
		case "shares":
			return d.value(&p.Shares)
		case "pid":
			return d.value(&p.PID)
		case "error":
			return d.value(&p.Err)
		case "rss":
			return d.value(&p.RSS)
		case "state":
			return d.state(p)
		case "faults":
			var f struct{ Minor, Major *uint64 }
			if err := d.value(&f); err != nil {
				return err
			}
			if f.Minor == nil || f.Major == nil {
				return d.mistake("faults has minor and major")
			}
			p.MinorFlt, p.MajorFlt = *f.Minor, *f.Major
			return nil
		case "mappings":
			for _, before := range []string{"label", "pid", "state", "rss"} {
				if !given[before] {
					return d.mistake("%s is missing before mappings", before)
				}
			}
			if p.PID <= 0 {
				return d.mistake("%d is no process id", p.PID)
			}
			if err := d.fed(d.to.Process(p)); err != nil {
				return err
			}
			last := uint64(0)
			return d.array(func() error { return d.mapping(&last) })
		}
		return d.array(func() error {
			r, err := d.bounds()
			changed = append(changed, r)
			if err == nil && len(changed) > maxChanged {
				err = d.mistake("more than %d ranges changed", maxChanged)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	if d.processes++; d.processes > maxProcesses {
		return d.mistake("more than %d processes", maxProcesses)
	}
	if !given["mappings"] {
		return d.mistake("mappings is missing")
	}
	return d.fed(d.to.End(changed))
}

// What a snapshot may have. A kernel has at most 4194304 processes (PID_MAX_LIMIT in
// include/linux/threads.h).
const (
	maxChanged   = 1 << 20
	maxProcesses = 1 << 22
)

func (d *jsonReader) state(p *Process) error {
	var word string
	if err := d.value(&word); err != nil {
		return err
	}
	for s := Running; s <= Gone; s++ {
		if s.String() == word {
			p.State = s
			return nil
		}
	}
	return d.mistake("%.40q is no state of a process", word)
}

// hexText is a number in a string.
type hexText uint64

func (h *hexText) UnmarshalJSON(b []byte) error {
	digits, ok := bytes.CutPrefix(bytes.Trim(b, `"`), []byte("0x"))
	n, err := strconv.ParseUint(string(digits), 16, 64)
	if !ok || err != nil || b[0] != '"' {
		return fmt.Errorf("json: %.40q is no address: a string such as \"0x7f0000\" is", b)
	}
	*h = hexText(n)
	return nil
}

func (d *jsonReader) bounds() (r Range, err error) {
	var b struct{ Start, End *hexText }
	if err := d.value(&b); err != nil {
		return r, err
	}
	if b.Start == nil || b.End == nil {
		return r, d.mistake("a range has start and end")
	}
	return Range{uint64(*b.Start), uint64(*b.End)}, nil
}

// mapping reads a mapping behind the address last, and its pages.
func (d *jsonReader) mapping(last *uint64) error {
	m, c := &Mapping{}, &Counters{}
	counted := false
	numbers := map[string]*uint64{"offset": &m.Offset, "inode": &m.Inode, "rss": &c.Rss, "pss": &c.Pss, "swap": &c.Swap, "locked": &c.Locked, "lazyfree": &c.LazyFree, "anon_huge": &c.AnonHuge, "ksm": &c.KSM}
	given := map[string]bool{}
	err := d.object([]string{"name", "start", "end", "perms", "offset", "device", "inode", "path", "kind", "rss", "pss", "swap", "locked", "lazyfree", "anon_huge", "ksm", "vm_flags", "protection_key", "pages"}, func(name string) error {
		given[name] = true
		if n := numbers[name]; n != nil {
			counted = counted || name == "pss"
			return d.value(n)
		}
		switch name {
		case "start":
			return d.value((*hexText)(&m.Start))
		case "end":
			return d.value((*hexText)(&m.End))
		case "path":
			return d.value(&m.Path)
		case "vm_flags":
			return d.value(&c.VMFlags)
		case "protection_key":
			return d.value(&c.ProtectionKey)
		case "pages":
		default:
			return d.word(m, name)
		}
		for _, before := range []string{"start", "end", "perms", "path"} {
			if !given[before] {
				return d.mistake("%s is missing before pages", before)
			}
		}
		switch {
		case m.Start >= m.End || m.Start%d.pageSize != 0 || m.End%d.pageSize != 0:
			return d.mistake("no mapping reaches from 0x%x to 0x%x, with pages of %d bytes", m.Start, m.End, d.pageSize)
		case m.Start < *last:
			return d.mistake("the mapping at 0x%x comes after one that ends at 0x%x", m.Start, *last)
		}
		*last = m.End
		if counted {
			m.Smaps = c
		}
		return d.runs(m)
	})
	if err == nil && !given["pages"] {
		err = d.mistake("pages is missing")
	}
	return err
}

// word reads a member of a mapping that is a word.
func (d *jsonReader) word(m *Mapping, name string) error {
	var word string
	if err := d.value(&word); err != nil {
		return err
	}
	ok := true
	switch name {
	case "perms":
		m.Perms, ok = ParsePerms(word)
	case "kind":
		ok = slices.ContainsFunc([]Kind{KindAnon, KindFile, KindShmem, KindStack, KindHeap, KindSpecial}, func(k Kind) bool { return k.String() == word })
	case "device":
		major, minor, two := strings.Cut(word, ":")
		a, err1 := strconv.ParseUint(major, 16, 32)
		b, err2 := strconv.ParseUint(minor, 16, 32)
		m.Major, m.Minor, ok = uint32(a), uint32(b), two && err1 == nil && err2 == nil
	}
	if !ok {
		return d.mistake("%.40q is not what stands in %s", word, name)
	}
	return nil
}

// jsonRun is a run of pages.
type jsonRun struct {
	Start    *hexText
	Count    uint64
	State    string
	Huge     bool
	Attrs    []string
	Frame    hexText
	Mapcount *int32
	Source   string
}

// jsonBatch is how many runs go to the sink at once.
const jsonBatch = 256

func (d *jsonReader) runs(m *Mapping) error {
	batch := make([]Run, 0, 16)
	at, given := m.Start, false
	err := d.array(func() error {
		r, err := d.run(m, at)
		if err != nil {
			return err
		}
		at = r.Bounds().End
		if batch = append(batch, r); len(batch) < jsonBatch {
			return nil
		}
		given = true
		err = d.fed(d.to.Pages(m, batch))
		batch = batch[:0]
		return err
	})
	if err != nil || given && len(batch) == 0 {
		return err
	}
	return d.fed(d.to.Pages(m, batch))
}

// run reads a run of pages of m, which begins at or behind an address.
func (d *jsonReader) run(m *Mapping, at uint64) (Run, error) {
	var j jsonRun
	r := Run{Mapcount: -1, Shift: ShiftOf(d.pageSize)}
	if err := d.value(&j); err != nil {
		return r, err
	}
	if j.Start == nil {
		return r, d.mistake("a run of pages has a start")
	}
	r.Start, r.Pages, r.Frame = uint64(*j.Start), j.Count, uint64(j.Frame)
	switch {
	case r.Start < at || r.Start >= m.End || r.Start%d.pageSize != 0:
		return r, d.mistake("no run of pages begins at 0x%x, in a mapping to 0x%x of which all is told up to 0x%x", r.Start, m.End, at)
	case r.Pages == 0 || r.Pages > (m.End-r.Start)/d.pageSize:
		return r, d.mistake("%d pages at 0x%x are not in a mapping to 0x%x", r.Pages, r.Start, m.End)
	case r.Frame > math.MaxUint64-r.Pages:
		return r, d.mistake("no frame has the number 0x%x", r.Frame)
	}
	i := slices.IndexFunc(States[:], func(s StateInfo) bool { return s.Name == j.State })
	if i < 0 {
		return r, d.mistake("%.40q is no state of a page", j.State)
	}
	if r.State = State(i); r.State == Zero || r.State == Anon || r.State == COW || r.State == File || r.State == Shared {
		r.Word = WordPresent
	}
	if j.Huge {
		r.Attrs = Huge
	}
	for _, name := range j.Attrs {
		i := slices.Index(AttrNames[:], name)
		if i < 0 {
			return r, d.mistake("%.40q is no attribute of a page", name)
		}
		r.Attrs |= 1 << i
	}
	if j.Mapcount != nil {
		if r.Mapcount = *j.Mapcount; r.Mapcount < 0 {
			return r, d.mistake("a page is mapped %d times", r.Mapcount)
		}
	}
	return r, nil
}
