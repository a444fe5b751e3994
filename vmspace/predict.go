package vmspace

// Rules of this file: pure. A prediction follows the kernel's order of checks: a mapping, its
// protection key, its permissions, the page, its write protection. The set is as small as the known
// facts allow; if two outcomes are possible, it contains both.

// guardGap is the distance that a growing stack keeps from the mapping below it, in pages
// (stack_guard_gap in mm/mmap.c).
const guardGap = 256

// Predict returns the possible outcomes of an access by p to one byte at addr.
func Predict(p *Process, addr uint64, access Access, f Facts) Prediction {
	switch {
	case !p.Alive():
		return Prediction{nil, "the process is " + p.State.String()}
	case p.Err != "":
		return Prediction{nil, "not known: " + p.Err}
	}
	m, ok := p.MappingAt(addr)
	if !ok {
		return predictHole(p, addr, access, f)
	}
	if m.Path == "[vsyscall]" && access != Fetch && m.Perms&(Read|Write) == 0 {
		return Prediction{[]Happening{MapErr}, "it lies above the addresses of processes, and can only be called"}
	}
	if out := refused(m, access, f); len(out.Can) > 0 {
		return out
	}
	page := p.PageAt(addr, p.pageSize())
	if access == Fetch && m.Perms&Exec == 0 {
		return predictForbiddenFetch(m, page, f)
	}
	told, mayBeTold := f.told(m, "uw")
	protected := access == Store && page.Attrs&UffdWP != 0
	var out Prediction
	switch {
	case page.State == Guard:
		return Prediction{[]Happening{MapErr}, "a guard marker: the kernel refuses every access as if nothing were mapped"}
	case page.Attrs&Poisoned != 0:
		return f.poisoned()
	case protected && told:
		out = Prediction{[]Happening{BusErr}, "write-protected with userfaultfd, which answers with SIGBUS"}
	case page.Word&WordPresent == 0:
		out = predictAbsent(m, page, access, f)
	case access == Store:
		out = predictStore(m, page, f)
	default:
		out = Prediction{[]Happening{NoFault}, "the page is present and may be read"}
	}
	if protected && mayBeTold {
		out = out.or(BusErr, "or it is write-protected with userfaultfd, whose descriptor decides what happens then")
	}
	if doubts := otherOutcomes(m, access, f); len(doubts) > 0 {
		out.Can = append(out.Can, doubts...)
		out.Why += "; or the mapping has a protection key that forbids it"
	}
	return out
}

// or adds an outcome, if it is not in the set yet.
func (p Prediction) or(h Happening, why string) Prediction {
	if p.Allows(h) {
		return p
	}
	return Prediction{append(p.Can, h), p.Why + "; " + why}
}

// refused is the prediction for an access, other than a fetch, that the protection key or the
// permissions of m forbid; it is empty if they allow it. The kernel checks the key first, then the
// permissions, and then the page (access_error and bad_area_access_from_pkeys in
// arch/x86/mm/fault.c).
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
		out.Why += "; a protection key of the mapping, if it has one, is checked first"
	}
	return out
}

// onlyExec reports whether m is execute-only: with protection keys the kernel gives it a key that
// forbids reads and writes.
func onlyExec(m Mapping) bool { return m.Perms&(Read|Write|Exec) == Exec }

// keyForbids reports whether the protection key of m forbids the access; maybe says that it can, if
// that is not known for certain.
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

// otherOutcomes lists further outcomes of an access that is not certainly refused.
func otherOutcomes(m Mapping, access Access, f Facts) []Happening {
	_, maybe := keyForbids(m, access, f)
	switch {
	case !maybe:
		return nil
	// Page tables can forbid it too, as on arm64.
	case access == Load && onlyExec(m) && f.ExecOnly == "":
		return []Happening{PkuErr, AccErr}
	}
	return []Happening{PkuErr}
}

