package vmspace

// Rules of this file: pure. A prediction follows the kernel's own order: is there a mapping, does
// its protection key allow the access, do its letters, is there a page, may it be written. The set
// is as small as what is known allows, and where two things can happen both are in it.

// guardGap is the distance that a growing stack keeps from the mapping below it, in pages
// (stack_guard_gap in mm/mmap.c).
const guardGap = 256

// Predict says what an access by p to one byte at addr can lead to.
func Predict(p *Process, addr uint64, access Access, f Facts) Prediction {
	switch {
	case p.State >= Zombie:
		return Prediction{nil, "the process is " + p.State.String()}
	case p.Err != "":
		return Prediction{nil, "not known: " + p.Err}
	}
	m, ok := p.MappingAt(addr)
	if !ok {
		return predictHole(p, addr, access, f)
	}
	if m.Path == "[vsyscall]" && access != Fetch && m.Perms&(Read|Write) == 0 {
		return Prediction{[]Happening{MapErr}, "it lies above the addresses of processes, and is there to be called only"}
	}
	if out := refused(m, access, f); len(out.Can) > 0 {
		return out
	}
	page := p.PageAt(addr, p.pageSize())
	if access == Fetch && m.Perms&Exec == 0 {
		return predictForbiddenFetch(m, page, f)
	}
	var out Prediction
	switch {
	case page.State == Guard:
		return Prediction{[]Happening{MapErr}, "a guard marker: the kernel refuses every access as if nothing were mapped"}
	case page.Word&WordPresent == 0:
		out = predictAbsent(m, page, access, f)
	case access == Store:
		out = predictStore(m, page, f)
	default:
		out = Prediction{[]Happening{NoFault}, "the page is present and may be read"}
	}
	if doubts := doubted(m, access, f); len(doubts) > 0 {
		out.Can = append(out.Can, doubts...)
		out.Why += "; or a protection key forbids it, where the mapping has one"
	}
	return out
}

// refused is for an access that the key or the letters of m do not allow, but for fetches; nothing
// can happen where they do. The kernel looks at the key first, then at the letters, and then for
// the page (access_error and bad_area_access_from_pkeys in arch/x86/mm/fault.c).
func refused(m Mapping, access Access, f Facts) Prediction {
	keyed, maybe := keyForbids(m, access, f)
	if keyed {
		return Prediction{[]Happening{PkuErr}, "the mapping's protection key forbids it, whatever its letters are"}
	}
	var out Prediction
	switch {
	case m.Perms&(Read|Write|Exec) == 0:
		out = Prediction{[]Happening{AccErr}, "the mapping allows no access at all"}
	case access == Store && m.Perms&Write == 0:
		out = Prediction{[]Happening{AccErr}, "the mapping may not be written"}
	case access == Load && onlyExec(m) && f.ExecOnly == AccErr:
		out = Prediction{[]Happening{AccErr}, "the mapping may only be executed"}
	default:
		return out
	}
	if maybe {
		out.Can = append(out.Can, PkuErr)
		out.Why += "; a protection key, where the mapping has one, says so first"
	}
	return out
}

// onlyExec says whether m may be executed and nothing else: with protection keys the kernel then
// gives it one that nobody may read or write with.
func onlyExec(m Mapping) bool { return m.Perms&(Read|Write|Exec) == Exec }

// keyForbids says whether the protection key of m forbids the access, or, where that is not known,
// whether it can.
func keyForbids(m Mapping, access Access, f Facts) (certain, maybe bool) {
	switch c := m.Smaps; {
	case access == Fetch:
		return false, false
	case c != nil && f.Keys.Known:
		return f.Keys.Forbid(c.ProtectionKey, access), false
	case f.Keys.Known && f.Keys.PKRU == 0:
		return false, false
	case c == nil && f.Keys.Used, onlyExec(m) && f.ExecOnly == "":
		return false, true
	case onlyExec(m) && f.ExecOnly == PkuErr:
		return true, false
	}
	return false, m.Smaps != nil && m.Smaps.ProtectionKey != 0
}

// doubted is what else can come of an access that is not refused for certain.
func doubted(m Mapping, access Access, f Facts) []Happening {
	_, maybe := keyForbids(m, access, f)
	switch {
	case !maybe:
		return nil
	case access == Load && onlyExec(m) && f.ExecOnly == "": // page tables can forbid it too, as on arm64
		return []Happening{PkuErr, AccErr}
	}
	return []Happening{PkuErr}
}

