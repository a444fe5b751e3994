package why

import (
	"bytes"
	"math"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/actions/verdict"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// factsOf reads everything that a snapshot is judged by.
func factsOf(r *observe.Reader, s *vmspace.Snapshot) *verdict.Facts {
	var machine kernel.Settings
	f := &verdict.Facts{Files: map[verdict.FileID]verdict.File{}, Own: map[string]verdict.Own{}}
	f.MaxMapCount, _ = machine.Number("/proc/sys/vm/max_map_count")
	f.THP = inBrackets(machine.Contents("/sys/kernel/mm/transparent_hugepage/enabled"))
	sharing, _ := machine.Number("/sys/kernel/mm/ksm/pages_sharing")
	f.Merging = sharing > 0
	_, f.CountsKSM = kernel.ParseField(machine.Contents("/proc/self/smaps_rollup"), "KSM")
	for _, p := range s.Processes {
		if !p.Alive() || p.Err != "" || p.Shares != "" {
			continue
		}
		own := kernel.Settings{PID: p.PID}
		o := verdict.Own{Huge: sample(r, p, s.PageSize)}
		o.Locked, _ = own.Status("VmLck")
		if limit := own.Limit(kernel.LimitMemlock); limit != math.MaxUint64 && !own.May(kernel.CapIPCLock) {
			o.LockLimit = limit
		}
		f.Own[p.Label] = o
		look := files{pid: p.PID}
		for at := p.Mappings.Walk(0); at.Item() != nil; at.Next() {
			m := at.Item()
			id := verdict.IDOf(m)
			if _, known := f.Files[id]; known || !strings.HasPrefix(m.Path, "/") {
				continue
			}
			if file, found := look.find(m); found {
				f.Files[id] = file
			}
		}
	}
	return f
}

// inBrackets is the word of a list that is chosen: always [madvise] never.
func inBrackets(text string) string {
	_, rest, _ := strings.Cut(text, "[")
	word, _, _ := strings.Cut(rest, "]")
	return word
}

// sampleBytes is how many bytes of huge pages are read of a process: about 40 ms of work.
const sampleBytes = 128 << 20

// sample reads some of the huge pages of a process, evenly spread, and counts the small pages in
// them that are all zeros.
func sample(r *observe.Reader, p *vmspace.Process, pageSize uint64) (h verdict.HugeSample) {
	size := vmspace.HugeBlock(pageSize)
	var blocks []uint64
	for at := p.Pages.Walk(0); at.Item() != nil; at.Next() {
		run := at.Item()
		if run.Attrs&vmspace.Huge == 0 || run.State != vmspace.Anon && run.State != vmspace.COW {
			continue
		}
		for start := run.Start &^ (size - 1); start < run.Bounds().End; start += size {
			if len(blocks) == 0 || blocks[len(blocks)-1] != start {
				blocks = append(blocks, start)
			}
		}
	}
	h.Of = uint64(len(blocks))
	n := min(h.Of, max(1, sampleBytes/size))
	buf, zeros := make([]byte, size), make([]byte, pageSize)
	for i := range n {
		present, err := r.Peek(p.PID, blocks[i*h.Of/n], buf)
		if err != nil {
			h.Err = err.Error()
			return h
		}
		h.Blocks++
		for k, there := range present {
			if !there {
				continue
			}
			h.Bytes += pageSize
			if bytes.Equal(buf[uint64(k)*pageSize:][:pageSize], zeros) {
				h.Zero += pageSize
			}
		}
	}
	return h
}
