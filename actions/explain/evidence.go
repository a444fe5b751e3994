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

// placeText formats an address as a place of the language, by what was mapped before the call.
func (e *evidence) placeText(addr uint64) string {
	return history.PlaceOf(e.st.Names, e.before, addr, e.pageSize())
}

// mappingName is the name of mapping m at addr: what a command bound, a fixed name, the path, or
// the start address.
func (e *evidence) mappingName(m vmspace.Mapping, addr uint64) string {
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

// mappingNameIn is the name of m where it overlaps r.
func (e *evidence) mappingNameIn(m vmspace.Mapping, r vmspace.Range) string {
	at := max(m.Start, r.Start)
	if name, b, bound := e.st.Names.Of(e.owner, at); bound && at > r.Start && at > b.Start {
		return history.OffsetPlace(name, at-b.Start, e.pageSize()) // the name begins here
	}
	return e.mappingName(m, at)
}

// firstMapping finds the first mapping of r for which bad is true, and records its address in
// foundAt.
func (e *evidence) firstMapping(r vmspace.Range, bad func(vmspace.Mapping) bool) (vmspace.Mapping, bool) {
	lo, hi := e.before.Mappings.Overlap(r)
	for i := lo; i < hi; i++ {
		if m := e.before.Mappings.At(i); bad(m) {
			e.foundAt = max(m.Start, r.Start)
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
	e.foundAt = addr
	return addr, true
}

// untilHole is the range up to its first hole: some calls change that part before they reach the
// hole.
func (e *evidence) untilHole() vmspace.Range {
	if addr, ok := e.hole(e.rounded); ok {
		return vmspace.Range{Start: e.rounded.Start, End: addr}
	}
	return e.rounded
}

// flagged says whether a mapping has one of the VmFlags (proc_pid_smaps(5)). If smaps was not read,
// it has none.
func flagged(flags ...string) func(vmspace.Mapping) bool {
	return func(m vmspace.Mapping) bool { return slices.ContainsFunc(flags, m.Smaps.HasFlag) }
}

// vsyscall is in the list of mappings, but the kernel does not count it (arch/x86/entry/vsyscall).
const vsyscall = "[vsyscall]"

// mapCount is the number of mappings, as vm.max_map_count counts them.
func (e *evidence) mapCount() uint64 {
	n := uint64(e.before.Mappings.Len())
	if n > 0 && e.before.Mappings.At(int(n)-1).Path == vsyscall {
		n--
	}
	return n
}

// mappingsLeft says how many more mappings vm.max_map_count allows.
func (e *evidence) mappingsLeft() (left, most uint64, known bool) {
	most, known = e.Number("/proc/sys/vm/max_map_count")
	return most - min(most, e.mapCount()), most, known
}

func (e *evidence) mapCountText() string {
	_, most, _ := e.mappingsLeft()
	return fmt.Sprintf("%s has %d mappings, and vm.max_map_count allows %d.", e.owner, e.mapCount(), most)
}

// splitsMapping says whether r begins or ends within a mapping, which then has to be split.
func (e *evidence) splitsMapping(r vmspace.Range) bool {
	_, yes := e.firstMapping(r, func(m vmspace.Mapping) bool {
		return m.Contains(r.Start) && m.Start < r.Start || m.Contains(r.End) && m.Start < r.End
	})
	return yes
}

// lockedBytes is how much of r was locked, in bytes.
func (e *evidence) lockedBytes(r vmspace.Range) uint64 {
	var n uint64
	e.firstMapping(r, func(m vmspace.Mapping) bool {
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
	return more > limit-min(limit, e.lockedBytes(vmspace.Everything)) && !e.May(kernel.CapIPCLock)
}

func (e *evidence) memlockText(more uint64) string {
	return fmt.Sprintf("%s more would be locked, %s are already, and RLIMIT_MEMLOCK allows %s to a process without CAP_IPC_LOCK.",
		amount.Size(more), amount.Size(e.lockedBytes(vmspace.Everything)), amount.Size(e.Limit(kernel.LimitMemlock)))
}

// mayLockNothing says whether the process may lock no byte at all (can_do_mlock in mm/mlock.c).
func (e *evidence) mayLockNothing() bool {
	return e.Limit(kernel.LimitMemlock) == 0 && !e.May(kernel.CapIPCLock)
}

// exceedsLimit says whether more bytes, added to what /proc/PID/status counts under field, exceed a
// limit in whole pages. If the soft RLIMIT_DATA is 0, the hard one counts (may_expand_vm in
// mm/vma.c).
func (e *evidence) exceedsLimit(limit, field string, more uint64) bool {
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

// aboveLimit says whether the process uses more than the limit already, because that was lowered:
// then the kernel makes no mapping, even in place of another (may_expand_vm in mm/vma.c).
func (e *evidence) aboveLimit(limit, field string) bool {
	now, known := e.Status(field)
	return known && now > e.most(limit)
}

func (e *evidence) limitText(limit, field string, more uint64) string {
	now, _ := e.Status(field)
	names := map[string][2]string{kernel.LimitAS: {"RLIMIT_AS", "addresses"}, kernel.LimitData: {"RLIMIT_DATA", "private writable memory"}}[limit]
	if more == 0 {
		return fmt.Sprintf("the process has %s of %s already, and %s allows %s: no new mapping is made, not even in place of another.",
			amount.Size(now), names[1], names[0], amount.Size(e.Limit(limit)))
	}
	return fmt.Sprintf("with %s more the process would have %s of %s, and %s allows %s.",
		amount.Size(more), amount.Size(now+more), names[1], names[0], amount.Size(e.Limit(limit)))
}

// overcommitText is why the kernel refused to commit more bytes, "" if that is not certain
// (mm/util.c, __vm_enough_memory).
func (e *evidence) overcommitText(more uint64) string {
	mode, known := e.Number("/proc/sys/vm/overcommit_memory")
	ram, _ := e.Meminfo("MemTotal")
	swap, _ := e.Meminfo("SwapTotal")
	limit, _ := e.Meminfo("CommitLimit")
	promised, _ := e.Meminfo("Committed_AS")
	switch {
	case known && mode == 0 && ram > 0 && more > ram+swap:
		return fmt.Sprintf("%s are more than all memory and swap together, %s; with vm.overcommit_memory 0 the kernel refuses that.",
			amount.Size(more), amount.Size(ram+swap))
	case known && mode == 2 && promised+more > limit:
		return fmt.Sprintf("%s more would be committed, %s are already, and CommitLimit is %s; with vm.overcommit_memory 2 the kernel never commits more.",
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

// largestHole is the largest hole between the mappings in r.
func (e *evidence) largestHole(r vmspace.Range) uint64 {
	at, best := r.Start, uint64(0)
	lo, hi := e.before.Mappings.Overlap(r)
	for i := lo; i < hi; i++ {
		m := e.before.Mappings.At(i)
		best, at = max(best, max(m.Start, at)-at), max(at, m.End)
	}
	return max(best, max(r.End, at)-at)
}

// noHole says whether no hole below top has that size.
func (e *evidence) noHole(size, top uint64) bool {
	return top > 0 && size > e.largestHole(vmspace.Range{End: top})
}

func (e *evidence) noHoleText(top uint64) string {
	hole := "the largest between the mappings has " + amount.Size(e.largestHole(vmspace.Range{End: top}))
	if top == kernel.UserTop() {
		return fmt.Sprintf("no hole is large enough: %s.", hole)
	}
	return fmt.Sprintf("no hole is large enough: below 0x%x %s. The kernel looks above it only if the requested address lies there.", top, hole)
}

// The rows that several calls share.

// found is a reason that holds if find finds something; say explains it.
func found[T any](result, name, source string, find func(*evidence) (T, bool), say func(*evidence, T) string) reason {
	return reason{result, name, source, func(e *evidence) bool { _, ok := find(e); return ok },
		func(e *evidence) string {
			x, _ := find(e)
			return say(e, x)
		}}
}

// unfit is a reason that holds if a mapping of a range is bad; why completes the sentence that
// begins with the mapping.
func unfit(result, name, source string, where func(*evidence) vmspace.Range, bad func(*evidence, vmspace.Mapping) bool, why string) reason {
	return found(result, name, source, func(e *evidence) (vmspace.Mapping, bool) {
		return e.firstMapping(where(e), func(m vmspace.Mapping) bool { return bad(e, m) })
	}, func(e *evidence, m vmspace.Mapping) string { return e.mappingNameIn(m, where(e)) + " " + why + "." })
}

// pastUserTop is for a range that reaches past the addresses of user space.
func pastUserTop(result, source string, past func(e *evidence, top uint64) bool) reason {
	return reason{result, "past the end", source, func(e *evidence) bool { top := kernel.UserTop(); return top > 0 && past(e, top) },
		func(*evidence) string {
			return fmt.Sprintf("the range reaches past 0x%x, the end of the user's addresses.", kernel.UserTop())
		}}
}

// zeroLength is for a call that does not take the length 0.
func zeroLength(source string, length func(*evidence) uint64) reason {
	return reason{"EINVAL", "length", source, func(e *evidence) bool { return length(e) == 0 }, func(*evidence) string { return "the length is 0." }}
}

// overcommits is for a call that would commit more bytes than the kernel allows.
func overcommits(more func(*evidence) uint64) reason {
	return reason{"ENOMEM", "overcommit", "proc_sys_vm(5), overcommit_memory", func(e *evidence) bool { return more(e) > 0 && e.overcommitText(more(e)) != "" },
		func(e *evidence) string { return e.overcommitText(more(e)) }}
}

// overLimit is for a call with which the process would have more than a limit allows; field is what
// /proc/PID/status counts under it.
func overLimit(name, source, limit, field string, more func(*evidence) uint64) reason {
	return reason{"ENOMEM", name, source, func(e *evidence) bool { return e.exceedsLimit(limit, field, more(e)) },
		func(e *evidence) string { return e.limitText(limit, field, more(e)) }}
}

func misaligned(source string) reason {
	return reason{"EINVAL", "misaligned", source, func(e *evidence) bool { return e.Given.Start%e.pageSize() != 0 }, (*evidence).misalignedText}
}

func (e *evidence) misalignedText() string {
	at, where := fmt.Sprintf("0x%x", e.Given.Start), e.placeText(e.Given.Start)
	if where != at {
		at = where + " is " + at + ", which"
	}
	return fmt.Sprintf("%s is not a multiple of the page size, %d.", at, e.pageSize())
}

// unknownFlags is for a call that checks its flags first.
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
	return reason{result, "wraps", source, func(e *evidence) bool { return e.rounded.End < e.rounded.Start },
		func(e *evidence) string { return "rounded up to whole pages, the range reaches past the last address." }}
}

func holeIn(result, source string, where func(*evidence) vmspace.Range) reason {
	return found(result, "hole", source, func(e *evidence) (uint64, bool) { return e.hole(where(e)) }, func(e *evidence, addr uint64) string {
		if addr == where(e).Start {
			return fmt.Sprintf("nothing is mapped at %s.", e.placeText(addr))
		}
		return fmt.Sprintf("the range has a hole: nothing is mapped at %s.", e.placeText(addr))
	})
}

// pages is the range of a call, in whole pages.
func (e *evidence) pages() vmspace.Range { return e.rounded }

// sealed is for a call that seals forbid in part of its range.
func sealed(name, source string, where func(*evidence) vmspace.Range) reason {
	return unfit("EPERM", name, source, where, onMapping(flagged("sl")), "is sealed (mseal, VmFlags sl), and nothing undoes a seal")
}

// tooMany is for a call that would split a mapping.
func tooMany(result, source string) reason {
	return reason{result, "too many mappings", source,
		func(e *evidence) bool {
			left, _, known := e.mappingsLeft()
			return known && left == 0 && e.splitsMapping(e.untilHole())
		},
		func(e *evidence) string { return "a mapping would have to be split, but " + e.mapCountText() }}
}

// splitsLent and splitsHuge are for a call that would split a mapping that the kernel provides, or
// one of huge pages.
func splitsLent(where func(*evidence) vmspace.Range) reason {
	return splits("splits what is lent", "mm/mmap.c, special_mapping_split", lent, where, "is lent by the kernel, which does not let it be split")
}

func splitsHuge(where func(*evidence) vmspace.Range) reason {
	return splits("splits a huge page", "mm/hugetlb.c, hugetlb_vm_op_split", flagged("ht"), where,
		"is made of huge pages of the pool (hugetlb), and can be split only between two of them")
}

// splits is for a call that would cut a mapping that refuses to be split.
func splits(name, source string, whole func(vmspace.Mapping) bool, where func(*evidence) vmspace.Range, why string) reason {
	return unfit("EINVAL", name, source, where, func(e *evidence, m vmspace.Mapping) bool { return whole(m) && !where(e).Covers(m.Range) }, why)
}

// withResult is the same reason for another result, which some kernels or calls answer.
func (r reason) withResult(result, source string) reason {
	r.result, r.source = result, source
	return r
}

// onMapping adapts a condition on mappings alone.
func onMapping(bad func(vmspace.Mapping) bool) func(*evidence, vmspace.Mapping) bool {
	return func(_ *evidence, m vmspace.Mapping) bool { return bad(m) }
}

func lent(m vmspace.Mapping) bool { return m.Kind() == vmspace.KindSpecial }

// fallback is the last row of a result: it has no condition, and names what is possible.
func fallback(result, source, text string) reason {
	return reason{result, "otherwise", source, nil, func(*evidence) string { return text }}
}
