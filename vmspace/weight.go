package vmspace

import "unsafe"

// Rules of this file: what two snapshots share is found as a comparison finds it, by chunks with
// the same address, so that it costs what the lists of chunks cost.

// Beside is about how many bytes of memory s takes beside what it shares with o, which may be nil.
func (s *Snapshot) Beside(o *Snapshot) int {
	if s == nil || s == o {
		return 0
	}
	bytes := int(unsafe.Sizeof(*s)) + len(s.Processes)*int(unsafe.Sizeof(s))
	for i, p := range s.Processes {
		var q *Process
		if o != nil && i < len(o.Processes) && o.Processes[i].Label == p.Label {
			q = o.Processes[i]
		} else if o != nil {
			q = o.Process(p.Label)
		}
		bytes += p.beside(q)
	}
	return bytes
}

func (p *Process) beside(q *Process) int {
	if p == q {
		return 0
	}
	if q == nil {
		q = &Process{}
	}
	return int(unsafe.Sizeof(*p)) + unsharedBytes(p.Mappings, q.Mappings, counterBytes) + unsharedBytes(p.Pages, q.Pages, 0)
}

// counterBytes is about what the Counters of a mapping take, with their list of VmFlags. Equal
// texts are there once.
const counterBytes = int(unsafe.Sizeof(Counters{})) + 10*int(unsafe.Sizeof(""))

// unsharedBytes is the same for a list, of which each item refers to so many bytes more.
func unsharedBytes[T Item](l, o List[T], more int) int {
	if l.n == 0 || o.n > 0 && &l.chunks[0] == &o.chunks[0] {
		return 0
	}
	var item T
	each := int(unsafe.Sizeof(item)) + more
	bytes := cap(l.chunks)*int(unsafe.Sizeof(l.chunks[0])) + cap(l.first)*int(unsafe.Sizeof(0))
	k := 0
	for _, c := range l.chunks {
		start := c.items[0].Bounds().Start
		for k < len(o.chunks) && o.chunks[k] != c && o.chunks[k].items[0].Bounds().Start < start {
			k++
		}
		if k == len(o.chunks) || o.chunks[k] != c {
			bytes += int(unsafe.Sizeof(*c)) + len(c.items)*each
		}
	}
	return bytes
}
