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
// There is one door, Reader.Observe, and one plan for each Scope: everything; what commands can
// have touched, and what hangs on it; or even less, where a tracer holds the whole family still.
// Reader.Stream reads everything of one process and holds none of its pages.
//
// # A process that runs
//
// No call reads an address space at one moment. The list of mappings comes in pieces of a page of
// text, page words in pieces of a page table (2 MiB with pages of 4 KiB), and a process that is not
// stopped goes on meanwhile. So words are read after the list, and the list is compared after the
// words:
//
//	list ──► batch of words ──► same mappings still? ─yes─► classified
//	                                 │ no: read again, three times, then
//	                                 └──────────────────────► Unknown, and named in Process.Changed
//
// What this cannot see is a mapping that went and came back the same in between; such pages are as
// they were at one of those moments.
//
// # What watching costs and leaves behind
//
// While page tables are walked, the threads of the process wait if they want to map or unmap.
// Options.Gentle makes short slices of that with rests in between; Cost says what it came to.
//
// Mappings and page words leave no trace. Peek reads bytes of present pages only; the kernel marks
// such a page as referenced, as it does for any access (mark_page_accessed by way of
// get_user_pages_remote), which is why that bit of kpageflags is not kept in a Run.
package observe
