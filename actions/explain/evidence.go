package explain

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// What the rows of several calls ask of the evidence, and the rows that several calls share.

// pageEnd rounds up to whole pages as the kernel does: past the last address it is 0 again.
func (e *evidence) pageEnd(n uint64) uint64 { return (n + e.pageSize() - 1) &^ (e.pageSize() - 1) }

// at writes an address as the language does, with what was mapped before the call.
func (e *evidence) at(addr uint64) string {
	return history.PlaceOf(e.st.Names, e.before, addr, e.pageSize())
}

// called says which mapping m is by what is at addr in it: a name, a path, or its address.
func (e *evidence) called(m vmspace.Mapping, addr uint64) string {
	name, _, bound := e.st.Names.Of(e.owner, addr)
	switch {
	case bound:
		return name
	case history.FixedName(m) != "":
		return history.FixedName(m)
	case m.Path != "":
		return printable.Name(m.Path)
	}
	return fmt.Sprintf("0x%x", m.Start)
}

// inside names the mapping m by where it overlaps r.
func (e *evidence) inside(m vmspace.Mapping, r vmspace.Range) string {
	at := max(m.Start, r.Start)
	if name, b, bound := e.st.Names.Of(e.owner, at); bound && at > r.Start && at > b.Start {
		return history.OffsetPlace(name, at-b.Start, e.pageSize()) // the name begins here
	}
	return e.called(m, at)
}

// some finds the first mapping of r for which bad is true, and records where that is.
func (e *evidence) some(r vmspace.Range, bad func(vmspace.Mapping) bool) (vmspace.Mapping, bool) {
	lo, hi := e.before.Mappings.Overlap(r)
	for i := lo; i < hi; i++ {
		if m := e.before.Mappings.At(i); bad(m) {
			e.where = max(m.Start, r.Start)
			return m, true
		}
	}
	return vmspace.Mapping{}, false
}

// hole finds the first address of r where nothing was mapped.
func (e *evidence) hole(r vmspace.Range) (addr uint64, ok bool) {
	addr = r.Start
	lo, hi := e.before.Mappings.Overlap(r)
	for i := lo; i < hi; i++ {
		m := e.before.Mappings.At(i)
		if m.Start > addr {
			break
		}
		addr = m.End
	}
	if addr >= r.End {
		return addr, false
	}
	e.where = addr
	return addr, true
}

// solid is the range up to its first hole: some calls change that part before they notice the hole.
func (e *evidence) solid() vmspace.Range {
	if addr, ok := e.hole(e.whole); ok {
		return vmspace.Range{Start: e.whole.Start, End: addr}
	}
	return e.whole
}

// flagged says whether a mapping has one of the VmFlags (proc_pid_smaps(5)); where smaps was not
// read, none is known.
func flagged(flags ...string) func(vmspace.Mapping) bool {
	return func(m vmspace.Mapping) bool { return slices.ContainsFunc(flags, m.Smaps.HasFlag) }
}

// vsyscall is listed among the mappings, but is none that the kernel counts
// (arch/x86/entry/vsyscall).
const vsyscall = "[vsyscall]"

// count is the number of mappings that vm.max_map_count is about.
func (e *evidence) count() uint64 {
	n := uint64(e.before.Mappings.Len())
	if n > 0 && e.before.Mappings.At(int(n)-1).Path == vsyscall {
		n--
	}
	return n
}

// room says how many more mappings vm.max_map_count allows.
func (e *evidence) room() (left, most uint64, known bool) {
	most, known = e.Number("/proc/sys/vm/max_map_count")
	return most - min(most, e.count()), most, known
}

func (e *evidence) crowded() string {
	_, most, _ := e.room()
	return fmt.Sprintf("%s has %d mappings, and vm.max_map_count allows %d.", e.owner, e.count(), most)
}

// cuts says whether r begins or ends within a mapping, which then has to be split.
func (e *evidence) cuts(r vmspace.Range) bool {
	_, yes := e.some(r, func(m vmspace.Mapping) bool {
		return m.Contains(r.Start) && m.Start < r.Start || m.Contains(r.End) && m.Start < r.End
	})
	return yes
}

// locked is how much of r was locked, in bytes.
func (e *evidence) locked(r vmspace.Range) uint64 {
	var n uint64
	e.some(r, func(m vmspace.Mapping) bool {
		if m.Smaps.HasFlag("lo") {
			n += m.Intersect(r).Len()
		}
		return false
	})
	return n
}

// overMemlock reports whether locking more bytes exceeds the limit (mlock_future_ok in mm/mmap.c).
// The VmFlags tell how much is locked already.
func (e *evidence) overMemlock(more uint64) bool {
	if n := e.before.Mappings.Len(); n == 0 || e.before.Mappings.At(0).Smaps == nil {
		return false
	}
	limit := e.Limit(kernel.LimitMemlock)
	return more > limit-min(limit, e.locked(vmspace.Everything)) && !e.May(kernel.CapIPCLock)
}

