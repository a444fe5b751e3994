package vmspace

// Rules of this file: data. Every statement about a page rests on a bit or a word from the kernel.
// Each has a row here: where it is read, the Linux version that brought it, and the test that has
// seen it on a live process. The package documentation lists the same rows.

// Proof is one way in which the kernel shows a state or an attribute, a count or a frame.
type Proof struct {
	Of    string // the name of a state or an attribute, "mapcount" or "frame"
	From  string // the file, or the ioctl on it
	Says  string // the bits and words
	Since string // the Linux version that brought the evidence
	Test  string // the test that has seen it
	shows func(*view) bool
}

// view is a page with everything that is known about it.
type view struct {
	s *Snapshot
	p *Process
	m Mapping
	r Run
	c Class
}

func (v *view) word(bits uint64) bool   { return v.r.Word&bits != 0 }
func (v *view) scan(bits uint16) bool   { return v.r.Scan&bits != 0 }
func (v *view) flags(bits uint64) bool  { return v.r.KFlags&bits != 0 }
func (v *view) vmFlag(word string) bool { return v.m.Smaps.HasFlag(word) }
func (v *view) merged() bool            { return v.c.merged }
func (v *view) counted() bool           { return v.r.Mapcount >= 0 }
func (v *view) partner() (string, bool) {
	return v.relative(func(o Run) bool { return o.Frame != 0 && o.Frame == v.r.Frame })
}
func always(*view) bool                   { return true }
func word(bits uint64) func(*view) bool   { return func(v *view) bool { return v.word(bits) } }
func kflags(bits uint64) func(*view) bool { return func(v *view) bool { return v.flags(bits) } }

// relative finds another process whose page at the same address satisfies such.
func (v *view) relative(such func(Run) bool) (label string, ok bool) {
	for _, o := range v.s.Processes {
		if o.Label != v.p.Label && !o.SharesWith(v.p) && such(o.PageAt(v.r.Start, v.r.PageSize())) {
			return o.Label, true
		}
	}
	return "", false
}

