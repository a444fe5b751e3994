package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// pastEnd adds up the pages of mappings that lie past the last page of their file (mmap(2), SIGBUS).
// Mappings without letters do not count: a touch there is SIGSEGV.
func pastEnd(v *view) *Finding {
	sum, unseen := uint64(0), 0
	var places []string
	for at := v.Mappings.Walk(0); at.Item() != nil; at.Next() {
		m := at.Item()
		if !strings.HasPrefix(m.Path, "/") || m.Perms&(vmspace.Read|vmspace.Write|vmspace.Exec) == 0 || flagged(m, "ht", "pf", "io", "mm") {
			continue
		}
		f, known := v.file(m)
		if !known {
			// SysV segments and shared anonymous memory are as long as their mapping, unless mremap(2) has
			// grown it: nobody has to be told that this is not known.
			if m.Kind() == vmspace.KindFile || strings.HasPrefix(m.Path, "/memfd:") {
				unseen++
			}
			continue
		}
		last := (f.Size + v.snap.PageSize - 1) &^ (v.snap.PageSize - 1)
		end := m.Offset + m.Len()
		if !f.Regular || end <= last {
			continue
		}
		n := end - max(last, m.Offset)
		sum += n
		places = append(places, fmt.Sprintf("%s at 0x%x is mapped up to %s and ends at %s", nameOf(m), m.Start, amount.Size(end), amount.Size(f.Size)))
	}
	switch {
	case sum > 0:
		if more := len(places) - shownNames; more > 0 {
			places = append(places[:shownNames], amount.Of(uint64(more), "mapping")+" more")
		}
		return &Finding{Bytes: sum, Evidence: strings.Join(places, "; "),
			Text: fmt.Sprintf("%s of its mappings lie past the end of their file: a touch there is SIGBUS.", amount.Size(sum))}
	case unseen > 0:
		return &Finding{Unknown: fmt.Sprintf("needs root: of %s, this user cannot see where the file ends", amount.Of(uint64(unseen), "mapping"))}
	}
	return nil
}

// shmFull compares the free room of a tmpfs (tmpfs(5)) with what files that are mapped shared and
// writable may still take.
func shmFull(v *view) *Finding {
	type device struct{ major, minor uint32 }
	holes, of := map[device]uint64{}, map[device]File{}
	done := map[FileID]bool{}
	v.shared(func(m *vmspace.Mapping) {
		id := IDOf(m)
		f, known := v.file(m)
		if known && f.Total > 0 && m.Perms&vmspace.Write != 0 && !done[id] {
			done[id] = true
			d := device{m.Major, m.Minor}
			of[d] = f
			holes[d] += f.Size - min(f.Allocated, f.Size)
		}
	})
	// The one with the least room is told.
	for _, d := range slices.SortedFunc(maps.Keys(of), func(a, b device) int { return int(of[a].Free>>10) - int(of[b].Free>>10) }) {
		f, missing := of[d], holes[d]
		if f.Free >= missing && percent(f.Free, f.Total) >= fullBelow {
			continue
		}
		text := fmt.Sprintf("The tmpfs of %s has %s of %s left.", f.Folder, amount.Size(f.Free), amount.Size(f.Total))
		if missing > f.Free {
			text = fmt.Sprintf("The tmpfs of %s has %s of %s left, and files mapped here have %s to be filled: a touch that finds no room is SIGBUS.",
				f.Folder, amount.Size(f.Free), amount.Size(f.Total), amount.Size(missing))
		}
		return &Finding{Bytes: f.Free, Text: text, Evidence: fmt.Sprintf("statfs: %s free, %s in all; size and blocks of %s", amount.Size(f.Free), amount.Size(f.Total), amount.Of(uint64(len(done)), "file"))}
	}
	return nil
}

// nearMapLimit compares the number of mappings with what the kernel allows (mm/mmap.c, do_mmap).
// [vsyscall] is in the list, and is no mapping of the process.
func nearMapLimit(v *view) *Finding {
	var n, alone uint64
	kinds := map[string]uint64{}
	for at := v.Mappings.Walk(0); at.Item() != nil && at.Item().Start < vmspace.KernelHalf; at.Next() {
		n++
		kinds[at.Item().Kind().String()]++
		if at.Item().Len() == v.snap.PageSize {
			alone++
		}
	}
	most := v.facts.MaxMapCount
	if most == 0 || n*100 < most*nearLimit {
		return nil
	}
	kind := slices.MaxFunc(slices.Collect(maps.Keys(kinds)), func(a, b string) int { return int(kinds[a]) - int(kinds[b]) })
	return &Finding{Text: fmt.Sprintf("It has %s, and vm.max_map_count is %d: from there on mmap fails with ENOMEM, and so do malloc and new threads.", amount.Of(n, "mapping"), most),
		Evidence: fmt.Sprintf("lines of maps, and vm.max_map_count; %d are %s, %s", kinds[kind], kind, amount.Of(alone, "mapping")+" of one page")}
}