func (e *evidence) memlockText(more uint64) string {
	return fmt.Sprintf("%s more would be locked, %s are already, and RLIMIT_MEMLOCK allows %s to a process without CAP_IPC_LOCK.",
		amount.Size(more), amount.Size(e.locked(vmspace.Everything)), amount.Size(e.Limit(kernel.LimitMemlock)))
}

// lockNothing says whether the process may lock no byte at all (can_do_mlock in mm/mlock.c).
func (e *evidence) lockNothing() bool {
	return e.Limit(kernel.LimitMemlock) == 0 && !e.May(kernel.CapIPCLock)
}

// over says whether more bytes, on top of what /proc/PID/status counts under field, pass a limit;
// in whole pages (may_expand_vm in mm/vma.c, which goes by the hard RLIMIT_DATA where the soft one
// is 0).
func (e *evidence) over(limit, field string, more uint64) bool {
	now, known := e.Status(field)
	most := e.most(limit)
	return known && more > most-min(most, now)
}

// most is what a limit allows, in whole pages.
func (e *evidence) most(limit string) uint64 {
	most := e.Limit(limit)
	if limit == kernel.LimitData && most == 0 {
		most = e.HardLimit(limit)
	}
	return most &^ (e.pageSize() - 1)
}

// full says whether the process has more than the limit already, as when it was lowered: the kernel
// then makes no mapping, though it takes the place of another (may_expand_vm in mm/vma.c).
func (e *evidence) full(limit, field string) bool {
	now, known := e.Status(field)
	return known && now > e.most(limit)
}

func (e *evidence) overText(limit, field string, more uint64) string {
	now, _ := e.Status(field)
	names := map[string][2]string{kernel.LimitAS: {"RLIMIT_AS", "addresses"}, kernel.LimitData: {"RLIMIT_DATA", "private writable memory"}}[limit]
	if more == 0 {
		return fmt.Sprintf("the process has %s of %s already, and %s allows %s: nothing is mapped any more, not even in place of something else.",
			amount.Size(now), names[1], names[0], amount.Size(e.Limit(limit)))
	}
	return fmt.Sprintf("with %s more the process would have %s of %s, and %s allows %s.",
		amount.Size(more), amount.Size(now+more), names[1], names[0], amount.Size(e.Limit(limit)))
}

// overcommit is why the kernel did not commit so many bytes, "" if that is not certain (mm/util.c,
// __vm_enough_memory).
func (e *evidence) overcommit(more uint64) string {
	mode, known := e.Number("/proc/sys/vm/overcommit_memory")
	ram, _ := e.Meminfo("MemTotal")
	swap, _ := e.Meminfo("SwapTotal")
	limit, _ := e.Meminfo("CommitLimit")
	promised, _ := e.Meminfo("Committed_AS")
	switch {
	case known && mode == 0 && ram > 0 && more > ram+swap:
		return fmt.Sprintf("%s are more than all memory and swap together, %s; vm.overcommit_memory is 0, which refuses to promise that.",
			amount.Size(more), amount.Size(ram+swap))
	case known && mode == 2 && promised+more > limit:
		return fmt.Sprintf("%s more would be promised, %s are already, and CommitLimit is %s; vm.overcommit_memory is 2, which never promises more.",
			amount.Size(more), amount.Size(promised), amount.Size(limit))
	}
	return ""
}

// earlier yields the steps of the process so far, and of those that shared its memory then, the
// last one first.
func (e *evidence) earlier() iter.Seq[*history.Step] {
	return func(yield func(*history.Step) bool) {
		for _, st := range slices.Backward(e.Past) {
			p, actor := st.After.Process(e.st.Process), st.After.Process(st.Process)
			shared := p != nil && actor != nil && p.PID == e.st.PID && p.SharesWith(actor)
			if (shared || st.PID == e.st.PID) && !yield(st) {
				return
			}
		}
	}
}

// widest is the largest hole between the mappings in r.
func (e *evidence) widest(r vmspace.Range) uint64 {
	at, best := r.Start, uint64(0)
	lo, hi := e.before.Mappings.Overlap(r)
	for i := lo; i < hi; i++ {
		m := e.before.Mappings.At(i)
		best, at = max(best, max(m.Start, at)-at), max(at, m.End)
	}
	return max(best, max(r.End, at)-at)
}

// tooWide says whether no hole below top is so large.
func (e *evidence) tooWide(size, top uint64) bool {
	return top > 0 && size > e.widest(vmspace.Range{End: top})
}

