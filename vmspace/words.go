package vmspace

import "fmt"

// The bits of the raw words, with the names of the kernel's documentation
// (admin-guide/mm/pagemap.rst) and headers.

var pagemapBits = map[int]string{63: "present", 62: "swapped", 61: "file", 58: "guard", 57: "uffd-wp", 56: "exclusive", 55: "soft-dirty"}

var scanBits = []string{"WPALLOWED", "WRITTEN", "FILE", "PRESENT", "SWAPPED", "PFNZERO", "HUGE", "SOFT_DIRTY", "GUARD"}

var kpageBits = []string{"LOCKED", "ERROR", "REFERENCED", "UPTODATE", "DIRTY", "LRU", "ACTIVE", "SLAB", "WRITEBACK", "RECLAIM", "BUDDY", "MMAP",
	"ANON", "SWAPCACHE", "SWAPBACKED", "COMPOUND_HEAD", "COMPOUND_TAIL", "HUGE", "UNEVICTABLE", "HWPOISON", "NOPAGE", "KSM", "THP", "OFFLINE", "ZERO_PAGE", "IDLE", "PGTABLE"}

// PagemapBits names the bits that are set in a pagemap word, the highest first.
func PagemapBits(word uint64) []string {
	var out []string
	for i := 63; i >= 55; i-- {
		if word&(1<<i) == 0 {
			continue
		}
		name := pagemapBits[i]
		if name == "" {
			name = fmt.Sprintf("bit %d", i)
		}
		out = append(out, name)
	}
	return out
}

// ScanBits names the categories of PAGEMAP_SCAN that are set, or the answer of move_pages.
func ScanBits(word uint16) []string {
	out := bitNames(uint64(word&^(NodeNone|NodeSome)), scanBits)
	if word&NodeNone != 0 {
		out = append(out, "move_pages: on no node")
	}
	if word&NodeSome != 0 {
		out = append(out, "move_pages: on a node")
	}
	return out
}

// KPageBits names the bits that are set in a kpageflags word; those above 31 are internal to the
// kernel and may change.
func KPageBits(word uint64) []string { return bitNames(word, kpageBits) }

func bitNames(word uint64, names []string) []string {
	var out []string
	for i := range 64 {
		switch {
		case word&(1<<i) == 0:
		case i < len(names):
			out = append(out, names[i])
		case i == 34:
			out = append(out, "anon-exclusive?")
		default:
			out = append(out, fmt.Sprintf("bit %d", i))
		}
	}
	return out
}
