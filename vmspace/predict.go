package vmspace

import "runtime"

// Access is one access of the CPU to one page.
type Access uint8

// The accesses.
const (
	Load Access = iota
	Store
	Fetch // of an instruction
)

// Happening is what an access to a page can lead to.
type Happening string

// The happenings.
const (
	NoFault  Happening = "none"
	ZeroMap  Happening = "zero-map"
	ZeroFill Happening = "zero-fill"
	MapPage  Happening = "map"
	CopyPage Happening = "copy"
	Reuse    Happening = "reuse"
	SwapIn   Happening = "swap-in"
	SegvMap  Happening = "SIGSEGV/MAPERR"
	SegvAcc  Happening = "SIGSEGV/ACCERR"
	SegvKey  Happening = "SIGSEGV/PKUERR"
	BusAddr  Happening = "SIGBUS/ADRERR"
	GrowDown Happening = "grow"
)

var happeningSentences = map[Happening]string{
	NoFault:  "no fault",
	ZeroMap:  "minor fault, maps the zero page",
	ZeroFill: "minor fault, a fresh frame of zeros",
	MapPage:  "fault, maps the page that is in the page cache, or brings it there",
	CopyPage: "minor fault, copies the frame",
	Reuse:    "minor fault, keeps the frame and makes it writable",
	SwapIn:   "major fault, reads the page back from swap",
	SegvMap:  "SIGSEGV/MAPERR",
	SegvAcc:  "SIGSEGV/ACCERR",
	SegvKey:  "SIGSEGV/PKUERR",
	BusAddr:  "SIGBUS/ADRERR",
	GrowDown: "the stack grows down to it",
}

// Sentence is the happening in words.
func (h Happening) Sentence() string { return happeningSentences[h] }

// Facts are what Predict needs beside the process.
type Facts struct {
	PageSize uint64
	FileSize int64 // of the mapped file in bytes; -1 where not known
}

// Prediction is what an access can lead to, likeliest first.
type Prediction struct {
	Can []Happening
	Why string
}

func can(why string, h ...Happening) Prediction { return Prediction{h, why} }

// Predict says what an access to the page at addr would lead to now.
func Predict(p *Process, addr uint64, a Access, f Facts) Prediction {
	m, ok := p.MappingAt(addr)
	if !ok {
		return predictUnmapped(p, addr, a)
	}
	if pr, refused := predictRefused(m, a); refused {
		return pr
	}
	run := p.PageAt(addr, f.PageSize)
	switch run.State {
	case None:
		return predictAbsent(m, addr, a, f)
	case Guard:
		return can("a guard marker refuses every access", SegvMap)
	case Swapped:
		return can("the page is in swap", SwapIn)
	case Unknown:
		return can("the page could not be read", NoFault, ZeroFill, MapPage, CopyPage)
	}
	if a != Store {
		return can("the page is there", NoFault)
	}
	return predictStore(m, run)
}

// stackReach is how far below a stack an access may grow it when the limit is not known: the usual RLIMIT_STACK.
const stackReach = 8 << 20

func predictUnmapped(p *Process, addr uint64, a Access) Prediction {
	if i, _ := p.Mappings.Find(addr); a != Fetch && i < p.Mappings.Len() {
		if m := p.Mappings.At(i); m.Kind() == KindStack && m.Start-addr <= stackReach {
			return can("a stack grows down when touched below its end, within RLIMIT_STACK", GrowDown, SegvMap)
		}
	}
	return can("no mapping covers the address", SegvMap)
}

// predictRefused applies the letters of the mapping. On x86 a mapping that allows anything can be read, since the page tables know
// no write-only and, without protection keys, no execute-only (arch/x86/mm/fault.c, access_error).
func predictRefused(m Mapping, a Access) (Prediction, bool) {
	x86 := runtime.GOARCH == "amd64"
	acc := can("the letters "+m.Perms.String()+" do not allow it", SegvAcc)
	switch {
	case a == Store && m.Perms&Write == 0, a == Fetch && m.Perms&Exec == 0:
		return acc, true
	case a != Load || m.Perms&Read != 0:
		return acc, false
	case m.Perms&(Write|Exec) == 0 || !x86:
		return acc, true
	case m.Perms&Write == 0:
		return can("execute-only needs protection keys; without them x86 lets it be read", NoFault, ZeroMap, SegvKey), true
	}
	return acc, false
}

// predictAbsent is for a page without a page table entry.
func predictAbsent(m Mapping, addr uint64, a Access, f Facts) Prediction {
	switch m.Kind() {
	case KindFile:
		return predictFile(m, addr, a, f)
	case KindShmem:
		if m.Private() && a == Store {
			return can("the first write copies the page of the file", CopyPage)
		}
		return can("the page is the same for everyone who maps it", MapPage)
	case KindSpecial:
		return can("the kernel lends the page", MapPage)
	}
	if a == Store {
		return can("untouched anonymous memory gets a frame of zeros at the first write", ZeroFill)
	}
	return can("untouched anonymous memory reads as zeros", ZeroMap)
}

func predictFile(m Mapping, addr uint64, a Access, f Facts) Prediction {
	h := MapPage
	if a == Store && m.Private() {
		h = CopyPage
	}
	off := m.Offset + (addr - m.Start)
	switch {
	case f.FileSize < 0:
		return can("a page of the file, if the file reaches so far", h, BusAddr)
	case off&^(f.PageSize-1) >= uint64(f.FileSize):
		return can("the whole page lies past the end of the file", BusAddr)
	}
	return can("a page of the file", h)
}

// kpAnonExclusive is a bit of kpageflags that the kernel does not promise to keep: PG_anon_exclusive. Where it is set a write goes
// straight through.
const kpAnonExclusive = 1 << 34

// predictStore is for a write to a page that is there and may be written.
func predictStore(m Mapping, run Run) Prediction {
	switch run.State {
	case Zero:
		return can("the zero page is everyone's: the first write gets a frame of its own", ZeroFill)
	case COW:
		if run.Mapcount > 1 {
			return can("the frame is shared: the writer gets a copy", CopyPage)
		}
		return can("the frame may be shared", CopyPage, Reuse)
	case File:
		return can("a private mapping never writes to the file: the writer gets a copy", CopyPage)
	case Shared:
		if m.Kind() == KindFile {
			return can("the kernel may want to notice the first write to a file's page", NoFault, Reuse)
		}
		return can("everyone sees the write", NoFault)
	case Anon:
		if run.KFlags&kpAnonExclusive != 0 {
			return can("the page is this process's own", NoFault)
		}
		if run.KFlags != 0 {
			return can("the page is no longer shared, but still write-protected", Reuse, CopyPage)
		}
		return can("the page is this process's own, unless still write-protected since a fork", NoFault, Reuse, CopyPage)
	}
	return can("", NoFault)
}
