package actions

import (
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/actions/verb"
)

// Every advice, and every other call, on every sort of mapping: whatever is refused has a row that
// names the reason.
func TestReasonsOfEverySort(t *testing.T) {
	sorts := map[string]struct {
		needs   func() error
		prepare func(*lab)
		setup   string
		at      string
	}{
		"private anon":  {setup: "a = mmap 8p rw private anon; write a 1", at: "a"},
		"droppable":     {needs: hasFeature("droppable"), setup: "a = mmap 8p rw droppable anon; write a 1", at: "a"},
		"shared anon":   {setup: "a = mmap 8p rw shared anon; write a 1", at: "a"},
		"private file":  {prepare: readOnly, setup: "a = mmap 2p r private fd=3; read a", at: "a"},
		"shared file":   {prepare: readWrite, setup: "a = mmap 2p rw shared fd=3; write a 1", at: "a"},
		"hugetlb":       {setup: "a = mmap 2m rw private anon hugetlb_2m noreserve", at: "a"},
		"locked":        {setup: "a = mmap 8p rw private anon; mlock a", at: "a"},
		"sealed":        {needs: hasFeature("mseal"), setup: "a = mmap 8p r private anon; mseal a", at: "a"},
		"no letters":    {setup: "a = mmap 8p none private anon", at: "a"},
		"guarded":       {needs: hasFeature("guard"), setup: "a = mmap 8p rw private anon; madvise a+1p 1p guard_install", at: "a"},
		"growsdown":     {setup: "a = mmap 8p rw private anon growsdown", at: "a"},
		"no huge pages": {setup: "a = mmap " + blocks(2) + " rw private anon; madvise a nohugepage", at: "a"},
		"nothing":       {at: "0x10000"},
		"vdso":          {at: "vdso"},
		"vvar":          {at: "vvar"},
		"stack":         {at: "stack"},
	}
	calls := []string{"mprotect % rwx", "mprotect % none", "mremap % 1p", "mremap % 8m maymove", "mremap % 2p maymove dontunmap", "mlock %", "mlock % onfault",
		"munlock %", "msync %", "msync % invalidate", "mseal %", "mbind % bind 0", "mbind % 1p bind 0 move", "move_pages %", "move_pages % node=0", "remap_file_pages % 1", "remap_file_pages % 1p 1", "munmap %", "munmap % 1p", "mseal % 1p", "mprotect % 1p r", "mlock % 1p"}
	for _, a := range verb.Advices {
		calls = append([]string{"madvise % " + a.Word}, calls...)
	}
	// With -short each sort meets a quarter of the calls, another one for each sort and each time.
	every, sortsSoFar := 1, 0
	if testing.Short() {
		every = 4
	}
	for name, sort := range sorts {
		sortsSoFar++
		t.Run(name, func(t *testing.T) {
			if sort.needs != nil {
				if err := sort.needs(); err != nil {
					t.Skip(err)
				}
			}
			for i, call := range calls {
				if (i+sortsSoFar)%every != 0 {
					continue
				}
				l := open(t)
				if sort.prepare != nil {
					sort.prepare(l)
				}
				for line := range strings.SplitSeq(sort.setup, ";") {
					if line != "" {
						l.want("ok", strings.TrimSpace(line))
					}
				}
				st := l.do(strings.ReplaceAll(call, "%", sort.at))
				if st.OK() || st.Result == history.Exited {
					continue
				}
				if st.Reason == "" || strings.HasSuffix(st.Reason, " otherwise") {
					t.Errorf("%s: %s", st.Command, st.Why)
				}
			}
		})
	}
}
