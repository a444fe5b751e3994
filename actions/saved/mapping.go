package saved

import (
	"fmt"
	"math"
	"unicode/utf8"

	"cowscope/vmspace"
)

// Mappings and runs of pages as JSON, with the field names of a snapshot's JSON.

// The limits of a snapshot. A process has at most 65530 mappings by default (vm.max_map_count).
const (
	maxItems = 512 << 10 // mappings, or runs of pages, of a process
	maxPath  = 16 << 10
)

type mappingJSON struct {
	Start   hex           `json:"start"`
	End     hex           `json:"end"`
	Perms   string        `json:"perms"`
	Offset  uint64        `json:"offset"`
	Device  string        `json:"device"` // as in /proc/PID/maps: 08:01
	Inode   uint64        `json:"inode"`
	Path    string        `json:"path"`
	PathHex string        `json:"path_hex,omitempty"` // instead of path, if that is not UTF-8
	Smaps   *countersJSON `json:"smaps,omitempty"`
}

type countersJSON struct {
	Rss      uint64     `json:"rss"`
	Pss      uint64     `json:"pss"`
	Swap     uint64     `json:"swap"`
	Locked   uint64     `json:"locked"`
	LazyFree uint64     `json:"lazyfree"`
	AnonHuge uint64     `json:"anon_huge"`
	KSM      uint64     `json:"ksm"`
	Private  uint64     `json:"private,omitempty"`
	Clean    uint64     `json:"clean,omitempty"`
	Anon     uint64     `json:"anonymous,omitempty"`
	VMFlags  list[word] `json:"vm_flags"`
	Key      uint32     `json:"protection_key,omitempty"`
}

func (mappingJSON) most() int { return maxItems }

func (m mappingJSON) check() error {
	if m.Start >= m.End {
		return fmt.Errorf("a mapping from %#x to %#x", uint64(m.Start), uint64(m.End))
	}
	if len(m.Path) > maxPath || len(m.PathHex) > 2*maxPath {
		return fmt.Errorf("the mapping at %#x has a path of more than %d bytes", uint64(m.Start), maxPath)
	}
	if _, ok := vmspace.ParsePerms(m.Perms); !ok {
		return fmt.Errorf("the perms of the mapping at %#x are %.40q: rw-p would be right", uint64(m.Start), m.Perms)
	}
	return nil
}

func mappingOf(m vmspace.Mapping) mappingJSON {
	out := mappingJSON{Start: hex(m.Start), End: hex(m.End), Perms: m.Perms.String(), Offset: m.Offset,
		Device: deviceText(m.Major, m.Minor), Inode: m.Inode}
	out.Path, out.PathHex = pathOf(m.Path)
	if c := m.Smaps; c != nil {
		out.Smaps = &countersJSON{c.Rss, c.Pss, c.Swap, c.Locked, c.LazyFree, c.AnonHuge, c.KSM, c.Private, c.Clean, c.Anonymous, wordsOf(c.VMFlags), c.ProtectionKey}
	}
	return out
}

// mapping converts m. Repeated texts are stored once.
func (r *reader) mapping(m mappingJSON) (vmspace.Mapping, error) {
	out := vmspace.Mapping{Range: vmspace.Range{Start: uint64(m.Start), End: uint64(m.End)}, Offset: m.Offset, Inode: m.Inode}
	if (out.Start|out.End)&(r.head.PageSize-1) != 0 {
		return out, fmt.Errorf("the mapping at %#x does not begin and end with a page", out.Start)
	}
	out.Perms, _ = vmspace.ParsePerms(m.Perms) // it was checked while parsing
	var err error
	if out.Major, out.Minor, err = vmspace.ParseDevice(m.Device); err != nil {
		return out, err
	}
	if out.Path, err = r.path(m.Path, m.PathHex); err != nil {
		return out, err
	}
	if c := m.Smaps; c != nil {
		out.Smaps = &vmspace.Counters{Rss: c.Rss, Pss: c.Pss, Swap: c.Swap, Locked: c.Locked, LazyFree: c.LazyFree, AnonHuge: c.AnonHuge,
			KSM: c.KSM, Private: c.Private, Clean: c.Clean, Anonymous: c.Anon, ProtectionKey: c.Key}
		for _, f := range c.VMFlags {
			out.Smaps.VMFlags = append(out.Smaps.VMFlags, r.intern(string(f)))
		}
	}
	return out, nil
}

// pathOf is a path for JSON, which contains Unicode only: a path may contain any byte but NUL.
func pathOf(path string) (text, raw string) {
	if utf8.ValidString(path) {
		return path, ""
	}
	return "", fmt.Sprintf("%x", path)
}

func (r *reader) path(text, raw string) (string, error) {
	if raw == "" {
		return r.intern(text), nil
	}
	b, err := bytesOf(raw)
	return r.intern(string(b)), err
}

type runJSON struct {
	Start    hex        `json:"start"`
	Count    uint64     `json:"count"`
	State    string     `json:"state"`
	Attrs    list[word] `json:"attrs,omitempty"`
	Frame    hex        `json:"frame,omitempty"`
	Mapcount *int32     `json:"mapcount,omitempty"`
	Word     hex        `json:"word,omitempty"`
	Scan     hex        `json:"scan,omitempty"`
	KFlags   hex        `json:"kflags,omitempty"`
}

func (runJSON) most() int { return maxItems }

func (r runJSON) check() error {
	if r.Count == 0 || r.Count > math.MaxUint64>>12 {
		return fmt.Errorf("a run of %d pages at %#x", r.Count, uint64(r.Start))
	}
	return nil
}

func runOf(r vmspace.Run) runJSON {
	out := runJSON{Start: hex(r.Start), Count: r.Pages, State: r.State.String(), Attrs: wordsOf(r.Attrs.Names()), Frame: hex(r.Frame),
		Word: hex(r.Word), Scan: hex(r.Scan), KFlags: hex(r.KFlags)}
	if r.Mapcount >= 0 {
		out.Mapcount = &r.Mapcount
	}
	return out
}

// run converts j.
func (r *reader) run(j runJSON) (vmspace.Run, error) {
	out := vmspace.Run{Start: uint64(j.Start), Pages: j.Count, Word: uint64(j.Word), Frame: uint64(j.Frame), KFlags: uint64(j.KFlags),
		Scan: uint16(j.Scan), Mapcount: -1, Shift: r.head.shift()}
	size := r.head.PageSize
	switch {
	case out.Start%size != 0 || out.Pages > (math.MaxUint64-out.Start)/size:
		return out, fmt.Errorf("a run of %d pages at %#x does not fit in an address space", j.Count, out.Start)
	case j.Scan > math.MaxUint16 || j.Frame > 1<<55-1:
		return out, fmt.Errorf("the words of the run at %#x have more bits than the kernel's", out.Start)
	case j.Mapcount != nil && *j.Mapcount < 0:
		return out, fmt.Errorf("the run at %#x is mapped %d times", out.Start, *j.Mapcount)
	}
	var err error
	if out.State, err = vmspace.ParseState(j.State); err != nil {
		return out, err
	}
	if j.Mapcount != nil {
		out.Mapcount = *j.Mapcount
	}
	for _, a := range j.Attrs {
		bit, err := vmspace.ParseAttr(string(a))
		if err != nil {
			return out, err
		}
		out.Attrs |= bit
	}
	return out, nil
}
