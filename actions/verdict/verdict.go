// Package verdict judges what the memory of a process is: which of it is counted twice, which only
// looks like use, which stays, and what is about to fail. It is pure: it works on a snapshot and on
// facts that were read beside it. A verdict is a row of a table, and a function that finds it or
// not; what the reader could not see is said as unknown, and not guessed.
package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Finding is one verdict on one process, with the JSON of `cowscope why --json`.
type Finding struct {
	Verdict  string `json:"verdict"`  // the name of its row
	Process  string `json:"process"`  // a label: p1; Family for all together
	Bytes    uint64 `json:"bytes"`    // how much memory it is about; 0 where it is about a number of mappings
	Text     string `json:"text"`     // one sentence for a person
	Evidence string `json:"evidence"` // the numbers that show it, and where they are from
	Lesson   string `json:"lesson"`   // the lesson that shows it, "" where there is none
	// Unknown says what it would take to judge this; "" where it was judged.
	Unknown string `json:"unknown,omitempty"`
}

// Family is the Process of a finding on all processes together.
const Family = "family"

// Row is a verdict: its name, what it means, and the lesson that shows it.
type Row struct {
	Name, About, Lesson string
	judge               func(*view) *Finding
}

// Rows is the table of all verdicts: what is about to fail comes first.
var Rows = []Row{
	{"past-end", "a mapping reaches past the end of its file: SIGBUS is ahead", "past-the-end", pastEnd},
	{"shm-full", "the tmpfs of shared memory has hardly any room left", "", shmFull},
	{"near-map-limit", "the number of mappings is near vm.max_map_count", "sizes-and-splits", nearMapLimit},
	{"counted-twice", "RSS counts memory that others count too; PSS divides it", "private-and-shared", countedTwice},
	{"page-cache", "unchanged pages of files, which the kernel can drop", "file-private", pageCache},
	{"lazyfree", "freed by MADV_FREE, and not yet taken by the kernel", "advice", lazyFree},
	{"outlives", "shared memory that stays when the process ends", "", outlives},
	{"islands", "large mappings of which a few pages in each huge block are there", "", islands},
	{"huge-copied", "huge pages that were split, and copied in part, by copy-on-write", "huge-pages", hugeCopied},
	{"huge-sparse", "huge pages that are mostly zeros", "huge-pages", hugeSparse},
	{"locked", "locked memory, which can be neither dropped nor swapped out", "populate-and-lock", locked},
	{"swapped", "memory that is swapped out, and not in RSS", "", swapped},
	{"ksm", "pages that KSM merged with equal ones", "", merged},
}

// The thresholds: below them a verdict is true and says nothing.
const (
	// worth is an amount that is worth a line: less than that every process has, a shell too.
	worth = 1 << 20
	// portion is the part of RSS, one in so many, below which what RSS means hardly changes.
	portion = 10
	// nearLimit is the percentage of a limit from which on it is near: a thread more, or a library,
	// takes about ten mappings, and what fails then is malloc and pthread_create.
	nearLimit = 80
	// fullBelow is the percentage of a tmpfs below which free room is hardly any.
	fullBelow = 5
	// islandBlocks is how many huge blocks have to be touched: fewer grow by little.
	islandBlocks = 16
	// islandFill is the percentage of the pages of touched blocks up to which these are islands:
	// with huge pages the memory would become at least four times as much.
	islandFill = 25
	// sparseFill is the percentage of zeros from which on huge pages cost more than they hold.
	sparseFill = 50
)

// view is a process as the rows look at it.
type view struct {
	*vmspace.Process
	snap  *vmspace.Snapshot
	facts *Facts
	own   Own
	sizes vmspace.Sizes
}

// Judge gives what is to be said about each process of s that could be read, in the order of Rows,
// and about all together.
func Judge(s *vmspace.Snapshot, f *Facts) []Finding {
	out := []Finding{}
	var all vmspace.Sizes
	var labels []string
	for _, p := range s.Processes {
		if !p.Alive() || p.Err != "" || p.Shares != "" {
			continue
		}
		v := &view{Process: p, snap: s, facts: f, own: f.Own[p.Label], sizes: p.Sizes()}
		for _, r := range Rows {
			if found := r.judge(v); found != nil {
				found.Verdict, found.Process, found.Lesson = r.Name, p.Label, cmp.Or(found.Lesson, r.Lesson)
				out = append(out, *found)
			}
		}
		if v.sizes.Known {
			all.RSS, all.PSS = all.RSS+v.sizes.RSS, all.PSS+v.sizes.PSS
			labels = append(labels, p.Label)
		}
	}
	if extra := all.RSS - min(all.PSS, all.RSS); len(labels) > 1 && extra >= worth && extra >= all.RSS/portion {
		out = append(out, Finding{Verdict: "counted-twice", Process: Family, Bytes: extra, Lesson: sharedLessons[0],
			Text:     fmt.Sprintf("The RSS of these %d processes adds up to %s: their fair share of all is %s (PSS).", len(labels), amount.Size(all.RSS), amount.Size(all.PSS)),
			Evidence: "smaps: the sums of Rss and Pss of " + strings.Join(labels, ", ")})
	}
	return out
}

// total adds up a counter of all mappings.
func (v *view) total(count func(*vmspace.Mapping) uint64) (sum uint64) {
	for at := v.Mappings.Walk(0); at.Item() != nil; at.Next() {
		sum += count(at.Item())
	}
	return sum
}

// counter reads a counter of smaps; 0 where smaps was not read.
func counter(of func(*vmspace.Counters) uint64) func(*vmspace.Mapping) uint64 {
	return func(m *vmspace.Mapping) uint64 {
		if m.Smaps == nil {
			return 0
		}
		return of(m.Smaps)
	}
}

// shownNames is how many names a piece of evidence lists.
const shownNames = 3

// most lists what a counter is of, by the names of files: "libc.so.6 1280 KiB, the heap 64 KiB".
func (v *view) most(count func(*vmspace.Mapping) uint64) string {
	sums := map[string]uint64{}
	for at := v.Mappings.Walk(0); at.Item() != nil; at.Next() {
		if n := count(at.Item()); n > 0 {
			sums[nameOf(at.Item())] += n
		}
	}
	return list(sums)
}

// list lists names with their amounts, the largest first.
func list(sums map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(sums), func(a, b string) int { return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a, b)) })
	var parts []string
	for i, name := range names {
		if i == shownNames {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-i))
			break
		}
		parts = append(parts, name+" "+amount.Size(sums[name]))
	}
	return strings.Join(parts, ", ")
}

// nameOf is what a person calls a mapping.
func nameOf(m *vmspace.Mapping) string {
	switch m.Kind() {
	case vmspace.KindAnon:
		return "anonymous memory"
	case vmspace.KindHeap, vmspace.KindStack:
		return "the " + m.Kind().String()
	case vmspace.KindShmem:
		if strings.HasPrefix(m.Path, "/dev/zero") || strings.HasPrefix(m.Path, "[") {
			return "shared anonymous memory"
		}
	}
	name := []rune(printable.Name(path.Base(strings.TrimSuffix(m.Path, " (deleted)"))))
	if len(name) > nameWidth {
		return string(name[:nameWidth-1]) + "…"
	}
	return string(name)
}

// nameWidth is how long a name may be: those of a cache are hashes of 64 digits.
const nameWidth = 32

// percent is what n is of all.
func percent(n, all uint64) uint64 {
	if all == 0 {
		return 0
	}
	return uint64(float64(n) / float64(all) * 100)
}
