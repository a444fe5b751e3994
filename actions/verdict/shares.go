package verdict

import (
	"fmt"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// sharedLessons show what countedTwice is about: copies of a fork, and pages of files.
var sharedLessons = [...]string{"fork-and-copy-on-write", "file-private"}

// countedTwice compares RSS with PSS (proc_pid_smaps(5)): of a page that n page table entries map,
// PSS counts one in n.
func countedTwice(v *view) *Finding {
	s := v.sizes
	extra := s.RSS - min(s.PSS, s.RSS)
	if !s.Known || extra < worth || extra < s.RSS/portion {
		return nil
	}
	beyond := counter(func(c *vmspace.Counters) uint64 { return c.Rss - min(c.Pss, c.Rss) })
	shared, among := s.RSS-min(s.USS, s.RSS), ""
	if share := s.PSS - min(s.USS, s.PSS); share > 0 {
		among = fmt.Sprintf(", each page mapped about %d times", (shared+share/2)/share)
	}
	f := &Finding{Bytes: extra,
		Text:     fmt.Sprintf("RSS is %s, of which %s are shared%s: its fair share of all is %s (PSS).", amount.Size(s.RSS), amount.Size(shared), among, amount.Size(s.PSS)),
		Evidence: fmt.Sprintf("smaps: Rss %s, Pss %s, private %s; beyond its share %s", amount.Size(s.RSS), amount.Size(s.PSS), amount.Size(s.USS), v.most(beyond))}
	// Which lesson shows it depends on what is shared.
	file := v.total(func(m *vmspace.Mapping) uint64 {
		if m.Kind() == vmspace.KindFile {
			return beyond(m)
		}
		return 0
	})
	anon := v.total(func(m *vmspace.Mapping) uint64 {
		if m.Private() && m.Kind() != vmspace.KindFile {
			return beyond(m)
		}
		return 0
	})
	switch {
	case file > extra/2:
		f.Lesson = sharedLessons[1]
	case anon > extra/2:
		f.Lesson = sharedLessons[0]
	}
	return f
}

// pageCache counts pages of files that are as they are on the disk. Where a mapping has pages of
// its own too, which may be clean as well, only what must be the file's is counted.
func pageCache(v *view) *Finding {
	var unseen uint64
	clean := func(m *vmspace.Mapping) uint64 {
		if m.Smaps == nil || m.Kind() != vmspace.KindFile || flagged(m, "lo", "ht", "pf", "io", "mm") {
			return 0
		}
		n := m.Smaps.Clean - min(m.Smaps.Anonymous, m.Smaps.Clean)
		f, known := v.file(m)
		switch {
		case !known:
			unseen += n
			return 0
		case !f.Regular, f.Memory, f.Direct:
			return 0
		}
		return n
	}
	sum := v.total(clean)
	if sum < worth || sum < v.sizes.RSS/portion {
		if unseen >= worth && unseen >= v.sizes.RSS/portion {
			return &Finding{Unknown: fmt.Sprintf("needs root: %s are clean pages of files that this user cannot look at", amount.Size(unseen))}
		}
		return nil
	}
	evidence := "smaps: Shared_Clean and Private_Clean of files; "
	if unseen > 0 {
		evidence = fmt.Sprintf("smaps: Shared_Clean and Private_Clean of files, without %s in files that this user cannot look at; ", amount.Size(unseen))
	}
	return &Finding{Bytes: sum, Evidence: evidence + "most in " + v.most(clean),
		Text: fmt.Sprintf("%s of RSS are unchanged pages of files: the kernel drops them when memory is short, and reads them again when they are touched.", amount.Size(sum))}
}

// lazyFree counts pages that MADV_FREE has freed and nobody has written to since (madvise(2)).
func lazyFree(v *view) *Finding {
	count := counter(func(c *vmspace.Counters) uint64 { return c.LazyFree })
	sum := v.total(count)
	if sum < worth {
		return nil
	}
	return &Finding{Bytes: sum, Evidence: "smaps: LazyFree; most in " + v.most(count),
		Text: fmt.Sprintf("%s are freed (MADV_FREE) and still in RSS: the kernel takes them when memory is short.", amount.Size(sum))}
}

// outlives adds up shared memory that somebody keeps: a name in a tmpfs, an identifier of SysV shared
// memory, or another process that maps it.
func outlives(v *view) *Finding {
	own := map[FileID]int{} // how often the process itself maps a file, privately too
	for at := v.Mappings.Walk(0); at.Item() != nil; at.Next() {
		own[IDOf(at.Item())]++
	}
	kept, sums := uint64(0), map[string]uint64{}
	done := map[FileID]bool{}
	v.shared(func(m *vmspace.Mapping) {
		id := IDOf(m)
		f, known := v.file(m)
		switch {
		case known && f.Memory && f.Kept != "" && !done[id]:
			done[id] = true
			kept += f.Allocated
			sums[nameOf(m)+" ("+f.Kept+")"] += f.Allocated
		case done[id], !memoryOnly(m, f, known), m.Smaps == nil:
		case v.elsewhere(id) != "":
			kept += m.Smaps.Rss
			sums[fmt.Sprintf("%s (while %s maps it)", nameOf(m), v.elsewhere(id))] += m.Smaps.Rss
		case own[id] == 1: // so what is not private is mapped by another process
			n := m.Smaps.Rss - min(m.Smaps.Private, m.Smaps.Rss)
			kept += n
			if n > 0 {
				sums[nameOf(m)+" (while others map it)"] += n
			}
		}
	})
	if kept < worth {
		return nil
	}
	return &Finding{Bytes: kept, Evidence: list(sums),
		Text: fmt.Sprintf("%s of shared memory stay when this process ends: a name keeps them, or another process.", amount.Size(kept))}
}

// shared calls f with each shared mapping of a file or of shared memory. The first SysV segment of a
// machine has the inode 0.
func (v *view) shared(f func(m *vmspace.Mapping)) {
	for at := v.Mappings.Walk(0); at.Item() != nil; at.Next() {
		if m := at.Item(); !m.Private() && (m.Inode != 0 || strings.HasPrefix(m.Path, "/")) {
			f(m)
		}
	}
}

// memoryOnly reports whether what m maps is memory without a file on a disk.
func memoryOnly(m *vmspace.Mapping, f File, known bool) bool {
	return known && f.Memory || !known && m.Kind() == vmspace.KindShmem
}

// elsewhere is the label of another process of the snapshot that maps a file; "" if none does.
func (v *view) elsewhere(id FileID) string {
	for _, o := range v.snap.Processes {
		if o.Label == v.Label || !o.Alive() || o.SharesWith(v.Process) {
			continue
		}
		for at := o.Mappings.Walk(0); at.Item() != nil; at.Next() {
			if !at.Item().Private() && IDOf(at.Item()) == id {
				return o.Label
			}
		}
	}
	return ""
}

// locked counts what mlock(2) keeps. Nobody locks memory by chance, so that any is worth saying.
func locked(v *view) *Finding {
	count := counter(func(c *vmspace.Counters) uint64 { return c.Locked })
	sum := v.total(count)
	if sum == 0 {
		return nil
	}
	evidence := []string{"smaps: Locked, of shared pages its share; most in " + v.most(count)}
	if v.own.Locked > 0 {
		limit := ""
		if v.own.LockLimit > 0 {
			limit = fmt.Sprintf(" of at most %s", amount.Size(v.own.LockLimit))
		}
		evidence = append(evidence, fmt.Sprintf("VmLck %s%s", amount.Size(v.own.Locked), limit))
	}
	return &Finding{Bytes: sum, Evidence: strings.Join(evidence, "; "),
		Text: fmt.Sprintf("%s are locked: the kernel can neither drop them nor swap them out.", amount.Size(sum))}
}

// swapped counts pages of anonymous and shared memory that are in swap.
func swapped(v *view) *Finding {
	count := counter(func(c *vmspace.Counters) uint64 { return c.Swap })
	sum := v.total(count)
	if sum < worth {
		return nil
	}
	return &Finding{Bytes: sum, Evidence: "smaps: Swap; most in " + v.most(count),
		Text: fmt.Sprintf("%s are swapped out, and not in RSS: each page comes back when it is touched.", amount.Size(sum))}
}

// merged counts pages that KSM has merged (Documentation/admin-guide/mm/ksm.rst).
func merged(v *view) *Finding {
	count := counter(func(c *vmspace.Counters) uint64 { return c.KSM })
	sum := v.total(count)
	switch {
	case sum == 0 && v.facts.Merging && !v.facts.CountsKSM:
		return &Finding{Unknown: "needs Linux 6.7: smaps does not count merged pages here"}
	case sum < worth:
		return nil
	}
	return &Finding{Bytes: sum, Evidence: "smaps: KSM; most in " + v.most(count),
		Text: fmt.Sprintf("%s share frames with equal pages (KSM): RSS counts them, and a write makes a copy.", amount.Size(sum))}
}