// predictHole is for an address outside all mappings: a signal, or the mapping above it grows, which
// is the stack, or was made with MAP_GROWSDOWN.
func predictHole(p *Process, addr uint64, access Access, f Facts) Prediction {
	nothing := Prediction{[]Happening{MapErr}, "nothing is mapped there"}
	i, _ := p.Mappings.Find(addr)
	if i == p.Mappings.Len() {
		return nothing
	}
	m, size := p.Mappings.At(i), p.pageSize()
	page := addr - addr%size
	// [stack] is the name of whatever covers the initial stack address: another mapping may have
	// replaced the stack there.
	sure := m.Smaps.HasFlag("gd") || m.Smaps == nil && m.Kind() == KindStack && f.OnlyStack
	maybe := m.Smaps == nil && m.Private() && (m.Kind() == KindAnon && !f.OnlyStack || m.Kind() == KindStack)
	if !sure && !maybe {
		return nothing
	}
	if i > 0 {
		// The gap is not kept from a mapping without access permissions, nor from one that grows
		// itself (expand_downwards in mm/vma.c).
		below := p.Mappings.At(i - 1)
		if page-below.End < guardGap*size && below.Perms&(Read|Write|Exec) != 0 && !below.Smaps.HasFlag("gd") {
			return Prediction{[]Happening{MapErr}, "too near the mapping below for " + m.grower() + " to grow"}
		}
	}
	why, possible := f.stopped(p, m, page)
	if why != "" {
		return Prediction{[]Happening{MapErr}, why}
	}
	// The stack grows before its key and its permissions are checked.
	grow := refused(m, access, f).Can
	told, mayBeTold := f.told(m, "um")
	switch {
	case access == Fetch && m.Perms&Exec == 0 && (!mayBeTold || !f.bringsInFirst()):
		grow = []Happening{AccErr}
	case len(grow) == 0 && told:
		grow = []Happening{BusErr}
	case access == Fetch && m.Perms&Exec == 0:
		grow = []Happening{AccErr, BusErr}
	case len(grow) == 0:
		grow = append([]Happening{Grow}, otherOutcomes(m, access, f)...)
		if mayBeTold {
			grow = append(grow, BusErr)
		}
	}
	switch {
	case !sure && m.Kind() == KindStack:
		return Prediction{append(grow, MapErr), "the stack grows down to it, if it is still the stack and its limit allows that"}
	case !sure:
		return Prediction{append([]Happening{MapErr}, grow...), "nothing is mapped there, unless the mapping above grows downwards"}
	case possible:
		return Prediction{append(grow, MapErr), m.grower() + " grows down to it, if its limit allows that"}
	case m.Start-page > certainGrowth:
		return Prediction{append(grow, MapErr), m.grower() + " grows down to it, if the machine may promise so much memory"}
	}
	return Prediction{grow, m.grower() + " grows down to it"}
}

// certainGrowth is how many bytes a mapping may grow by on every machine. What it grows by counts as memory that
// is promised, and of that there is as much as vm.overcommit_memory allows (acct_stack_growth in
// mm/vma.c).
const certainGrowth = 64 << 20

// grower says what grows down: the stack, or a mapping made with MAP_GROWSDOWN.
func (m Mapping) grower() string {
	if m.Kind() == KindStack {
		return "the stack"
	}
	return "the mapping above"
}

// stopped returns the limit that prevents m, which grows downwards, from reaching page; possible
// says that one may, as far as is known (acct_stack_growth in mm/vma.c).
func (f Facts) stopped(p *Process, m Mapping, page uint64) (why string, possible bool) {
	size, more := p.pageSize(), m.Start-page
	past := func(taken, limit uint64) bool { return limit != Unlimited && taken+more > limit&^(size-1) }
	locked := func() bool { return past(p.covered("lo"), f.Limits.Locked) }
	switch {
	case !f.Limits.Known:
		return "", true
	case past(p.covered(""), f.Limits.Space):
		return "beyond the limit of the address space", true
	case m.End-page > f.Limits.Stack:
		return "beyond the limit of a stack's size", true
	case m.Smaps.HasFlag("lo") && locked():
		return m.grower() + " is locked, and would exceed the limit of locked memory", true
	}
	return "", m.Smaps == nil && locked()
}

