package actions

import (
	"strings"
	"testing"
)

// Every advice, and every other call, on every sort of mapping: whatever is refused has a row that names the reason.
func TestReasonsOfEverySort(t *testing.T) {
	sorts := map[string]struct {
		prepare func(*lab)
		setup   string
		at      string
	}{
		"private anon":  {nil, "a = mmap 8p rw private anon; write a 1", "a"},
		"shared anon":   {nil, "a = mmap 8p rw shared anon; write a 1", "a"},
		"private file":  {readOnly, "a = mmap 2p r private fd=3; read a", "a"},
		"shared file":   {readWrite, "a = mmap 2p rw shared fd=3; write a 1", "a"},
		"hugetlb":       {nil, "a = mmap 2m rw private anon hugetlb_2m noreserve", "a"},
		"locked":        {nil, "a = mmap 8p rw private anon; mlock a", "a"},
		"sealed":        {nil, "a = mmap 8p r private anon; mseal a", "a"},
		"no letters":    {nil, "a = mmap 8p none private anon", "a"},
		"guarded":       {nil, "a = mmap 8p rw private anon; madvise a+1p 1p guard_install", "a"},
		"growsdown":     {nil, "a = mmap 8p rw private anon growsdown", "a"},
		"no huge pages": {nil, "a = mmap 4m rw private anon; madvise a nohugepage", "a"},
		"nothing":       {nil, "", "0x10000"},
		"vdso":          {nil, "", "vdso"},
		"vvar":          {nil, "", "vvar"},
		"stack":         {nil, "", "stack"},
	}
	calls := []string{"mprotect % rwx", "mprotect % none", "mremap % 1p", "mremap % 8m maymove", "mremap % 2p maymove dontunmap", "mlock %", "mlock % onfault",
		"munlock %", "msync %", "msync % invalidate", "mseal %", "munmap %", "munmap % 1p", "mseal % 1p", "mprotect % 1p r", "mlock % 1p"}
	for _, a := range advices {
		calls = append([]string{"madvise % " + a.word}, calls...)
	}
	for name, sort := range sorts {
		t.Run(name, func(t *testing.T) {
			for _, call := range calls {
				l := open(t)
				if sort.prepare != nil {
					sort.prepare(l)
				}
				for line := range strings.SplitSeq(sort.setup, ";") {
					if line != "" {
						l.want(ResultOK, strings.TrimSpace(line))
					}
				}
				st := l.do(strings.ReplaceAll(call, "%", sort.at))
				if st.OK() || st.Result == ResultExited {
					continue
				}
				if st.reason == nil || st.reason.when == nil && st.reason.name == "otherwise" {
					t.Errorf("%s: %s", st.Command, st.Why)
				}
			}
		})
	}
}
