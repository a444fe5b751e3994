package vmspace

import (
	"fmt"
	"strings"
	"testing"
)

// predictSpace has one mapping of each sort and one page of each state.
func predictSpace() *Process {
	m := func(page, n uint64, p Perms, path string) Mapping {
		x := Mapping{Range: Range{page * pg4k, (page + n) * pg4k}, Perms: p, Path: path, Smaps: &Counters{}}
		if strings.HasPrefix(path, "/") {
			x.Inode = 5
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

// One table, long because it has a row for every case.
func TestPredict(t *testing.T) {
	p := predictSpace()
	sized, stack, calm := NoFacts, NoFacts, NoFacts
	sized.FileSize, stack.StackLimit, stack.OnlyStack, calm.NeverForked = pg4k+1, 80*pg4k, true, true
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
		{"within the stack guard gap", 300, Store, Facts{StackLimit: 1 << 30}, "SIGSEGV/MAPERR"},
	} {
		got := Predict(p, c.page*pg4k+7, c.access, c.facts)
		if s := strings.Trim(fmt.Sprint(got.Can), "[]"); s != c.want || got.Why == "" {
			t.Errorf("%s %s: %s (%s), want %s", c.what, c.access, s, got.Why, c.want)
		}
	}
	// Merged pages (KSM) are write-protected too, and look like any other where kpageflags are hidden.
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
