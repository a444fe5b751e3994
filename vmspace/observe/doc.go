// Package observe reads the address spaces of processes from /proc into snapshots. It never writes
// to a process, attaches to one, or makes it take a fault.
//
//	/proc/PID/maps, smaps     ──►  procfs  ─► Mapping ─┐
//	/proc/PID/stat            ──►  procfs  ─► faults   │
//	/proc/PID/pagemap         ──►  words ─┐            ├──►  Process ─┐
//	      ioctl PAGEMAP_SCAN  ──►  zero,  ├──►  Run  ──┘              ├──►  Snapshot, or a Sink
//	                               huge   │             relatives  ───┘
//	/proc/kpagecount, -flags  ──►  frames ┘
//
// There is one entry point, Reader.Observe, with one plan for each Scope: everything; what commands
// may have touched, and everything that depends on it; or less than that, if a tracer keeps the
// whole family stopped. Reader.Stream reads everything of one process and holds none of its pages.
//
// # A process that runs
//
// No call reads an address space at one moment. The list of mappings arrives in pieces of a page of
// text, page words in pieces of a page table (2 MiB with pages of 4 KiB), and a process that is not
// stopped runs on meanwhile. So words are read after the list, and the list is compared again after
// the words:
//
//	list ──► batch of words ──► same mappings still? ─yes─► classified
//	                                 │ no: read again, three times, then
//	                                 └──────────────────────► Unknown, and named in Process.Changed
//
// This cannot detect a mapping that was removed and came back the same in between; its pages are as
// they were at one of those moments.
//
// # What watching costs and what it leaves behind
//
// During a page table walk, threads of the process that map or unmap have to wait. Options.Gentle
// cuts the walk into short slices with rests in between; Cost is the total.
//
// Reading mappings and page words leaves no trace. Peek reads bytes of present pages only; the
// kernel marks such a page as referenced, as for any access (mark_page_accessed by way of
// get_user_pages_remote), which is why a Run does not keep that bit of kpageflags.
package observe
