package vmspace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// keyed is a mapping of the space with a protection key, or, where key is negative, one of which
// smaps was not read.
func keyed(p *Process, page uint64, key int) *Process {
	q := *p
	q.Mappings = NewList(slices.Collect(func(yield func(Mapping) bool) {
		for _, m := range p.Mappings.All() {
			switch {
			case !m.Contains(page * pg4k):
			case key < 0:
				m.Smaps = nil
			default:
				c := *cmp.Or(m.Smaps, &Counters{})
				c.ProtectionKey = uint32(key)
				m.Smaps = &c
			}
			if !yield(m) {
				return
			}
		}
	}))
	return &q
}

// TestPredictKeys holds the order in which x86 looks: a mapping, its key, its letters, its pages.
func TestPredictKeys(t *testing.T) {
	const no, readOnly = KeyDisableAccess << 2, KeyDisableWrite << 2 // of key 1
	rights := func(pkru uint32) Facts {
		f := NoFacts
		f.ExecOnly, f.Keys = PkuErr, Keys{PKRU: pkru, Known: true, Used: true}
		return f
	}
	unread := NoFacts
	unread.Keys.Used = true
	unused := rights(no)
	unused.Keys.Used = false
	for _, c := range []struct {
		what  string
		page  uint64
		key   int
		facts Facts
		want  string // of a load, of a store, of a fetch
	}{
		{"allowed", 20, 1, rights(0), "none/reuse copy/SIGSEGV/ACCERR"},
		{"no access", 20, 1, rights(no), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"no write", 20, 1, rights(readOnly), "none/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"another key", 20, 2, rights(no), "none/reuse copy/SIGSEGV/ACCERR"},
		{"the last key", 20, 15, rights(KeyDisableWrite << 30), "none/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"everybody's key", 20, 0, rights(KeyDisableAccess), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"a key that no processor has", 20, 77, rights(1<<32 - 1), "none/reuse copy/SIGSEGV/ACCERR"},
		{"untouched", 16, 1, rights(no), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"swapped", 24, 1, rights(no), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"guard", 25, 1, rights(no), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/SIGSEGV/MAPERR"},
		{"guard, no write", 25, 1, rights(readOnly), "SIGSEGV/MAPERR/SIGSEGV/PKUERR/SIGSEGV/MAPERR"},
		{"past the end", 39, 1, rights(no), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/SIGBUS/ADRERR"},
		{"read-only", 42, 1, rights(readOnly), "zero-map/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"no letters", 44, 1, rights(readOnly), "SIGSEGV/ACCERR/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"no letters, no access", 44, 1, rights(no), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"execute only", 46, 1, rights(no), "SIGSEGV/PKUERR/SIGSEGV/PKUERR/none"},
		{"execute only, its key opened", 46, 1, rights(0), "none/SIGSEGV/ACCERR/none"},
		{"execute only, no key was left", 46, 0, rights(no), "none/SIGSEGV/ACCERR/none"},
		{"execute only, smaps not read", 46, -1, unused, "SIGSEGV/PKUERR/SIGSEGV/PKUERR/none"},
		{"execute only, smaps not read, keys used", 46, -1, rights(no), "none SIGSEGV/PKUERR/SIGSEGV/ACCERR SIGSEGV/PKUERR/none"},
		{"smaps not read", 20, -1, unused, "none/reuse copy/SIGSEGV/ACCERR"},
		{"smaps not read, keys used", 20, -1, rights(no), "none SIGSEGV/PKUERR/reuse copy SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"smaps not read, nothing forbidden", 20, -1, rights(0), "none/reuse copy/SIGSEGV/ACCERR"},
		{"rights not read", 20, 1, unread, "none SIGSEGV/PKUERR/reuse copy SIGSEGV/PKUERR/SIGSEGV/ACCERR"},
		{"rights not read, key 0", 20, 0, unread, "none/reuse copy/SIGSEGV/ACCERR"},
		{"nothing is mapped", 1, 1, rights(1<<32 - 1), "SIGSEGV/MAPERR/SIGSEGV/MAPERR/SIGSEGV/MAPERR"},
	} {
		c.facts.FileSize = pg4k
		var got []string
		for _, a := range []Access{Load, Store, Fetch} {
			got = append(got, strings.Trim(fmt.Sprint(Predict(keyed(predictSpace(), c.page, c.key), c.page*pg4k, a, c.facts).Can), "[]"))
		}
		if s := strings.Join(got, "/"); s != c.want {
			t.Errorf("%s: %s, want %s", c.what, s, c.want)
		}
	}
	// A stack grows before its key is looked at.
	stack := rights(KeyDisableAccess << 2)
	stack.Limits, stack.OnlyStack = Limits{true, 80 * pg4k, Unlimited, Unlimited}, true
	p := keyed(predictSpace(), 400, 1)
	m, _ := p.MappingAt(400 * pg4k)
	m.Smaps.VMFlags = []string{"gd"}
	if got := Predict(p, 399*pg4k, Load, stack); fmt.Sprint(got.Can) != "[SIGSEGV/PKUERR]" {
		t.Error(got)
	}
	if allocs := testing.AllocsPerRun(100, func() { keyForbids(m, Load, stack) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestPredictUserfaultfd holds what comes of an access where userfaultfd is told of faults.
func TestPredictUserfaultfd(t *testing.T) {
	ours, theirs, stack := NoFacts, NoFacts, NoFacts
	ours.Userfaultfd, ours.FileSize, theirs.FileSize = true, pg4k, pg4k
	stack.Userfaultfd, stack.Limits = true, Limits{true, 80 * pg4k, Unlimited, Unlimited}
	arm, moved := ours, ours
	moved.WriteTracked, moved.ProtectedMoved = true, true
	arm.Arch = "arm64"
	named := arm
	named.Poison = MceErr
	for _, c := range []struct {
		what  string
		page  uint64
		flags string // of the mapping; "-" where smaps was not read
		wp    bool
		facts Facts
		want  string // of a load, of a store, of a fetch
	}{
		{"missing", 16, "um", false, ours, "SIGBUS/ADRERR/SIGBUS/ADRERR/SIGBUS/ADRERR"},
		{"missing, arm64", 16, "um", false, arm, "SIGBUS/ADRERR/SIGBUS/ADRERR/SIGSEGV/ACCERR"},
		{"missing, somebody else's descriptor", 16, "um", false, theirs, "zero-map SIGBUS/ADRERR/zero-fill SIGBUS/ADRERR/SIGSEGV/ACCERR SIGBUS/ADRERR"},
		{"missing, smaps not read", 16, "-", false, ours, "zero-map SIGBUS/ADRERR/zero-fill SIGBUS/ADRERR/SIGSEGV/ACCERR SIGBUS/ADRERR"},
		{"missing, only wp", 16, "uw", false, ours, "zero-map/zero-fill/SIGSEGV/ACCERR"},
		{"marker", 16, "uw", true, ours, "zero-map/SIGBUS/ADRERR/SIGSEGV/ACCERR"},
		{"marker, missing too", 16, "um uw", true, ours, "SIGBUS/ADRERR/SIGBUS/ADRERR/SIGBUS/ADRERR"},
		{"marker left behind", 16, "", true, ours, "zero-map/zero-fill/SIGSEGV/ACCERR"},
		{"there", 19, "um uw", false, ours, "none/none/SIGSEGV/ACCERR"},
		{"there, write-protected pages have moved", 19, "um uw", false, moved, "none/none reuse/SIGSEGV/ACCERR"},
		{"write-protected", 19, "um uw", true, ours, "none/SIGBUS/ADRERR/SIGSEGV/ACCERR"},
		{"write-protected, somebody else's descriptor", 19, "uw", true, theirs, "none/reuse none copy SIGBUS/ADRERR/SIGSEGV/ACCERR"},
		{"write-protected, not registered any more", 19, "", true, ours, "none/reuse none copy/SIGSEGV/ACCERR"},
		{"write-protected zero page", 17, "uw", true, ours, "none/SIGBUS/ADRERR/SIGSEGV/ACCERR"},
		{"in swap", 24, "um", false, ours, "swap-in/swap-in/SIGSEGV/ACCERR"},
		{"in swap or a marker", 24, "uw", true, ours, "swap-in zero-map/SIGBUS/ADRERR/SIGSEGV/ACCERR"},
		{"poisoned", 24, "poisoned", false, ours, "SIGBUS/MCEERR_AR SIGBUS/ADRERR/SIGBUS/MCEERR_AR SIGBUS/ADRERR/SIGBUS/MCEERR_AR SIGBUS/ADRERR"},
		{"poisoned, arm64", 24, "poisoned", false, named, "SIGBUS/MCEERR_AR/SIGBUS/MCEERR_AR/SIGSEGV/ACCERR"},
		{"in swap, or a marker", 24, "none swapped", false, ours, "swap-in SIGBUS/ADRERR SIGBUS/MCEERR_AR SIGSEGV/MAPERR/swap-in SIGBUS/ADRERR SIGBUS/MCEERR_AR SIGSEGV/MAPERR/SIGSEGV/ACCERR SIGBUS/ADRERR SIGBUS/MCEERR_AR SIGSEGV/MAPERR"},
		{"guard", 25, "um uw", false, ours, "SIGSEGV/MAPERR/SIGSEGV/MAPERR/SIGSEGV/MAPERR"},
		{"shared memory, absent", 41, "um", false, theirs, "SIGBUS/ADRERR/SIGBUS/ADRERR/SIGBUS/ADRERR"}, // and past its end
		{"shared memory", 40, "um", false, ours, "none/none/SIGSEGV/ACCERR"},
		{"shared memory, write-protected somewhere", 40, "uw", false, moved, "none/none reuse/SIGSEGV/ACCERR"},
		{"file, absent", 32, "um", false, ours, "map SIGBUS/ADRERR/copy SIGBUS/ADRERR/SIGSEGV/ACCERR SIGBUS/ADRERR"},
		{"read-only", 42, "um", true, ours, "SIGBUS/ADRERR/SIGSEGV/ACCERR/SIGBUS/ADRERR"},
		{"no letters", 44, "um", false, ours, "SIGSEGV/ACCERR/SIGSEGV/ACCERR/SIGSEGV/ACCERR"},
		{"under the stack", 399, "gd um", false, stack, "SIGBUS/ADRERR/SIGBUS/ADRERR/SIGBUS/ADRERR"},
	} {
		page := c.page
		if page == 399 {
			page = 400
		}
		p := keyed(predictSpace(), page, map[bool]int{true: -1, false: 0}[c.flags == "-"])
		if m, _ := p.MappingAt(page * pg4k); m.Smaps != nil {
			m.Smaps.VMFlags = strings.Fields(c.flags)
		}
		if m, _ := p.MappingAt(page * pg4k); c.flags == "none swapped" {
			m.Smaps.Swap = 0
		}
		if c.wp || c.flags == "poisoned" {
			marked := p.PageAt(page*pg4k, pg4k)
			marked.Attrs |= UffdWP
			if !c.wp {
				marked.State, marked.Attrs = None, Poisoned
			}
			var runs []Run
			for _, r := range p.Pages.All() {
				if r.Start > marked.Start && !slices.Contains(runs, marked) {
					runs = append(runs, marked)
				}
				if r.Start != marked.Start {
					runs = append(runs, r)
				}
			}
			p.Pages = NewList(runs)
		}
		var got []string
		for _, a := range []Access{Load, Store, Fetch} {
			got = append(got, strings.Trim(fmt.Sprint(Predict(p, c.page*pg4k, a, c.facts).Can), "[]"))
		}
		if s := strings.Join(got, "/"); s != c.want {
			t.Errorf("%s: %s, want %s", c.what, s, c.want)
		}
	}
}

// predictSpace has one mapping of each sort and one page of each state.
func predictSpace() *Process {
	m := func(page, n uint64, p Perms, path string) Mapping {
		x := Mapping{Range: Range{page * pg4k, (page + n) * pg4k}, Perms: p, Path: path, Smaps: &Counters{}}
		if strings.HasPrefix(path, "/") {
			x.Inode = 5
		}
		if page == 16 {
			x.Smaps.Swap = pg4k
		}
		if path == "[stack]" {
			x.Smaps = nil // as in a space that was not read in full
		}
		return x
	}
	r := func(page uint64, s State, word, kflags uint64, count int32) Run {
		return Run{Start: page * pg4k, Pages: 1, State: s, Word: word, KFlags: kflags, Mapcount: count}
	}
	const here = WordPresent
	merged := r(29, COW, here|WordExclusive, KAnon|KKSM, 1)
	merged.Attrs, merged.Frame = KSM, 0x123
	return &Process{
		Mappings: NewList([]Mapping{
			m(16, 16, Read|Write, ""),                                        // 10: untouched, zero, anon, cow ...
			m(32, 4, Read|Write, "/f"), m(36, 4, Read|Write|SharedMap, "/f"), // private and shared file
			m(40, 2, Read|Write|SharedMap, "/dev/zero (deleted)"),
			m(42, 2, Read, ""), m(44, 2, 0, ""), m(46, 2, Exec, ""), m(48, 2, Read|Exec, "[vdso]"), m(50, 2, Read, "[vvar]"),
			m(400, 10, Read|Write, "[stack]"),
		}),
		Pages: NewList([]Run{
			r(17, Zero, here, 0, -1), r(18, Anon, here|WordExclusive, 0, -1), r(19, Anon, here|WordExclusive, KAnonExclusive, 1),
			r(20, Anon, here|WordExclusive, KAnon, 1), r(21, COW, here, 0, -1), r(22, COW, here, KAnon, 2), r(23, COW, here, KAnon|KTHP, 2),
			r(24, Swapped, WordSwapped, 0, -1), r(25, Guard, WordSwapped|WordGuard, 0, -1), r(26, Unknown, here, 0, -1),
			r(27, Anon, here|WordExclusive, KAnon|KTHP|KAnonExclusive, 1), r(28, Anon, here|WordExclusive, KAnon|KTHP, 1), merged,
			r(33, File, here|WordFile, 0, -1), r(37, Shared, here|WordFile, 0, -1), r(40, Shared, here|WordFile, 0, -1),
			r(44, Anon, here|WordExclusive, 0, -1), r(46, File, here, 0, -1), r(48, Special, here, 0, -1),
		}),
	}
}

// eachPageSize runs a test with the sizes of pages that arm64 may have.
func eachPageSize(t *testing.T, test func(t *testing.T, size uint64)) {
	for _, size := range []uint64{4 << 10, 16 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) { test(t, size) })
	}
}

// withPages is a process of 4 KiB pages with as many pages of another size.
func withPages(p *Process, size uint64) *Process {
	q, by := *p, size/pg4k
	q.Shift = ShiftOf(size)
	q.Mappings = NewList(slices.Collect(func(yield func(Mapping) bool) {
		for _, m := range p.Mappings.All() {
			m.Start, m.End, m.Offset = m.Start*by, m.End*by, m.Offset*by
			if !yield(m) {
				return
			}
		}
	}))
	q.Pages = NewList(slices.Collect(func(yield func(Run) bool) {
		for _, r := range p.Pages.All() {
			r.Start, r.Shift = r.Start*by, q.Shift
			if !yield(r) {
				return
			}
		}
	}))
	return &q
}

func TestPredict(t *testing.T) { eachPageSize(t, testPredict) }

// One table, long because it has a row for every case.
func testPredict(t *testing.T, size uint64) {
	p := withPages(predictSpace(), size)
	sized, stack, calm, old := NoFacts, NoFacts, NoFacts, NoFacts
	watched := NoFacts
	watched.NeverForked, watched.Userfaultfd, watched.WriteTracked = true, true, true
	moved := watched
	moved.ProtectedMoved = true
	old.NeverForked, old.Reprotected = true, true
	sized.FileSize, stack.OnlyStack, calm.NeverForked = int64(size)+1, true, true
	stack.Limits = Limits{true, 80 * size, Unlimited, Unlimited}
	arm := NoFacts
	arm.Arch = "arm64"
	keys := NoFacts
	keys.ExecOnly = PkuErr
	for _, c := range []struct {
		what   string
		page   uint64
		access Access
		facts  Facts
		want   string
	}{
		{"hole", 1, Load, NoFacts, "SIGSEGV/MAPERR"},
		{"above all", 1000, Store, NoFacts, "SIGSEGV/MAPERR"},
		{"untouched", 16, Load, NoFacts, "zero-map"},
		{"untouched", 16, Store, NoFacts, "zero-fill"},
		{"untouched", 16, Fetch, NoFacts, "SIGSEGV/ACCERR"},
		{"zero page", 17, Load, NoFacts, "none"},
		{"zero page", 17, Store, NoFacts, "zero-fill"},
		{"anon, nothing known", 18, Store, NoFacts, "none reuse copy"},
		{"anon, never forked", 18, Store, calm, "none"},
		{"anon, never forked, with userfaultfd", 18, Store, watched, "none"},
		{"anon, never forked, write-protected pages have moved", 18, Store, moved, "none reuse"},
		{"anon, never forked, its letters changed before Linux 6.2", 18, Store, old, "none reuse"},
		{"anon, certainly exclusive", 19, Store, NoFacts, "none"},
		{"anon after a fork", 20, Store, NoFacts, "reuse copy"},
		{"anon", 20, Load, NoFacts, "none"},
		{"cow", 21, Store, NoFacts, "copy reuse"},
		{"cow, counted", 22, Store, NoFacts, "copy"},
		{"cow in a large folio", 23, Store, NoFacts, "copy reuse"},
		{"swapped", 24, Load, NoFacts, "swap-in"},
		{"guard", 25, Load, NoFacts, "SIGSEGV/MAPERR"},
		{"guard", 25, Fetch, NoFacts, "SIGSEGV/MAPERR"},
		{"guard on arm64", 25, Fetch, arm, "SIGSEGV/ACCERR"},
		{"part of a huge page, whose first page is exclusive", 27, Store, NoFacts, "none reuse copy"},
		{"part of a huge page, whose first page is not", 28, Store, NoFacts, "none reuse copy"},
		{"part of a huge page, never forked", 27, Store, calm, "none"},
		{"merged, mapped once", 29, Store, calm, "copy"},
		{"unknown", 26, Store, NoFacts, "copy zero-fill reuse"},
		{"unknown", 26, Load, NoFacts, "none"},
		{"file", 33, Store, NoFacts, "copy"},
		{"file", 33, Load, NoFacts, "none"},
		{"file, absent", 32, Load, NoFacts, "map SIGBUS/ADRERR"},
		{"file, absent", 32, Store, sized, "copy"},
		{"file, last page", 33, Load, sized, "none"},
		{"file, past the end", 34, Load, sized, "SIGBUS/ADRERR"},
		{"file, past the end", 34, Fetch, sized, "SIGBUS/ADRERR"},
		{"file, absent", 32, Fetch, NoFacts, "SIGSEGV/ACCERR SIGBUS/ADRERR"},
		{"file, absent", 32, Fetch, sized, "SIGSEGV/ACCERR"},
		{"shared file", 37, Store, NoFacts, "none reuse"},
		{"shared file, absent", 36, Store, sized, "map"},
		{"shared memory", 40, Store, NoFacts, "none"},
		{"shared memory, absent", 41, Store, sized, "map"},
		{"read-only", 42, Store, NoFacts, "SIGSEGV/ACCERR"},
		{"no access", 44, Load, NoFacts, "SIGSEGV/ACCERR"},
		{"execute only", 46, Load, NoFacts, "none SIGSEGV/PKUERR SIGSEGV/ACCERR"},
		{"execute only", 46, Store, NoFacts, "SIGSEGV/ACCERR SIGSEGV/PKUERR"},
		{"execute only, keys", 46, Load, keys, "SIGSEGV/PKUERR"},
		{"execute only, keys", 46, Store, keys, "SIGSEGV/PKUERR"},
		{"execute only, keys", 46, Fetch, keys, "none"},
		{"execute only, no keys", 46, Load, Facts{ExecOnly: NoFault}, "none"},
		{"execute only, no keys", 46, Store, Facts{ExecOnly: NoFault}, "SIGSEGV/ACCERR"},
		{"execute only, page tables", 46, Load, Facts{ExecOnly: AccErr}, "SIGSEGV/ACCERR"},
		{"execute only, page tables", 46, Store, Facts{ExecOnly: AccErr}, "SIGSEGV/ACCERR"},
		{"read-only, keys", 42, Store, keys, "SIGSEGV/ACCERR"},
		{"no access, keys", 44, Load, keys, "SIGSEGV/ACCERR"},
		{"execute only", 46, Fetch, NoFacts, "none"},
		{"vdso", 48, Fetch, NoFacts, "none"},
		{"vdso, absent", 49, Load, NoFacts, "map"},
		{"vvar", 50, Load, NoFacts, "map none SIGBUS/ADRERR"},
		{"under the stack", 399, Store, NoFacts, "grow SIGSEGV/MAPERR"},
		{"under the stack", 399, Store, stack, "grow"},
		{"under the stack", 399, Fetch, stack, "SIGSEGV/ACCERR"},
		{"beyond the limit", 329, Store, stack, "SIGSEGV/MAPERR"},
		{"within the stack guard gap", 300, Store, Facts{Limits: Limits{true, 1 << 30, Unlimited, Unlimited}}, "SIGSEGV/MAPERR"},
		{"room for a page", 399, Store, limited(Limits{true, Unlimited, 47 * size, Unlimited}), "grow"},
		{"no room for two", 398, Store, limited(Limits{true, Unlimited, 48*size - 1, 0}), "SIGSEGV/MAPERR"},
		{"no stack at all", 399, Store, limited(Limits{Known: true, Space: Unlimited, Locked: Unlimited}), "SIGSEGV/MAPERR"},
		{"perhaps locked", 399, Store, limited(Limits{true, Unlimited, Unlimited, 0}), "grow SIGSEGV/MAPERR"},
	} {
		got := Predict(p, c.page*size+7, c.access, c.facts)
		if s := strings.Trim(fmt.Sprint(got.Can), "[]"); s != c.want || got.Why == "" {
			t.Errorf("%s %s: %s (%s), want %s", c.what, c.access, s, got.Why, c.want)
		}
	}
	// Merged pages (KSM) are write-protected too, and look like any other where kpageflags are
	// hidden.
	mergeable := Mapping{Perms: Read | Write, Smaps: &Counters{VMFlags: []string{"mg"}}}
	if got := predictStore(mergeable, Run{State: Anon, Word: WordPresent | WordExclusive, Mapcount: -1}, calm); !got.Allows(Copy) {
		t.Errorf("in a mergeable mapping: %v", got)
	}
	for _, dead := range []*Process{{State: Zombie}, {State: Gone}, {Err: "denied"}} {
		if got := Predict(dead, 0, Load, NoFacts); len(got.Can) != 0 || got.Why == "" {
			t.Errorf("%+v", got)
		}
	}
}

// limited are the facts of a process with these limits.
func limited(l Limits) Facts {
	f := NoFacts
	f.Limits, f.OnlyStack = l, true
	return f
}

// A locked stack grows as far as locked memory may: what is locked elsewhere counts, too.
func TestPredictLockedStack(t *testing.T) {
	p := keyed(keyed(predictSpace(), 400, 0), 20, 0)
	for _, page := range []uint64{400, 20} {
		m, _ := p.MappingAt(page * pg4k)
		m.Smaps.VMFlags = []string{"lo", "gd"}
	}
	for most, want := range map[uint64]Happening{26: MapErr, 27: Grow, Unlimited / pg4k: Grow} { // 16 and 10 are locked
		if got := Predict(p, 399*pg4k, Store, limited(Limits{true, Unlimited, Unlimited, most * pg4k})); len(got.Can) != 1 || got.Can[0] != want {
			t.Errorf("%d pages may be locked: %v", most, got)
		}
	}
}