func (e *evidence) widestText(top uint64) string {
	hole := "the largest between the mappings has " + amount.Size(e.widest(vmspace.Range{End: top}))
	if top == kernel.UserTop() {
		return fmt.Sprintf("no hole is so large: %s.", hole)
	}
	return fmt.Sprintf("no hole is so large: below 0x%x %s. The kernel looks above it only when the address that it is asked for lies there.", top, hole)
}

// The rows that several calls share.

func misaligned(source string) reason {
	return reason{"EINVAL", "misaligned", source, func(e *evidence) bool { return e.Given.Start%e.pageSize() != 0 }, (*evidence).misalignedText}
}

func (e *evidence) misalignedText() string {
	at, where := fmt.Sprintf("0x%x", e.Given.Start), e.at(e.Given.Start)
	if where != at {
		at = where + " is " + at + ", which"
	}
	return fmt.Sprintf("%s is not a multiple of the page size, %d.", at, e.pageSize())
}

// unknownFlags is for a call that looks at its flags before all else.
func unknownFlags(source, known string) reason {
	return reason{"EINVAL", "unknown flags", source, func(e *evidence) bool { return e.Rest != 0 },
		func(e *evidence) string {
			if bits.OnesCount64(e.Rest) > 1 {
				return fmt.Sprintf("the flags 0x%x are not known to this kernel: %s.", e.Rest, known)
			}
			return fmt.Sprintf("flag 0x%x is not known to this kernel: %s.", e.Rest, known)
		}}
}

// wraps is for a range whose last page ends past the last address.
func wraps(result, source string) reason {
	return reason{result, "wraps", source, func(e *evidence) bool { return e.whole.End < e.whole.Start },
		func(e *evidence) string { return "rounded up to whole pages, the range reaches past the last address." }}
}

func holeIn(result, source string) reason {
	return reason{result, "hole", source, func(e *evidence) bool { _, ok := e.hole(e.whole); return ok },
		func(e *evidence) string {
			addr, _ := e.hole(e.whole)
			if addr == e.whole.Start {
				return fmt.Sprintf("nothing is mapped at %s.", e.at(addr))
			}
			return fmt.Sprintf("the range has a hole: nothing is mapped at %s.", e.at(addr))
		}}
}

// pages is the range of a call, in whole pages.
func (e *evidence) pages() vmspace.Range { return e.whole }

// sealed is for a call that seals forbid in part of its range.
func sealed(name, source string, where func(*evidence) vmspace.Range) reason {
	return reason{"EPERM", name, source, func(e *evidence) bool { _, ok := e.some(where(e), flagged("sl")); return ok },
		func(e *evidence) string {
			m, _ := e.some(where(e), flagged("sl"))
			return fmt.Sprintf("%s is sealed (mseal, VmFlags sl), and nothing undoes a seal.", e.inside(m, where(e)))
		}}
}

// tooMany is for a call that would split a mapping.
func tooMany(result, source string) reason {
	return reason{result, "too many mappings", source,
		func(e *evidence) bool { left, _, known := e.room(); return known && left == 0 && e.cuts(e.solid()) },
		func(e *evidence) string { return "a mapping would have to be split, but " + e.crowded() }}
}

// splitsLent and splitsHuge are for a call that would split a mapping that the kernel provides, or
// one of huge pages.
func splitsLent(where func(*evidence) vmspace.Range) reason {
	return splits("splits what is lent", "mm/mmap.c, special_mapping_split", lent, where, "is lent by the kernel, which does not let it be split")
}

func splitsHuge(where func(*evidence) vmspace.Range) reason {
	return splits("splits a huge page", "mm/hugetlb.c, hugetlb_vm_op_split", flagged("ht"), where,
		"is made of huge pages of the pool (hugetlb), and is divided between two of them only")
}

// splits is for a call that would cut a mapping that refuses to be split.
func splits(name, source string, whole func(vmspace.Mapping) bool, where func(*evidence) vmspace.Range, why string) reason {
	cut := func(e *evidence) (vmspace.Mapping, bool) {
		return e.some(where(e), func(m vmspace.Mapping) bool { return whole(m) && !where(e).Covers(m.Range) })
	}
	return reason{"EINVAL", name, source, func(e *evidence) bool { _, ok := cut(e); return ok },
		func(e *evidence) string {
			m, _ := cut(e)
			return fmt.Sprintf("%s %s.", e.inside(m, where(e)), why)
		}}
}

// answered is the same reason for a kernel or call that answers with another result.
func (r reason) answered(result, source string) reason {
	r.result, r.source = result, source
	return r
}

func lent(m vmspace.Mapping) bool { return m.Kind() == vmspace.KindSpecial }

// otherwise is the last row of a result.
func otherwise(result, source, text string) reason {
	return reason{result, "otherwise", source, nil, func(*evidence) string { return text }}
}
