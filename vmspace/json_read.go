package vmspace

import (
	"errors"
	"io"
	"math"
	"slices"
)

// Rules of this file: the output of WriteJSON is read piece by piece; only the current piece is
// held in memory, and its size is limited. The text may come from anybody: whatever WriteJSON would
// not have written is an error with its place. What JSON does not contain is 0; of the pagemap word
// only the present bit is known, from the state of the page.

// ReadJSON reads the output of WriteJSON into the sink that begin returns, and closes the sink.
// defaultSize is the page size in bytes if the text does not contain one. The error is a
// *JSONError, or that of r or of the sink.
func ReadJSON(r io.Reader, defaultSize uint64, begin func(pageSize uint64) Sink) error {
	d := &jsonReader{jsonParser: newJSONParser(r), pageSize: defaultSize, begin: begin}
	err := d.document()
	if d.to != nil {
		err = errors.Join(err, d.to.Close(err != nil))
	}
	if err == nil || d.sinkErr != nil {
		return err
	}
	return d.placed(err)
}

// jsonReader reads a snapshot.
type jsonReader struct {
	jsonParser
	begin     func(uint64) Sink
	to        Sink
	sinkErr   error
	pageSize  uint64
	processes int
}

// sent notes an error of the sink.
func (d *jsonReader) sent(err error) error {
	d.sinkErr = err
	return err
}

func (d *jsonReader) document() error {
	members := []member{
		{name: "page_size", to: d.readPageSize},
		{name: "processes", to: func() error {
			d.to = d.begin(d.pageSize)
			return d.array(d.process)
		}},
	}
	if err := d.object(members); err != nil {
		return err
	}
	if err := d.need(members, ": this is not a snapshot", "processes"); err != nil {
		return err
	}
	if _, err := d.token(); err != io.EOF {
		return d.mistake("something follows the snapshot")
	}
	return nil
}

func (d *jsonReader) readPageSize() error {
	var size uint64
	if err := d.value(&size); err != nil {
		return err
	}
	switch {
	case d.to != nil:
		return d.mistake("page_size must come before processes")
	case size < 1<<10 || size > 1<<24 || size&(size-1) != 0:
		return d.mistake("the page size is %d bytes: it must be a power of two from 1024 to 16777216", size)
	}
	d.pageSize = size
	return nil
}

// The limits of a snapshot. A kernel has at most 4194304 processes (PID_MAX_LIMIT in
// include/linux/threads.h).
const (
	maxChanged   = 1 << 20
	maxProcesses = 1 << 22
)

func (d *jsonReader) process() error {
	p := &Process{Shift: ShiftOf(d.pageSize)}
	var changed []Range
	var members []member
	members = []member{
		{name: "label", to: &p.Label},
		{name: "parent", to: &p.Parent},
		{name: "shares", to: &p.Shares},
		{name: "thread", to: &p.Thread},
		{name: "pid", to: &p.PID},
		{name: "state", to: func(word string) (err error) {
			p.State, err = ParseProcState(word)
			return err
		}},
		{name: "error", to: &p.Err},
		{name: "faults", to: func() error { return d.pair("minor", &p.MinorFlt, "major", &p.MajorFlt) }},
		{name: "rss", to: &p.RSS},
		{name: "mappings", to: func() error {
			if err := d.need(members, " before mappings", "label", "pid", "state", "rss"); err != nil {
				return err
			}
			if p.PID <= 0 {
				return d.mistake("the process id is %d: it must be above 0", p.PID)
			}
			if err := d.sent(d.to.Process(p)); err != nil {
				return err
			}
			end := uint64(0)
			return d.array(func() error { return d.mapping(&end) })
		}},
		{name: "changed", to: func() error {
			return d.array(func() error {
				var r Range
				err := d.pair("start", (*Hex)(&r.Start), "end", (*Hex)(&r.End))
				if changed = append(changed, r); err == nil && len(changed) > maxChanged {
					err = d.mistake("more than %d ranges changed", maxChanged)
				}
				return err
			})
		}},
	}
	if err := d.object(members); err != nil {
		return err
	}
	if d.processes++; d.processes > maxProcesses {
		return d.mistake("more than %d processes", maxProcesses)
	}
	if err := d.need(members, "", "mappings"); err != nil {
		return err
	}
	return d.sent(d.to.End(changed))
}

// pair reads an object that has exactly two members.
func (d *jsonReader) pair(name1 string, to1 any, name2 string, to2 any) error {
	members := []member{{name: name1, to: to1}, {name: name2, to: to2}}
	if err := d.object(members); err != nil {
		return err
	}
	return d.need(members, "", name1, name2)
}