// covered is how many bytes are mapped, of all mappings or of those with a VmFlag. Mappings in the
// kernel half of the address space are not counted, as in the kernel.
func (p *Process) covered(flag string) (n uint64) {
	for _, m := range p.Mappings.All() {
		if m.Start < KernelHalf && (flag == "" || m.Smaps.HasFlag(flag)) {
			n += m.Len()
		}
	}
	return n
}

// predictForbiddenFetch is for an instruction fetch from memory that is not executable. The x86-64
// fault handler treats the first fault as a read and brings the page in; only the second fault is
// refused (access_error in arch/x86/mm/fault.c). So if the page cannot be brought in, that is the
// outcome. arm64 checks the permission first.
func predictForbiddenFetch(m Mapping, page Run, f Facts) Prediction {
	denied := Prediction{[]Happening{AccErr}, "the mapping may not be executed"}
	if page.Word&WordPresent != 0 || !f.bringsInFirst() {
		return denied
	}
	switch {
	case page.State == Guard:
		return Prediction{[]Happening{MapErr}, "a guard marker: the kernel checks it before the permission"}
	case page.Attrs&Poisoned != 0:
		return f.poisoned()
	}
	in := predictAbsent(m, page, Load, f)
	switch {
	case in.Allows(MceErr): // in swap, or a marker
		return Prediction{append([]Happening{AccErr}, in.Can[1:]...), in.Why}
	case in.Allows(BusErr) && len(in.Can) == 1:
		return Prediction{in.Can, in.Why + ", and the kernel finds that first"}
	case in.Allows(BusErr):
		return denied.or(BusErr, "if there is no page to bring in, the kernel finds that first")
	}
	return denied
}

// bringsInFirst reports whether the fault handler brings a page in before it checks that it is
// executable.
func (f Facts) bringsInFirst() bool { return f.Arch == "" || f.Arch == "amd64" }

// pastEnd reports whether page lies wholly past the end of the object that m maps.
func pastEnd(m Mapping, page Run, f Facts) (beyond, known bool) {
	if f.FileSize < 0 {
		return false, false
	}
	return page.Start-m.Start+m.Offset >= uint64(f.FileSize), true
}

// predictAbsent is for a page without a page table entry, in a mapping that permits the access.
func predictAbsent(m Mapping, page Run, access Access, f Facts) Prediction {
	swapped := Prediction{[]Happening{SwapIn}, "the page is in swap"}
	if m.Smaps != nil && m.Smaps.Swap == 0 && page.Attrs&UffdWP == 0 {
		swapped = Prediction{[]Happening{SwapIn, BusErr, MceErr, MapErr}, "the page is in swap, or it is a marker: smaps counts nothing in swap"}
	}
	if page.State == Swapped && page.Attrs&UffdWP == 0 {
		return swapped
	}
	out := predictMissing(m, page, access, f)
	told, mayBeTold := f.told(m, "um")
	minor, mayBeMinor := f.told(m, "ui")
	switch anonymous := m.Kind().anonymous(); {
	case told && minor:
		out = Prediction{[]Happening{BusErr}, "whether the shared memory has it or not, userfaultfd handles that, and answers with SIGBUS"}
	case told && anonymous:
		out = Prediction{[]Happening{BusErr}, "a missing page: userfaultfd handles it, and answers with SIGBUS"}
	case told:
		out = out.or(BusErr, "or the shared memory does not have it: userfaultfd handles that, and answers with SIGBUS")
	case minor && !anonymous:
		out = out.or(BusErr, "or the shared memory has it: userfaultfd handles that, and answers with SIGBUS")
	case mayBeTold || mayBeMinor && !anonymous:
		out = out.or(BusErr, "or userfaultfd handles missing pages here, and its descriptor decides what happens then")
	}
	if page.State == Swapped { // a marker of userfaultfd has this state too
		out.Can = append(swapped.Can, out.Can...)
	}
	return out
}

