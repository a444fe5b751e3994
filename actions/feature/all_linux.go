package feature

import "runtime"

// elsewhere is why there is no feature, on other systems.
const elsewhere = ""

// All lists the features: what the subject needs, what may be looked at, what may be called, and
// what the machine is set up for. The versions are those of the man pages and of Documentation/ in
// the kernel.
var All = []Feature{
	{"ptrace", "a subject can be started, driven and confined", "", (*machine).ptrace},
	{"memfd-exec", "the subject starts from memory and needs no folder", "3.17", (*machine).memfdExec},
	{"no-aslr", "addresses repeat from run to run", "2.6.12", (*machine).noASLR},
	{"memory-cgroup", "the kernel holds --max-memory too", "5.7", (*machine).memoryCgroup},
	{"amd64", "machine code is that of x86-64", "", onArch("amd64")},
	{"arm64", "machine code is that of AArch64", "", onArch("arm64")},

	{"frames", "frame numbers in pagemap: which pages are one", "4.2", (*machine).frames},
	{"kpage", "how often a frame is mapped, and its flags", "2.6.25", (*machine).kpage},
	{"scan", "PAGEMAP_SCAN: tells the zero page and huge pages", "6.7", (*machine).scan},
	{"zero-page", "the zero page and a shared page look different", "2.6.18", (*machine).zeroPage},
	{"true-words", "the kernel's words about pages mean what they should", "", (*machine).trueWords},
	{"query", "PROCMAP_QUERY: finds one mapping among many", "6.11", (*machine).query},
	{"soft-dirty", "pagemap marks the pages that were written to", "3.11", softDirty},
	{"uffd-wp", "userfaultfd write-protects a page, pagemap shows it", uffdWPSince[runtime.GOARCH], uffdWP},
	{"guard", "MADV_GUARD_INSTALL: guard pages inside a mapping", "6.13", guard},
	{"guard-bit", "pagemap shows guard pages", "6.15", guardBit},

	{"fixed-noreplace", "MAP_FIXED_NOREPLACE: never over another mapping", "4.17", fixedNoreplace},
	{"map-32bit", "MAP_32BIT: a mapping in the first 2 GiB", "2.4.20", map32bit},
	{"dontunmap", "MREMAP_DONTUNMAP: move pages, leave the mapping", "5.7", dontunmap},
	{"mseal", "mseal: nothing may change a mapping any more", "6.10", sealable},
	{"lazyfree", "MADV_FREE: the kernel drops pages when it likes", "4.5", lazyfree},
	{"populate-advice", "MADV_POPULATE_READ and _WRITE: fault in now", "5.14", populateAdvice},
	{"mlock", "mlock: 16 pages may be kept in memory", "", lockable},
	{"mlock2", "MLOCK_ONFAULT: lock pages as they are touched", "4.4", lockableOnFault},
	{"pkeys", "protection keys: pkey_alloc, execute-only memory", "4.9", protectionKeys},

	{"overcommit", "1 TiB can be reserved, far more than there is", "", reservable},
	{"disk", "scratch files lie on a disk, not in memory", "", disk},
	{"swap", "pages can be swapped out", "", swap},
	{"zram", "swap in memory can be set up", "4.2", (*machine).zram},
	{"thp", "transparent huge pages are given", "2.6.38", thp},
	{"thp-2m", "they have 2 MiB, as where pages have 4 KiB", "", thp2m},
	{"collapse", "MADV_COLLAPSE: make a huge page now", "6.1", collapse},
	{"hugetlb", "MAP_HUGETLB: huge pages are free in the pool", "2.6.32", hugetlb},
	{"ksm", "equal pages are merged into one", "2.6.32", ksm},
}