// mapping reads a mapping and its pages. end is where the previous mapping ends, and is updated.
func (d *jsonReader) mapping(end *uint64) error {
	m, c := &Mapping{}, &Counters{}
	counted := false
	var members []member
	members = []member{
		{name: "name", to: new(string)},
		{name: "start", to: (*Hex)(&m.Start)},
		{name: "end", to: (*Hex)(&m.End)},
		{name: "perms", to: func(word string) (err error) {
			var ok bool
			if m.Perms, ok = ParsePerms(word); !ok {
				err = d.mistake("perms are %.40q: rw-p would be right", word)
			}
			return err
		}},
		{name: "offset", to: &m.Offset},
		{name: "device", to: func(word string) (err error) {
			m.Major, m.Minor, err = ParseDevice(word)
			return err
		}},
		{name: "inode", to: &m.Inode},
		{name: "path", to: &m.Path},
		{name: "kind", to: func(word string) error {
			if !slices.Contains(kindNames[:], word) {
				return d.mistake("unknown kind of mapping %.40q: there are %s", word, kindNames)
			}
			return nil
		}},
		{name: "rss", to: &c.Rss},
		{name: "pss", to: func() error {
			counted = true
			return d.value(&c.Pss)
		}},
		{name: "swap", to: &c.Swap},
		{name: "locked", to: &c.Locked},
		{name: "lazyfree", to: &c.LazyFree},
		{name: "anon_huge", to: &c.AnonHuge},
		{name: "ksm", to: &c.KSM},
		{name: "vm_flags", to: &c.VMFlags},
		{name: "protection_key", to: &c.ProtectionKey},
		{name: "pages", to: func() error {
			if err := d.need(members, " before pages", "start", "end", "perms", "path"); err != nil {
				return err
			}
			switch {
			case m.Start >= m.End || m.Start%d.pageSize != 0 || m.End%d.pageSize != 0:
				return d.mistake("a mapping cannot reach from 0x%x to 0x%x with pages of %d bytes", m.Start, m.End, d.pageSize)
			case m.Start < *end:
				return d.mistake("the mapping at 0x%x comes after one that ends at 0x%x", m.Start, *end)
			}
			*end = m.End
			if counted {
				m.Smaps = c
			}
			return d.runs(m)
		}},
	}
	if err := d.object(members); err != nil {
		return err
	}
	return d.need(members, "", "pages")
}

// jsonRun is a run of pages.
type jsonRun struct {
	Start    *Hex
	Count    uint64
	State    string
	Huge     bool
	Attrs    []string
	Frame    Hex
	Mapcount *int32
	Source   string
}

// jsonBatch is how many runs go to the sink at once.
const jsonBatch = 256

func (d *jsonReader) runs(m *Mapping) error {
	batch := make([]Run, 0, 16)
	at, begun := m.Start, false
	err := d.array(func() error {
		r, err := d.run(m, at)
		if err != nil {
			return err
		}
		at = r.Bounds().End
		if batch = append(batch, r); len(batch) < jsonBatch {
			return nil
		}
		begun = true
		err = d.sent(d.to.Pages(m, batch))
		batch = batch[:0]
		return err
	})
	if err != nil || begun && len(batch) == 0 {
		return err
	}
	return d.sent(d.to.Pages(m, batch))
}

// run reads a run of pages of m, which begins at or behind an address.
func (d *jsonReader) run(m *Mapping, at uint64) (Run, error) {
	var j jsonRun
	r := Run{Mapcount: -1, Shift: ShiftOf(d.pageSize)}
	err := d.value(&j)
	if err != nil {
		return r, err
	}
	if j.Start == nil {
		return r, d.mistake("a run of pages needs a start")
	}
	r.Start, r.Pages, r.Frame = uint64(*j.Start), j.Count, uint64(j.Frame)
	switch {
	case r.Start < at || r.Start >= m.End || r.Start%d.pageSize != 0:
		return r, d.mistake("a run of pages begins at 0x%x: a page from 0x%x to 0x%x was expected", r.Start, at, m.End)
	case r.Pages == 0 || r.Pages > (m.End-r.Start)/d.pageSize:
		return r, d.mistake("a run of %d pages at 0x%x does not fit in a mapping that ends at 0x%x", r.Pages, r.Start, m.End)
	case r.Frame > math.MaxUint64-r.Pages:
		return r, d.mistake("the frame number 0x%x is too large", r.Frame)
	}
	if r.State, err = ParseState(j.State); err != nil {
		return r, err
	}
	switch r.State {
	case Zero, Anon, COW, File, Shared:
		r.Word = WordPresent
	}
	if j.Huge {
		r.Attrs = Huge
	}
	for _, name := range j.Attrs {
		a, err := ParseAttr(name)
		if err != nil {
			return r, err
		}
		r.Attrs |= a
	}
	if j.Mapcount != nil {
		if r.Mapcount = *j.Mapcount; r.Mapcount < 0 {
			return r, d.mistake("the mapcount of a page is %d", r.Mapcount)
		}
	}
	return r, nil
}
