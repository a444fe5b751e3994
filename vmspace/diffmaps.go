package vmspace

import (
	"slices"
	"strconv"
	"strings"
)

// Rules of this file: pure. How two lists of mappings differ. Two mappings that overlap are the
// same mapping, changed, if they have the same backing; if the backing differs, the addresses were
// unmapped and mapped again.

// SameBacking reports whether a and b, at the addresses that they share, map the same part of the
// same object. All private memory without a file is one kind: [stack] and [heap] only name what
// lies at certain addresses at the moment.
func SameBacking(a, b *Mapping) bool {
	if (a.Perms^b.Perms)&SharedMap != 0 || a.Inode != b.Inode || a.Major != b.Major || a.Minor != b.Minor {
		return false
	}
	if a.Inode != 0 {
		return a.Offset-a.Start == b.Offset-b.Start
	}
	ak, bk := a.Kind(), b.Kind()
	return (ak == bk || ak.anonymous() && bk.anonymous()) && (ak != KindSpecial || a.Path == b.Path)
}

// overlapping returns the indexes [lo, hi) of the mappings of the ordered list l that overlap m,
// and how many of these have the same backing.
func overlapping(m *Mapping, l []Mapping) (lo, hi, same int) {
	lo, _ = slices.BinarySearchFunc(l, m.Start, func(x Mapping, addr uint64) int {
		if x.End <= addr {
			return -1
		}
		return 1
	})
	for hi = lo; hi < len(l) && l[hi].Start < m.End; hi++ {
		if SameBacking(m, &l[hi]) {
			same++
		}
	}
	return lo, hi, same
}

// mappings compares the parts of two lists that are not shared.
func (d *differ) mappings(was, now []Mapping) {
	for i := range was {
		d.old(&was[i], now)
	}
	for i := range now {
		d.new(&now[i], was)
	}
}

// old reports what became of a.
func (d *differ) old(a *Mapping, now []Mapping) {
	lo, hi, same := overlapping(a, now)
	if same > 1 {
		d.span(ChangeSplit, a.Range, a.Perms, "1", strconv.Itoa(same))
	}
	at := a.Start
	gap := func(end uint64) {
		if at < end {
			kind := ChangeUnmapped
			if same > 0 && (at == a.Start) != (end == a.End) {
				kind = ChangeShrunk
			}
			d.span(kind, Range{at, end}, a.Perms, "", "")
		}
	}
	for i := lo; i < hi; i++ {
		b := &now[i]
		if !SameBacking(a, b) {
			continue
		}
		both := a.Intersect(b.Range)
		gap(both.Start)
		at = both.End
		if a.Perms != b.Perms {
			d.span(ChangePerms, both, b.Perms, a.Perms.String(), b.Perms.String())
		}
		if a.Path != b.Path {
			d.span(ChangeRenamed, both, b.Perms, a.Path, b.Path)
		}
		if a.Smaps != nil && b.Smaps != nil && a.Smaps.ProtectionKey != b.Smaps.ProtectionKey {
			d.span(ChangeKey, both, b.Perms, keyText(a), keyText(b))
		}
		if a.Smaps != nil && b.Smaps != nil && !sameFlags(a.Smaps.VMFlags, b.Smaps.VMFlags) {
			d.span(ChangeFlags, both, b.Perms, strings.Join(a.Smaps.VMFlags, " "), strings.Join(b.Smaps.VMFlags, " "))
		}
	}
	gap(a.End)
}

func keyText(m *Mapping) string { return strconv.FormatUint(uint64(m.Smaps.ProtectionKey), 10) }

// implied are the VmFlags that follow from the letters: rd, wr and ex are the letters themselves,
// and ac says that the mapping may be written privately, or could be once, and so counts as
// promised (VM_ACCOUNT; mm/mmap.c, accountable_mapping).
var implied = []string{"rd", "wr", "ex", "ac"}

// sameFlags compares VmFlags, but for those that a change of the letters tells already.
func sameFlags(a, b []string) bool {
	more := func(f []string) []string {
		return slices.DeleteFunc(slices.Clone(f), func(f string) bool { return slices.Contains(implied, f) })
	}
	return slices.Equal(a, b) || slices.Equal(more(a), more(b))
}

// new reports what is new in b.
func (d *differ) new(b *Mapping, was []Mapping) {
	lo, hi, same := overlapping(b, was)
	if same > 1 {
		d.span(ChangeMerged, b.Range, b.Perms, strconv.Itoa(same), "1")
	}
	at := b.Start
	gap := func(end uint64) {
		if at < end {
			kind := ChangeMapped
			if same > 0 {
				kind = ChangeGrown
			}
			d.span(kind, Range{at, end}, b.Perms, "", b.Path)
		}
	}
	for i := lo; i < hi; i++ {
		if SameBacking(b, &was[i]) {
			both := b.Intersect(was[i].Range)
			gap(both.Start)
			at = both.End
		}
	}
	gap(b.End)
}