// Proofs is the table, in the order of States and AttrNames. Of several rows with one name, the
// first that applies is reported. The versions are those in the man pages proc_pid_pagemap(5),
// proc_pid_smaps(5) and proc_kpageflags(5), and in the kernel's Documentation.
var Proofs = [...]Proof{
	{"none", "smaps", "Swap 0; pagemap 62 swapped, 57 uffd-wp", "6.4", "TestAttrUffdWP", func(v *view) bool { return v.word(WordUffdWP) }},
	{"none", "smaps", "Swap 0; pagemap 62 swapped, 58 guard clear", "6.15", "TestAttrPoisoned", func(v *view) bool { return v.word(WordSwapped) }},
	{"none", "pagemap", "63 and 62 clear", "2.6.25", "TestStateNone", always},
	{"zero", "PAGEMAP_SCAN", "PFNZERO", "6.7", "TestStateZero", func(v *view) bool { return v.scan(ScanPFNZero) }},
	{"zero", "kpageflags", "24 ZERO_PAGE", "4.0", "TestStateZero", kflags(KZeroPage)},
	{"zero", "move_pages", "EFAULT for a present page", "2.6.18", "TestStateZero", func(v *view) bool { return v.scan(NodeNone) }},
	{"zero", "pagemap", "0-54 the zero page's frame", "2.6.25", "TestStateZero", always},
	{"anon", "pagemap", "63 present, 56 exclusive, 61 clear", "4.2", "TestStateAnon", always},
	{"cow", "pagemap", "0-54 a relative's frame at the same address", "2.6.25", "TestStateCOW",
		func(v *view) bool { _, ok := v.partner(); return ok }},
	{"cow", "pagemap", "63 present, 61 and 56 clear", "4.2", "TestStateCOW", func(v *view) bool { return !v.word(WordExclusive) }},
	{"cow", "kpageflags", "21 KSM", "2.6.32", "TestAttrKSM", kflags(KKSM)},
	{"cow", "smaps", "KSM counts all that is resident", "6.6", "TestAttrKSM", (*view).merged},
	{"cow", "kpagecount", "above 1, of a huge page", "2.6.25", "TestHugePageOfAStranger", (*view).counted},
	{"cow", "PAGEMAP_SCAN", "HUGE, and a relative's page there is cow", "6.7", "TestHugePageOfAFamily", always},
	{"file", "pagemap", "63 present, 61 file; maps p", "3.5", "TestStateFile", always},
	{"shared", "pagemap", "63 present; maps s", "2.6.25", "TestStateShared", always},
	{"swapped", "pagemap", "62 swapped, 58 clear", "2.6.25", "TestStateSwapped", always},
	{"guard", "pagemap", "58 guard", "6.15", "TestStateGuard", always},
	{"special", "smaps", "VmFlags pf, io or mm", "3.8", "TestStateSpecial",
		func(v *view) bool { return v.vmFlag("pf") || v.vmFlag("io") || v.vmFlag("mm") }},
	{"special", "maps", "a name in brackets", "2.6.25", "TestStateSpecial", always},
	{"unknown", "pagemap", "63 present, and nothing decides", "2.6.25", "TestFastAndSlowSayTheSame", always},

	{"huge", "PAGEMAP_SCAN", "HUGE: one entry maps it", "6.7", "TestHugePageOfAFamily", func(v *view) bool { return v.scan(ScanHuge) }},
	{"huge", "smaps", "VmFlags ht", "3.8", "TestStateHugetlb", func(v *view) bool { return v.vmFlag("ht") }},
	{"huge", "smaps", "AnonHugePages counts all that is resident", "2.6.38", "TestHugeWithoutScan", func(v *view) bool { return !v.scan(ScanPresent) && v.m.allHuge() }},
	{"huge", "kpageflags", "17 HUGE or 22 THP", "3.4", "TestFastAndSlowSayTheSame", always},
	{"ksm", "kpageflags", "21 KSM", "2.6.32", "TestAttrKSM", kflags(KKSM)},
	{"ksm", "smaps", "KSM counts all that is resident", "6.6", "TestAttrKSM", always},
	{"locked", "smaps", "VmFlags lo", "3.8", "TestAttrLocked", func(v *view) bool { return v.vmFlag("lo") }},
	{"locked", "kpageflags", "33 MLOCKED, not for ever", "2.6.31", "TestAttrLocked", always},
	{"lazyfree", "kpageflags", "12 ANON, 14 SWAPBACKED clear", "4.12", "TestAttrLazyFree", always},
	{"uffd-wp", "pagemap", "57 uffd-wp", "5.13", "TestAttrUffdWP", always},
	{"soft-dirty", "pagemap", "55 soft-dirty", "3.11", "TestAttrSoftDirty", word(WordSoftDirty)},
	{"soft-dirty", "PAGEMAP_SCAN", "SOFT_DIRTY", "6.8", "TestAttrSoftDirty", always},
	{"dirty", "kpageflags", "4 DIRTY", "2.6.25", "TestAttrDirty", always},
	{"referenced", "kpageflags", "2 REFERENCED, which looking sets: not shown", "2.6.25", "TestAttrReferenced", always},
	{"poisoned", "smaps", "Swap 0; pagemap 62 swapped, 58 guard clear", "6.15", "TestAttrPoisoned", always},
	{"mapcount", "kpagecount", "the word", "2.6.25", "TestStateCOW", func(v *view) bool { return v.counted() }},
	{"frame", "pagemap", "0-54, for CAP_SYS_ADMIN", "2.6.25", "TestStateCOW", func(v *view) bool { return v.r.Frame != 0 }},
}

// seen finds the row that shows the name for this page.
func (v *view) seen(name string) (Proof, bool) {
	for _, p := range Proofs {
		if p.Of == name && p.shows(v) {
			return p, true
		}
	}
	return Proof{}, false
}
