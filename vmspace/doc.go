// Package vmspace looks at address spaces: it reads what Linux tells of a process in /proc, and names it.
//
//	/proc/PID/maps, smaps     ──►  parse  ──►  Mapping ─┐
//	/proc/PID/stat            ──►  parse  ──►  faults   │
//	/proc/PID/pagemap         ──►  words ─┐             ├──►  Process ─┐
//	      ioctl PAGEMAP_SCAN  ──►  zero,  ├─► Classify ─┤              ├──►  Snapshot  ──►  Diff, Predict, JSON
//	                               huge   │      │      │   relatives ─┘
//	/proc/kpagecount, -flags  ──►  frames ┘      ▼      │
//	                                            Run  ───┘
//
// Reading, parsing and deciding are three things: only the files that end in _linux.go ask the kernel, everything else is pure and
// works on any system. Nothing here writes to a process, attaches to one, or makes it take a fault.
//
// # What a page's state rests on
//
//	state     present  file  exclusive  and
//	none      no       –     –          not swapped
//	guard     no       –     –          bit 58; bit 62, swapped, is set too, so guard is looked for first
//	swapped   no       –     –          bit 62
//	special   –        –     –          [vdso], or VmFlags pf, io, mm; of [vvar] and all of VmFlags pf, pagemap says nothing
//	shared    yes      –     –          the mapping is shared
//	zero      yes      no    no         PAGEMAP_SCAN says PFNZERO, or kpageflags ZERO_PAGE, or it is the zero page's frame
//	file      yes      yes   –          the mapping is private
//	anon      yes      no    yes        no relative maps the same frame at the same address
//	cow       yes      no    no         known not to be the zero page, or such a frame of a relative
//	unknown   yes      no    no         nothing that could tell cow from zero
//	unknown   any      any   any        the mapping changed while it was read, or holds no file and the page is of one
//
// Frames, counts and flags of frames need root. Without it, and without PAGEMAP_SCAN (before Linux 6.7), zero and cow look alike in
// plain memory, and unknown is the answer: the zero page is never exclusive, and no count says how often it is mapped.
//
// # A process that runs
//
// No call reads an address space at one moment. The list of mappings comes in pieces of a page of text, page words in pieces of 2 MiB, and
// a process that is not stopped goes on meanwhile. So words are read after the list, and the list is compared after the words:
//
//	list ──► batch of words ──► same mappings still? ─yes─► classified
//	                                 │ no: read again, three times, then
//	                                 └──────────────────────► Unknown, and named in Process.Changed
//
// What this cannot see is a mapping that went and came back the same in between; such pages are as they were at one of those moments.
//
// # Sharing between snapshots
//
// A Snapshot never changes. The next one is made of the same pieces where nothing happened:
//
//	snapshot 1 ─► p1 ─► Mappings  [chunk A][chunk B][chunk C]
//	                                  │         ╳        │
//	snapshot 2 ─► p1'─► Mappings  [chunk A][chunk B'][chunk C]
//	           └► p2 (the very same pointer: nothing changed in it)
//
// So holding on to old snapshots is cheap, and Diff costs what changed, not what there is. Reader.Update makes the next snapshot from
// the one before and from what a command can have touched; Reader.Read looks at everything.
//
// # What watching costs and leaves behind
//
// While page tables are walked, the threads of the process wait if they want to map or unmap. Options.Gentle makes short slices of
// that with rests in between; Cost says what it came to.
//
// Mappings and page words leave no trace. Peek reads bytes of present pages only; the kernel marks such a page as referenced, as it does
// for any access (mark_page_accessed by way of get_user_pages_remote), which is why that bit of kpageflags is not kept in a Run.
package vmspace
