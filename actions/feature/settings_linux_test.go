package feature

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// check holds a reason against a part of what is wanted, "" for none.
func check(t *testing.T, what, got, want string) {
	t.Helper()
	if (got == "") != (want == "") || !strings.Contains(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestSwapOf(t *testing.T) {
	const head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"
	check(t, "none", swapOf(head), "no swap is on")
	check(t, "one", swapOf(head+"\n/dev/zram0                              partition\t524284\t\t0\t\t-2"), "")
}

func TestReserveOf(t *testing.T) {
	for _, c := range []struct {
		mode  string
		limit uint64
		want  string
	}{
		{"2", unix.RLIM_INFINITY, "vm.overcommit_memory is 2"},
		{"2", 1 << 30, "RLIMIT_AS is 1073741824 bytes; raise it with ulimit -v; vm.overcommit_memory is 2"},
		{"0", 1 << 30, "RLIMIT_AS"},
		{"0", unix.RLIM_INFINITY, ""},
		{"", unix.RLIM_INFINITY, ""},
	} {
		check(t, c.mode, reserveOf(c.mode, c.limit), c.want)
	}
}

func TestTHPOf(t *testing.T) {
	for _, c := range []struct {
		all, own string
		disabled bool
		want     string
	}{
		{"always [madvise] never", "always [inherit] madvise never", false, ""},
		{"[always] madvise never", "[inherit]", false, ""},
		{"always madvise [never]", "[inherit]", false, "echo madvise"},
		{"always madvise [never]", "[always] inherit madvise never", false, ""},
		{"[always] madvise never", "always inherit madvise [never]", false, "this size"},
		{"[always] madvise never", "[inherit]", true, "PR_SET_THP_DISABLE"},
	} {
		check(t, c.all+" / "+c.own, thpOf(c.all, c.own, c.disabled), c.want)
	}
}

func TestPoolOf(t *testing.T) {
	for _, c := range []struct {
		meminfo string
		size    uintptr
		want    string
	}{
		{"MemTotal: 1024 kB\n", 0, "CONFIG_HUGETLBFS"},
		{"HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugepagesize:       2048 kB\n", 2 << 20, "no huge page of 2048 KiB"},
		{"HugePages_Total:       4\nHugePages_Free:        3\nHugePages_Rsvd:        3\nHugepagesize:       2048 kB\n", 2 << 20, "no huge page"},
		{"HugePages_Total:       4\nHugePages_Free:        3\nHugePages_Rsvd:        1\nHugepagesize:    1048576 kB\n", 1 << 30, ""},
	} {
		size, why := poolOf(c.meminfo)
		if size != c.size {
			t.Errorf("%q: size %d", c.meminfo, size)
		}
		check(t, c.meminfo, why, c.want)
	}
}
