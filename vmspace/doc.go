// Package vmspace models address spaces: mappings, pages, the state of each page, the differences
// between two snapshots, and the possible outcomes of an access. It is pure and works on any
// system; package observe reads the kernel.
//
//	observe:  mappings ────────────────►  Mapping ─┐
//	          page words ─► Class.Classify ─► Run ─┴─► Process ─► Snapshot
//	Snapshot ─► Diff, Predict, Grounds, Sink
//
// # What a page's state rests on
//
//	state     present  file  exclusive  and
//	none      no       –     –          not swapped
//	guard     no       –     –          bit 58; bit 62, swapped, is set too, so guard is looked for first
//	swapped   no       –     –          bit 62
//	special   –        –     –          [vdso], or VmFlags pf, io, mm; pagemap does not report
//	                                    [vvar] and mappings with VmFlags pf
//	shared    yes      –     –          the mapping is shared
//	zero      yes      no    no         PAGEMAP_SCAN PFNZERO, or move_pages EFAULT, or kpageflags
//	                                    ZERO_PAGE, or the frame is the zero page's
//	file      yes      yes   –          the mapping is private
//	anon      yes      no    yes        no relative maps the same frame at the same address
//	cow       yes      no    no         known not to be the zero page, or such a frame of a relative
//	cow       yes      no    yes        merged (KSM), or part of a huge page mapped elsewhere too
//	unknown   yes      no    no         nothing that could tell cow from zero
//	unknown   yes      no    yes        a relative has a page there that is not exclusive, and
//	                                    nothing tells whether it is a huge page
//	unknown   any      any   any        the mapping changed while it was read, or has no file
//	                                    although the page is of one
//
// Frame numbers and their counts and flags need root. Without them, and without PAGEMAP_SCAN
// (before Linux 6.7), zero and cow look alike in anonymous memory: the zero page is never
// exclusive, and no count says how often it is mapped. There move_pages(2) distinguishes them: it
// answers EFAULT for the zero page and a node for any other. If that call is not permitted either,
// the state is unknown.
//
// Each state and attribute rests on a word that the kernel gives since the Linux version named
// here, and on a test that has seen it on a live process:
//
//	none        smaps         Swap 0; pagemap 62 swapped, 57 uffd-wp        6.4     TestAttrUffdWP
//	none        smaps         Swap 0; pagemap 62 swapped, 58 guard clear    6.15    TestAttrPoisoned
//	none        pagemap       63 and 62 clear                               2.6.25  TestStateNone
//	zero        PAGEMAP_SCAN  PFNZERO                                       6.7     TestStateZero
//	zero        kpageflags    24 ZERO_PAGE                                  4.0     TestStateZero
//	zero        move_pages    EFAULT for a present page                     2.6.18  TestStateZero
//	zero        pagemap       0-54 the zero page's frame                    2.6.25  TestStateZero
//	anon        pagemap       63 present, 56 exclusive, 61 clear            4.2     TestStateAnon
//	cow         pagemap       0-54 a relative's frame at the same address   2.6.25  TestStateCOW
//	cow         pagemap       63 present, 61 and 56 clear                   4.2     TestStateCOW
//	cow         kpageflags    21 KSM                                        2.6.32  TestAttrKSM
//	cow         smaps         KSM counts all that is resident               6.6     TestAttrKSM
//	cow         kpagecount    above 1, of a huge page                       2.6.25  TestHugePageOfAStranger
//	cow         PAGEMAP_SCAN  HUGE, and a relative's page there is cow      6.7     TestHugePageOfAFamily
//	file        pagemap       63 present, 61 file; maps p                   3.5     TestStateFile
//	shared      pagemap       63 present; maps s                            2.6.25  TestStateShared
//	swapped     pagemap       62 swapped, 58 clear                          2.6.25  TestStateSwapped
//	guard       pagemap       58 guard                                      6.15    TestStateGuard
//	special     smaps         VmFlags pf, io or mm                          3.8     TestStateSpecial
//	special     maps          a name in brackets                            2.6.25  TestStateSpecial
//	unknown     pagemap       63 present, and nothing decides               2.6.25  TestFastAndSlowSayTheSame
//	huge        PAGEMAP_SCAN  HUGE: one entry maps it                       6.7     TestHugePageOfAFamily
//	huge        smaps         VmFlags ht                                    3.8     TestStateHugetlb
//	huge        smaps         AnonHugePages counts all that is resident     2.6.38  TestHugeWithoutScan
//	huge        kpageflags    17 HUGE or 22 THP                             3.4     TestFastAndSlowSayTheSame
//	ksm         kpageflags    21 KSM                                        2.6.32  TestAttrKSM
//	ksm         smaps         KSM counts all that is resident               6.6     TestAttrKSM
//	locked      smaps         VmFlags lo                                    3.8     TestAttrLocked
//	locked      kpageflags    33 MLOCKED, not for ever                      2.6.31  TestAttrLocked
//	lazyfree    kpageflags    12 ANON, 14 SWAPBACKED clear                  4.12    TestAttrLazyFree
//	uffd-wp     pagemap       57 uffd-wp                                    5.13    TestAttrUffdWP
//	soft-dirty  pagemap       55 soft-dirty                                 3.11    TestAttrSoftDirty
//	soft-dirty  PAGEMAP_SCAN  SOFT_DIRTY                                    6.8     TestAttrSoftDirty
//	dirty       kpageflags    4 DIRTY                                       2.6.25  TestAttrDirty
//	referenced  kpageflags    2 REFERENCED, which looking sets: not shown   2.6.25  TestAttrReferenced
//	poisoned    smaps         Swap 0; pagemap 62 swapped, 58 guard clear    6.15    TestAttrPoisoned
//	mapcount    kpagecount    the word                                      2.6.25  TestStateCOW
//	frame       pagemap       0-54, for CAP_SYS_ADMIN                       2.6.25  TestStateCOW
//
// Kernels have bugs here: a bit is used only if it means on pages of this program what it should.
// observe.Features names the bits that do not.
//
// Grounds names the rows that the state of a page rests on, and what is inferred instead of read.
// Limits of the evidence: bit 56 is set if one process maps the page once, but of a huge page that
// one entry maps every word has the bit of the first small page. MADV_FREE does not change the
// pagemap words; the flags of a frame show it only after the page has left the per-CPU list, also
// if it was written to since; smaps counts the free pages and does not say which they are.
// kpageflags gives every page of a large folio the bits of its first page.
//
// # Sharing between snapshots
//
// A Snapshot never changes. The next one shares every piece in which nothing changed:
//
//	snapshot 1 ─► p1 ─► Mappings  [chunk A][chunk B][chunk C]
//	                                  │         ╳        │
//	snapshot 2 ─► p1'─► Mappings  [chunk A][chunk B'][chunk C]
//	           └► p2 (the very same pointer: nothing changed in it)
//
// Holding old snapshots is therefore cheap, and the cost of Diff follows the changes, not the size.
package vmspace
