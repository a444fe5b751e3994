package symbol

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"cowscope/vmspace"
)

// Rules of this file: which file a mapping has is remembered for the time trust, then the file is
// opened and compared with the mapping again. The lock of the Table is not held while a file is
// read.

const (
	trust     = time.Second
	mostVDSO  = 64 << 10 // bytes
	mostVDSOs = 8
	mostKnown = 16 << 10
)

// identity is what a file is recognised by.
type identity struct {
	dev, ino uint64
	size     int64
	mtime    int64 // ns
}

// mapped is a file in one process, as /proc/PID/maps gives it.
type mapped struct {
	pid          int
	major, minor uint32
	inode        uint64
	path         string
}

// known is the object of a mapped file, as it was found until a moment.
type known struct {
	object *object // nil: cannot be read
	until  time.Time
}

// Table finds places, and keeps the tables of the objects that it has read. Several goroutines may
// use it.
type Table struct {
	opt Options

	mu      sync.Mutex
	known   map[mapped]known
	objects map[identity]*object
	vdsos   []*object // of this kernel: one for each kind of program
	clock   uint64    // counts uses
	sum     int64     // of the costs of objects
}

// New makes an empty Table.
func New(o Options) *Table {
	return &Table{opt: o.withDefaults(), known: map[mapped]known{}, objects: map[identity]*object{}}
}

// Place says where in process pid an address of mapping m is. The first lookup in an object reads
// its tables, within Options.Patience.
func (t *Table) Place(pid int, m vmspace.Mapping, addr uint64) vmspace.Place {
	frames, p := t.frames(pid, m, addr)
	for i, f := range frames {
		if i == 0 {
			p.Function = f.function
		}
		if f.line > 0 && (p.Line == 0 || Foreign(p.File)) && (p.Line == 0 || !Foreign(f.file)) {
			p.File, p.Line = f.file, f.line
		}
	}
	return p
}

// frames gives the functions at an address, the innermost first, and the rest of the Place.
func (t *Table) frames(pid int, m vmspace.Mapping, addr uint64) ([]frame, vmspace.Place) {
	vdso := m.Path == "[vdso]"
	if !m.Contains(addr) || m.Inode == 0 && !vdso {
		return nil, vmspace.Place{At: addr}
	}
	p := vmspace.Place{Object: m.Path, At: addr - m.Start + m.Offset}
	o := t.object(pid, m, vdso)
	if o == nil {
		return nil, p
	}
	defer t.trim(o)
	o.mu.Lock()
	defer o.mu.Unlock()
	at, ok := o.address(p.At, m.Perms&vmspace.Exec != 0)
	if !ok {
		return nil, p
	}
	p.At = at
	frames, start := o.frames(at, time.Now().Add(t.opt.Patience))
	if len(frames) > 0 {
		p.Offset = at - start
	}
	return frames, p
}

// object returns the object that m maps, with its tables read; nil if it cannot be had.
func (t *Table) object(pid int, m vmspace.Mapping, vdso bool) *object {
	key := mapped{pid, m.Major, m.Minor, m.Inode, m.Path}
	now := time.Now()
	t.mu.Lock()
	k, ok := t.known[key]
	t.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.object
	}
	var o *object
	if vdso {
		o = t.vdso(pid, m)
	} else if f, id, err := openMapped(pid, m); err == nil {
		o = t.shared(id)
		o.once.Do(func() { o.load(f, m.Path, t.opt) })
		f.Close()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= mostKnown {
		clear(t.known)
	}
	t.known[key] = known{o, now.Add(trust)}
	return o
}

// shared returns the one object of a file.
func (t *Table) shared(id identity) *object {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.objects[id]
	if o == nil {
		o = &object{id: id, most: t.opt.Memory}
		t.objects[id] = o
	}
	return o
}

// vdso reads the vdso of a process. Pages that are absent were never written to, so they are the
// kernel's: they are those of this process, if what is present is the same, too.
func (t *Table) vdso(pid int, m vmspace.Mapping) *object {
	if t.opt.Peek == nil || m.Len() > mostVDSO {
		return nil
	}
	image := make([]byte, m.Len())
	present, err := t.opt.Peek(pid, m.Start, image)
	if err != nil || !slices.Contains(present, true) {
		return nil
	}
	if slices.Contains(present, false) {
		own, page := ownVDSO(), len(image)/len(present)
		for i, there := range present {
			if len(own) != len(image) || there && !bytes.Equal(own[i*page:][:page], image[i*page:][:page]) {
				return nil
			}
		}
		image = own
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.vdsos {
		if bytes.Equal(o.image, image) {
			return o
		}
	}
	o := &object{most: t.opt.Memory, image: image}
	o.load(bytes.NewReader(image), m.Path, t.opt)
	if len(t.vdsos) == mostVDSOs {
		t.vdsos = nil // processes have changed theirs
	}
	t.vdsos = append(t.vdsos, o)
	return o
}

// trim notes that o was used, and drops the objects used least recently until the rest fits.
func (t *Table) trim(o *object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock++
	o.used = t.clock
	if t.objects[o.id] != o {
		return // a vdso, or dropped meanwhile
	}
	cost := o.cost.Load()
	t.sum += cost - o.counted
	o.counted = cost
	for t.sum > t.opt.Memory && len(t.objects) > 1 {
		oldest := o
		for _, x := range t.objects {
			if x.used < oldest.used {
				oldest = x
			}
		}
		if oldest == o {
			return
		}
		t.sum -= oldest.counted
		delete(t.objects, oldest.id)
		for key, k := range t.known {
			if k.object == oldest {
				delete(t.known, key)
			}
		}
	}
}
