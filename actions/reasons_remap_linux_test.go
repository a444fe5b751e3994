package actions

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var remapCases = []reasonCase{
	{row: "remap_file_pages EINVAL no page", setup: "a = mmap 4p rw shared anon", line: "remap_file_pages a 1 0", says: "rounded down to whole pages, the size is 0"},
	{row: "remap_file_pages EINVAL no page", setup: "a = mmap 4p rw shared anon", line: "remap_file_pages a 0xffffffffffffffff 0", says: "past the last address"},
	{row: "remap_file_pages EINVAL offset wraps", setup: "a = mmap 4p rw shared anon", line: "remap_file_pages a -1", says: "page 18446744073709551615 and those behind it"},
	{row: "remap_file_pages EINVAL nothing there", line: "remap_file_pages 0x10000 0", says: "nothing is mapped at 0x10000"},
	{row: "remap_file_pages EINVAL not shared", setup: "a = mmap 4p rw private anon", line: "remap_file_pages a 1p 1", says: "a is private"},
	{row: "remap_file_pages EINVAL not shared", line: "remap_file_pages vdso 1p 1", says: "vdso is private"},
	{row: "remap_file_pages EINVAL not shared", prepare: readOnly, setup: "a = mmap 2p r shared fd=3", line: "remap_file_pages a 1p 1", says: "a is of a file that was opened for reading only"},
	{row: "remap_file_pages EINVAL hole", setup: "a = mmap 4p rw shared anon; munmap a+2p 1p", line: "remap_file_pages a 1", says: "nothing is mapped at a+2p"},
	{row: "remap_file_pages EINVAL hole", setup: "b = mmap 1p r private anon; a = mmap 4p rw shared anon; munmap b", line: "remap_file_pages a 8p 1", says: "nothing is mapped at b"},
	{row: "remap_file_pages EINVAL another mapping", setup: "a = mmap 4p rw shared anon; mprotect a+2p r", line: "remap_file_pages a 1", says: "a+2p is of another file than a, or has other letters"},
	{row: "remap_file_pages EINVAL splits a huge page", setup: "a = mmap 2m rw shared anon hugetlb_2m noreserve", line: "remap_file_pages a 1p 0", says: "between two of them"},
	{row: "remap_file_pages EINVAL otherwise", setup: "a = mmap 2m rw shared anon hugetlb_2m noreserve", line: "remap_file_pages a 1", says: "driver"},
	{row: "remap_file_pages EOVERFLOW past the largest offset", setup: "a = mmap 4p rw shared anon", line: "remap_file_pages a 1p 9007199254740992", says: "page 9007199254740992"},
	{row: "remap_file_pages EPERM sealed", setup: "a = mmap 4p rw shared anon; mseal a", line: "remap_file_pages a+1p 1p 1", says: "a is sealed"},
	{row: "remap_file_pages EPERM otherwise", prepare: func(l *lab) {
		l.lend([]byte("sealed\x00"), func(at uint64) { l.raw(unix.SYS_MEMFD_CREATE, at, unix.MFD_ALLOW_SEALING) })
		l.raw(unix.SYS_FTRUNCATE, 3, 2*ps)
	}, setup: "a = mmap 2p rw shared fd=3", limit: func(l *lab) { l.raw(unix.SYS_FCNTL, 3, unix.F_ADD_SEALS, unix.F_SEAL_FUTURE_WRITE) },
		line: "remap_file_pages a 1p 1", says: "a seal of the file"},
	{row: "remap_file_pages EACCES mdwe", setup: "a = mmap 4p rwx shared anon; prctl mdwe", line: "remap_file_pages a 1p 1", says: "p1 has asked that none be writable and executable"},
	{row: "remap_file_pages ENOMEM RLIMIT_AS", setup: "a = mmap 4p rw shared anon; setrlimit as 64k", line: "remap_file_pages a 1p 1", says: "RLIMIT_AS allows 64 KiB: no new mapping is made"},
	{row: "remap_file_pages EAGAIN locked memory", setup: "a = mmap 4p rw shared anon; mlock a", limit: fourLocks, line: "remap_file_pages a 1p 1",
		says: pages(1) + " more would be locked, " + pages(4) + " are already"},
}

// The pages of a shared mapping in another order: each piece that is out of order is a mapping of its
// own, and start and size are rounded down.
func TestRemapFilePages(t *testing.T) {
	l := open(t)
	l.all("a = mmap 4p rw shared anon", "write a 0x10", "write a+1p 0x11", "write a+2p 0x12", "write a+3p 0x13")
	for _, c := range []struct {
		line string
		vmas int
		says string
	}{
		{"remap_file_pages a 1p 3", 2, "a now shows page 3 of what is mapped. A mapping shows its file in order, so what was one mapping is 2 now."},
		{"remap_file_pages a+3p 1p 0", 3, "a+3p now shows page 0"},
		{"remap_file_pages a+1p+5 1p+7 2", 4, "Start and size were rounded down: the range has 1 page."},
		{"remap_file_pages a+1p 1p 2", 4, "showed these pages already"},
	} {
		st := l.want("ok", c.line)
		l.vmas("p1", "a", c.vmas)
		if !strings.Contains(st.Why, c.says) {
			t.Errorf("%s: %s", c.line, st.Why)
		}
	}
	for i, want := range []byte{0x13, 0x12, 0x12, 0x10} {
		l.all(fmt.Sprintf("read a+%dp", i))
		if got := l.s.last().Bytes[0]; got != want {
			t.Errorf("page %d holds 0x%x, want 0x%x", i, got, want)
		}
	}
	// Those that it showed before are no longer mapped anywhere: the memory keeps them.
	l.all("remap_file_pages a 0")
	l.vmas("p1", "a", 1)
	l.all("read a+1p")
	if got := l.s.last().Bytes[0]; got != 0x11 {
		t.Errorf("page 1 holds 0x%x", got)
	}
	l.all("b = mmap 4p rw shared anon")
	if st := l.want("ok", "remap_file_pages b 2p 1"); !strings.Contains(st.Why, "2 pages were brought in at once") {
		t.Error(st.Why)
	}
}