// predictHole is for an address in no mapping: nothing, or the stack above it grows.
func predictHole(p *Process, addr uint64, access Access, f Facts) Prediction {
	nothing := Prediction{[]Happening{MapErr}, "nothing is mapped there"}
	i, _ := p.Mappings.Find(addr)
	if i == p.Mappings.Len() {
		return nothing
	}
	m, size := p.Mappings.At(i), p.pageSize()
	page := addr - addr%size
	// [stack] is the name of whatever covers the first stack address: something else may have been
	// mapped there.
	sure := m.Smaps.HasFlag("gd") || m.Smaps == nil && m.Kind() == KindStack && f.OnlyStack
	maybe := m.Smaps == nil && m.Private() && (m.Kind() == KindAnon && !f.OnlyStack || m.Kind() == KindStack)
	if !sure && !maybe {
		return nothing
	}
	if i > 0 {
		// A mapping that nobody may access, or that grows itself, keeps no distance
		// (expand_downwards in mm/vma.c).
		below := p.Mappings.At(i - 1)
		if page-below.End < guardGap*size && below.Perms&(Read|Write|Exec) != 0 && !below.Smaps.HasFlag("gd") {
			return Prediction{[]Happening{MapErr}, "too near the mapping below for the stack to grow"}
		}
	}
	if f.StackLimit != 0 && m.End-page > f.StackLimit {
		return Prediction{[]Happening{MapErr}, "beyond the limit of the stack's size"}
	}
	// The stack grows before the access is checked against its key and its letters.
	grow := refused(m, access, f).Can
	switch {
	case access == Fetch && m.Perms&Exec == 0:
		grow = []Happening{AccErr}
	case len(grow) == 0:
		grow = append([]Happening{Grow}, doubted(m, access, f)...)
	}
	switch {
	case !sure && m.Kind() == KindStack:
		return Prediction{append(grow, MapErr), "the stack grows down to it, if it is the stack still and its limit allows"}
	case !sure:
		return Prediction{append([]Happening{MapErr}, grow...), "nothing is mapped there, unless the mapping above grows downwards"}
	case f.StackLimit == 0:
		return Prediction{append(grow, MapErr), "the stack grows down to it, if its limit allows"}
	}
	return Prediction{grow, "the stack grows down to it"}
}

// predictForbiddenFetch is for executing what may not be executed. On x86-64 the fault handler
// takes the first fault for a read and brings the page in; only the second one shows what was wrong
// (access_error in arch/x86/mm/fault.c). So a page that cannot be brought in fails for that reason.
// arm64 looks at the permission first.
func predictForbiddenFetch(m Mapping, page Run, f Facts) Prediction {
	denied := Prediction{[]Happening{AccErr}, "the mapping may not be executed"}
	if page.Word&WordPresent != 0 || f.Arch != "" && f.Arch != "amd64" {
		return denied
	}
	if page.State == Guard {
		return Prediction{[]Happening{MapErr}, "a guard marker: the kernel meets it before the missing permission"}
	}
	for _, h := range predictAbsent(m, page, Load, f).Can {
		if h != BusErr {
			continue
		}
		if beyond, known := pastEnd(m, page, f); known && beyond {
			return Prediction{[]Happening{BusErr}, "the file ends before this page, and the kernel meets that first"}
		}
		denied.Can = append(denied.Can, BusErr)
		denied.Why += "; where there is no page to bring in, the kernel meets that first"
	}
	return denied
}

// pastEnd says whether page lies wholly behind the end of what m maps.
func pastEnd(m Mapping, page Run, f Facts) (beyond, known bool) {
	if f.FileSize < 0 {
		return false, false
	}
	return page.Start-m.Start+m.Offset >= uint64(f.FileSize), true
}

// predictAbsent is for a page without a page table entry, in a mapping that allows the access.
func predictAbsent(m Mapping, page Run, access Access, f Facts) Prediction {
	if page.State == Swapped {
		return Prediction{[]Happening{SwapIn}, "the page is in swap"}
	}
	switch kind := m.Kind(); {
	case m.Path == "[vdso]":
		return Prediction{[]Happening{MapPage}, "the kernel maps its page"}
	case kind == KindSpecial, m.blind():
		return Prediction{[]Happening{MapPage, NoFault, BusErr}, "the kernel maps its page, if it has one for this place and has not done so yet"}
	case m.Smaps.HasFlag("ht"):
		if kind == KindFile && m.Perms&SharedMap != 0 {
			return Prediction{[]Happening{MapPage, ZeroFill, BusErr}, "a huge page, if the pool has one left"}
		}
		return Prediction{[]Happening{ZeroFill, MapPage, Copy, BusErr}, "a huge page, if the pool has one left"}
	case kind == KindAnon, kind == KindHeap, kind == KindStack:
		if access == Store {
			return Prediction{[]Happening{ZeroFill}, "untouched anonymous memory: the kernel hands out a frame of zeros"}
		}
		return Prediction{[]Happening{ZeroMap}, "untouched anonymous memory: a read gets the shared zero page"}
	}
	got := Prediction{[]Happening{MapPage}, "the kernel maps the page of the file"}
	switch {
	case m.Perms&SharedMap != 0:
		got.Why = "the kernel maps the page that all share"
	case access == Store:
		got = Prediction{[]Happening{Copy}, "a private mapping: the kernel copies the page of the file and maps the copy"}
	}
	switch beyond, known := pastEnd(m, page, f); {
	case known && beyond:
		return Prediction{[]Happening{BusErr}, "the file ends before this page"}
	case !known:
		got.Can = append(got.Can, BusErr)
		got.Why += ", if the file reaches so far"
	}
	return got
}

