package feature

import "runtime"

// elsewhere is the reason why there are no features on other systems.
const elsewhere = ""

// All lists the features: what the subject needs, what can be observed, which calls can be made,
// and what the machine is set up for. The versions are those of the man pages and of the kernel's
// Documentation.
var All = []Feature{
	{"ptrace", "a subject can be started, driven and confined", "", (*machine).ptrace},
	{"memfd-exec", "the subject starts from memory and needs no folder", "3.17", (*machine).memfdExec},
	{"no-aslr", "addresses repeat from run to run", "2.6.12", (*machine).noASLR},
	{"memory-cgroup", "the kernel enforces --max-memory too", "5.7", (*machine).memoryCgroup},
	{"user", "limits and permissions apply: this is not root", "", ordinary},
	{"amd64", "machine code is that of x86-64", "", onArch("amd64")},
	{"arm64", "machine code is that of AArch64", "", onArch("arm64")},

	{"frames", "frame numbers in pagemap: which pages are shared", "4.2", (*machine).frames},
	{"kpage", "how often a frame is mapped, and its flags", "2.6.25", (*machine).kpage},
	{"scan", "PAGEMAP_SCAN: identifies zero and huge pages", "6.7", (*machine).scan},
	{"zero-page", "the zero page and a shared page look different", "2.6.18", (*machine).zeroPage},
	{"true-words", "the kernel's words about pages mean what they should", "", (*machine).trueWords},
	{"perf-faults", "page faults are told as they happen (watch)", "4.1", perfFaults},
	{"query", "PROCMAP_QUERY: finds one mapping among many", "6.11", (*machine).query},
	{"soft-dirty", "pagemap marks the pages that were written to", "3.11", softDirty},
	{"uffd-wp", "userfaultfd write-protects a page, pagemap shows it", uffdWPSince[runtime.GOARCH], uffdWP},
	{"uffd-markers", "userfaultfd write-protects absent pages too", uffdMarkersSince[runtime.GOARCH], uffdMarkers},
	{"uffd-async", "userfaultfd tells writes without a stop, for mark exact", uffdAsyncSince[runtime.GOARCH], uffdAsync},
	{"guard", "MADV_GUARD_INSTALL: guard pages inside a mapping", "6.13", guard},
	{"guard-bit", "pagemap shows guard pages", "6.15", guardBit},

	{"fixed-noreplace", "MAP_FIXED_NOREPLACE: never over another mapping", "4.17", fixedNoreplace},
	{"droppable", "MAP_DROPPABLE: pages that may be dropped", "6.11", droppable},
	{"map-32bit", "MAP_32BIT: a mapping in the first 2 GiB", "2.4.20", map32bit},
	{"dontunmap", "MREMAP_DONTUNMAP: move pages, leave the mapping", "5.7", dontunmap},
	{"move-many", "mremap moves several mappings with one call", "6.17", moveMany},
	{"merge-touched", "touched memory merges with an untouched neighbour", "6.16", mergeTouched},
	{"mseal", "mseal: nothing may change a mapping any more", "6.10", sealable},
	{"lazyfree", "MADV_FREE: the kernel drops pages when it likes", "4.5", lazyfree},
	{"populate-advice", "MADV_POPULATE_READ and _WRITE: fault in now", "5.14", populateAdvice},
	{"process-madvise", "process_madvise: advice on another process", "5.10", (*machine).processMadvise},
	{"mbind", "mbind: from which node memory comes", "2.6.7", bindable},
	{"move-pages", "move_pages: on which node each page is", "2.6.18", movable},
	{"mlock", "mlock: 16 pages may be kept in memory", "", lockable},
	{"mlock2", "MLOCK_ONFAULT: lock pages as they are touched", "4.4", lockableOnFault},
	{"memfd", "memfd_create: files in memory, which can be sealed", "3.17", memfd},
	{"seal-exec", "F_SEAL_EXEC: an executable file cannot change", "6.3", sealExec},
	{"uffd", "userfaultfd: can answer a fault with SIGBUS", "4.14", uffdSigbus},
	{"uffd-minor", "userfaultfd: faults on pages of shared memory", "5.14", uffdMinor},
	{"uffd-poison", "UFFDIO_POISON: missing pages are made broken ones", "6.6", uffdPoisons},
	{"uffd-move", "UFFDIO_MOVE: pages move to where they are missing", "6.8", uffdMoves},
	{"pkeys", "protection keys: pkey_alloc, execute-only memory", "4.9", protectionKeys},
	{"mdwe", "PR_SET_MDWE: memory never becomes executable", "6.3", (*machine).mdwe},
	{"mdwe-no-inherit", "PR_MDWE_NO_INHERIT: children start without it", "6.6", (*machine).mdweNoInherit},
	{"ksm-process", "PR_SET_MEMORY_MERGE: KSM for a whole process", "6.4", (*machine).ksmProcess},

	{"cc", "a C compiler: demos about programs in C", "", compiler},
	{"overcommit", "1 TiB can be reserved, more than there is memory", "", reservable},
	{"disk", "scratch files are on a disk, not in memory", "", disk},
	{"swap", "pages can be swapped out", "", swap},
	{"zram", "swap in memory can be set up", "4.2", (*machine).zram},
	{"thp", "transparent huge pages are allocated", "2.6.38", thp},
	{"thp-2m", "transparent huge pages have a size of 2 MiB", "", thp2m},
	{"collapse", "MADV_COLLAPSE: make a huge page now", "6.1", collapse},
	{"numa", "there is memory in more than one node", "", numa},
	{"hugetlb", "MAP_HUGETLB: huge pages are free in the pool", "2.6.32", hugetlb},
	{"ksm", "equal pages are merged into one", "2.6.32", ksm},
}