// predictMissing is for an absent page whose fault the kernel itself resolves.
func predictMissing(m Mapping, page Run, access Access, f Facts) Prediction {
	switch kind := m.Kind(); {
	case m.Path == "[vdso]" && access == Store:
		return Prediction{[]Happening{Copy}, "the kernel copies its page, and maps the copy"}
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
		got.Why = "the kernel maps the page that everyone shares"
	case access == Store:
		got = Prediction{[]Happening{Copy}, "a private mapping: the kernel copies the page of the file and maps the copy"}
	}
	switch beyond, known := pastEnd(m, page, f); {
	case known && beyond:
		return Prediction{[]Happening{BusErr}, "the file ends before this page"}
	case !known:
		got.Can = append(got.Can, BusErr)
		got.Why += ", if the file is long enough"
	}
	return got
}

// wholeFolio reports whether kpageflags describes this page itself. For a page of a large folio it
// describes the first page (stable_page_flags in fs/proc/page.c); if one entry maps the whole
// folio, the two are the same.
func (r Run) wholeFolio() bool { return r.KFlags&KTHP == 0 || r.Scan&ScanHuge != 0 }

// alone reports whether no page of m was ever shared copy-on-write: no fork and no merging (KSM),
// as far as the VmFlags are known.
func (f Facts) alone(m Mapping) bool { return f.NeverForked && !m.Smaps.HasFlag("mg") }

// predictStore is for a write to a present page, in a mapping that permits writes.
func predictStore(m Mapping, page Run, f Facts) Prediction {
	read := page.Mapcount >= 0 // kpagecount and kpageflags were
	switch page.State {
	case Zero:
		return Prediction{[]Happening{ZeroFill}, "the zero page is never written: the kernel hands out a frame of zeros"}
	case File:
		return Prediction{[]Happening{Copy}, "a page of the file in a private mapping: the writer gets a copy"}
	case Shared:
		// A file system that must be notified of the first write maps clean pages read-only
		// (vma_wants_writenotify); shared memory does not, unless userfaultfd may write-protect it.
		if m.Kind() == KindShmem && page.Attrs&UffdWP == 0 && !f.WriteTracked {
			return Prediction{[]Happening{NoFault}, "a page that everyone shares, and that may be written"}
		}
		return Prediction{[]Happening{NoFault, Reuse}, "a page that everyone shares; the first write to a clean one takes a fault"}
	case Anon:
		switch {
		case page.Attrs&UffdWP != 0:
			return Prediction{[]Happening{Reuse, NoFault, Copy}, "was write-protected with userfaultfd, and may be write-protected still"}
		case f.Reprotected && (f.alone(m) || read && page.KFlags&KAnonExclusive != 0):
			return Prediction{[]Happening{NoFault, Reuse}, "the frame is this process's alone; mprotect may have left it write-protected, as kernels before Linux 6.2 do"}
		case f.ProtectedMoved && (f.alone(m) || read && page.wholeFolio() && page.KFlags&KAnonExclusive != 0):
			return Prediction{[]Happening{NoFault, Reuse}, "the frame is this process's alone; what userfaultfd protected and mremap moved is write-protected still"}
		case f.alone(m):
			return Prediction{[]Happening{NoFault}, "the frame is this process's alone and was never shared"}
		case read && !page.wholeFolio():
			return Prediction{[]Happening{NoFault, Reuse, Copy}, "a small part of a huge page, alone here: if a fork once shared it, it may still be write-protected"}
		case read && page.KFlags&KAnonExclusive != 0:
			return Prediction{[]Happening{NoFault}, "the frame is this process's alone: the write goes straight through"}
		case read:
			return Prediction{[]Happening{Reuse, Copy}, "shared no longer, but still write-protected from a fork: the kernel keeps the frame or copies it"}
		}
		return Prediction{[]Happening{NoFault, Reuse, Copy}, "the frame is this process's alone; if a fork once shared it, it is still write-protected"}
	case COW:
		if page.Word&WordExclusive != 0 && page.Frame == 0 { // by halfSplit
			return Prediction{[]Happening{Copy, Reuse, NoFault}, "a huge page that a relative shares, most likely: frame numbers are hidden"}
		}
		// For a large folio the counts are those of the folio, not of the page.
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