// wholeFolio says whether the flags of kpageflags are those of the page itself. Of a large folio
// they are those of its first page (stable_page_flags in fs/proc/page.c); where one entry maps all
// of it, that is the same.
func (r Run) wholeFolio() bool { return r.KFlags&KTHP == 0 || r.Scan&ScanHuge != 0 }

// alone says whether no page of m was ever shared copy-on-write: no fork, and nothing merged (KSM),
// as far as the VmFlags are known.
func (f Facts) alone(m Mapping) bool { return f.NeverForked && !m.Smaps.HasFlag("mg") }

// predictStore is for a write to a page that is present, in a mapping that may be written.
func predictStore(m Mapping, page Run, f Facts) Prediction {
	read := page.Mapcount >= 0 // kpagecount and kpageflags were
	switch page.State {
	case Zero:
		return Prediction{[]Happening{ZeroFill}, "the zero page is never written: the kernel hands out a frame of zeros"}
	case File:
		return Prediction{[]Happening{Copy}, "a page of the file in a private mapping: the writer gets a copy"}
	case Shared:
		// A file system that wants to know of the first write maps clean pages read-only
		// (vma_wants_writenotify); shared memory does not.
		if m.Kind() == KindShmem && page.Attrs&UffdWP == 0 {
			return Prediction{[]Happening{NoFault}, "a page that all share, and that may be written"}
		}
		return Prediction{[]Happening{NoFault, Reuse}, "a page that all share; the first write to a clean one takes a fault"}
	case Anon:
		switch {
		case page.Attrs&UffdWP != 0:
			return Prediction{[]Happening{Reuse, NoFault, Copy}, "write-protected by userfaultfd: its handler decides"}
		case f.Reprotected && (f.alone(m) || read && page.KFlags&KAnonExclusive != 0):
			return Prediction{[]Happening{NoFault, Reuse}, "the frame is this process's alone; mprotect may have left it write-protected, as kernels before Linux 6.2 do"}
		case f.alone(m):
			return Prediction{[]Happening{NoFault}, "the frame is this process's alone and was never shared"}
		case read && !page.wholeFolio():
			return Prediction{[]Happening{NoFault, Reuse, Copy}, "a small part of a huge page, alone here: if a fork once shared it, it may still be write-protected"}
		case read && page.KFlags&KAnonExclusive != 0:
			return Prediction{[]Happening{NoFault}, "the frame is this process's alone: the write goes straight through"}
		case read:
			return Prediction{[]Happening{Reuse, Copy}, "alone again, but still write-protected from a fork: the kernel keeps the frame or copies it"}
		}
		return Prediction{[]Happening{NoFault, Reuse, Copy}, "the frame is this process's alone; if a fork once shared it, it is still write-protected"}
	case COW:
		if page.Word&WordExclusive != 0 && page.Frame == 0 { // by halfSplit
			return Prediction{[]Happening{Copy, Reuse, NoFault}, "a huge page that a relative shares, most likely: frame numbers are hidden"}
		}
		// For a large folio the counts speak of the folio, not of the page.
		if page.Attrs&KSM != 0 || read && page.Mapcount > 1 && page.KFlags&KTHP == 0 {
			return Prediction{[]Happening{Copy}, "the frame is shared copy-on-write: the writer gets a copy"}
		}
		return Prediction{[]Happening{Copy, Reuse}, "shared copy-on-write, as far as the kernel tells: the writer gets a copy, unless nobody else is left"}
	case Special:
		return Prediction{[]Happening{NoFault, Reuse, Copy}, "lent by the kernel: it decides what a write does"}
	}
	if page.Word&WordExclusive != 0 {
		return Prediction{[]Happening{NoFault, Copy, Reuse}, UnknownWhy}
	}
	return Prediction{[]Happening{Copy, ZeroFill, Reuse}, UnknownWhy}
}
