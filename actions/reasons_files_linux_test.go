package actions

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"cowscope/actions/feature/machinetest"
	"cowscope/actions/kernel"
	"cowscope/actions/scratch"

	"golang.org/x/sys/unix"
)

// The reasons of what is done to files, and of what their seals forbid.

const (
	sealable = "memfd m 2p sealing"
	onDisk   = "file d 2p"
)

// past is an offset, or a size, that is negative to the kernel.
const past = "0x8000000000000000"

func fileCases() []reasonCase {
	hugeMemfd := func(n int) string { return fmt.Sprintf("memfd h %s hugetlb", poolPages(n)) }
	return []reasonCase{
		{row: "file EINVAL negative content", line: "file d " + past, says: "0x8000000000000000 is -9223372036854775808 then"},
		{row: "file EFBIG too large", needs: boundedFiles, setup: onDisk + `; fwrite d 0 "x"`, line: "file d 0x4000000000000000", says: "does not allow so large a file. Nothing has changed."},
		{row: "file ENOSPC full", needs: mayMount, prepare: smallDisk, line: `file d "` + strings.Repeat("x", 3000) + `"`, setup: "file full 0; fallocate full 0 4p", says: "has no room left"},
		{row: "memfd EINVAL name", line: "memfd " + strings.Repeat("x", 250) + " 1p", says: "has 250 bytes, and that of a memfd has at most 249. No file was made."},
		{row: "memfd EINVAL negative size", line: "memfd m " + past, says: "signed number"},
		{row: "memfd EINVAL no whole huge pages", needs: hugePages, line: "memfd h 1p hugetlb", says: "is not a multiple of"},

		{row: "seal EINVAL unknown seal", needs: until(6, 3), setup: sealable, line: "seal m exec", says: "added in Linux 6.3"},
		{row: "seal EINVAL no seals", needs: hasFeature("disk"), setup: onDisk, line: "seal d write", says: "d is not a file in memory"},
		{row: "seal EPERM sealed", needs: executableMemfds, setup: "memfd m 2p", line: "seal m write", says: "m has F_SEAL_SEAL"},
		{row: "seal EPERM sealed", setup: sealable + "; seal m seal", line: "seal m grow", says: "takes no other seal"},
		{row: "seal EBUSY mapped writable", setup: sealable + "; a = mmap 1p rw shared file=m", line: "seal m write", says: "p1 a is a shared mapping of m that may have w (VmFlags mw)"},
		{row: "seal EBUSY mapped writable", setup: sealable + "; a = mmap 2p r shared file=m; fork; munmap a; rm m; memfd n 2p sealing; @p2 b = mmap 1p r shared file=n", line: "seal n write grow", says: "p2 b is a shared mapping of n"},

		{row: "fwrite EINVAL past the largest offset", setup: onDisk, line: "fwrite d 0x7fffffffffffffff \"x\"", says: "would end at 0x8000000000000000"},
		{row: "fwrite EINVAL huge pages", needs: hugePages, setup: hugeMemfd(0), line: `fwrite h 0 "x"`, says: "no write(2) to them"},
		{row: "fwrite EFBIG too large", needs: boundedFiles, setup: onDisk, line: `fwrite d 0x4000000000000000 "x"`, says: "does not allow so large a file"},
		{row: "fwrite EPERM sealed", setup: sealable + "; seal m write", line: `fwrite m 0 "x"`, says: "m has the seal write, and write(2) is refused"},
		{row: "fwrite EPERM sealed", setup: sealable + "; seal m future_write grow", line: `fwrite m 0 "x"`, says: "m has the seal future_write, and write(2) is refused"},
		{row: "fwrite EPERM sealed size", setup: sealable + "; seal m grow", line: `fwrite m 2p "x"`, says: "m has the seal grow, and writing past its end"},
		{row: "fwrite ENOSPC full", needs: mayMount, prepare: smallDisk, setup: "file d 8p; fallocate d 0 4p", line: `fwrite d 5p "x"`, says: "has no room left"},

		{row: "truncate EINVAL negative size", setup: onDisk, line: "truncate d " + past, says: "signed number"},
		{row: "truncate EINVAL no whole huge pages", needs: hugePages, setup: hugeMemfd(1), line: "truncate h 1p", says: "is not a multiple of"},
		{row: "truncate EFBIG too large", needs: boundedFiles, setup: onDisk, line: "truncate d 0x4000000000000000", says: "does not allow so large a file"},
		{row: "truncate EPERM sealed against shrinking", setup: sealable + "; seal m shrink write", line: "truncate m 1p", says: "m has the seal shrink, and cannot shrink"},
		{row: "truncate EPERM sealed against growing", setup: sealable + "; seal m grow", line: "truncate m 2p+1", says: "cannot grow"},

		{row: "fallocate EINVAL negative offset", setup: onDisk, line: "fallocate d " + past + " 1p", says: "reads the offset as a signed number"},
		{row: "fallocate EINVAL length", setup: onDisk, line: "fallocate d 0 0", says: "the length is 0"},
		{row: "fallocate EINVAL negative length", setup: onDisk, line: "fallocate d 0 " + past + " punch", says: "reads the length as a signed number"},
		{row: "fallocate EFBIG too large", setup: "memfd m 1p", line: fmt.Sprintf("fallocate m 0x%x 1p", 1<<63-ps), says: "does not allow so large a file"},
		{row: "fallocate EOPNOTSUPP unknown to the file system", setup: "memfd m 1p", line: "fallocate m 0 1p zero", says: "does not support FALLOC_FL_ZERO_RANGE"},
		{row: "fallocate EPERM sealed", setup: sealable + "; seal m write", line: "fallocate m 0 1p punch", says: "m has the seal write, and punching a hole counts as a write"},
		{row: "fallocate EPERM sealed", setup: sealable + "; a = mmap 2p rw shared file=m; write a 1; seal m future_write", line: "fallocate m 0 1p punch", says: "future_write"},
		{row: "fallocate EPERM sealed size", setup: sealable + "; seal m grow", line: "fallocate m 1p 2p", says: "m has the seal grow, and gets no room past its end"},
		{row: "fallocate EPERM sealed size", setup: sealable + "; seal m grow", line: "fallocate m 1p 2p keep", says: "gets no room past its end"},
		{row: "fallocate ENOSPC pool empty", needs: both(hugePages, emptyPool), setup: hugeMemfd(1), line: "fallocate h 0 " + poolPages(1), says: "the pool has no huge page of"},
		{row: "signal SIGBUS/ADRERR full", needs: mayMount, prepare: smallDisk, setup: "file d 8p; a = mmap 8p rw shared file=d; touch a 4p write", line: "write a+5p 1", says: "(tmpfs) is full"},
		{row: "signal SIGBUS/ADRERR full", needs: mayMount, prepare: smallDisk, setup: "file d 8p; a = mmap 8p r shared file=d; fallocate d 0 4p", line: "touch a", says: "a+4p is mapped, and lies within its file"},
		{row: "signal SIGBUS/ADRERR full", needs: mayMount, prepare: smallDisk, setup: "file d 8p; a = mmap 8p rw private file=d; fallocate d 0 4p", line: "write a+6p 1", says: "a+6p is mapped, and lies within its file"},
		{row: "fallocate ENOSPC full", needs: mayMount, prepare: smallDisk, setup: "file d 0", line: "fallocate d 0 8p", says: "has no room left"},

		{row: "cat EINVAL past the largest offset", setup: onDisk, line: "cat d 0x7ffffffffffffff0", says: "would end at 0x8000000000000ff0"},
		{row: "cat EINVAL past the largest offset", setup: onDisk, line: "cat d 0x7fffffffffffffff 1p", says: "the largest offset is 0x7fffffffffffffff"},

		{row: "mmap EPERM file sealed", setup: sealable + "; seal m write", line: "mmap 2p rw shared file=m", says: "m has the seal write, and a shared mapping with w writes to it; private"},
		{row: "mmap EPERM file sealed", setup: sealable + "; seal m future_write", line: "mmap 2p w shared_validate file=m", says: "m has the seal future_write"},
		{row: "mmap EINVAL hugetlb with a file", needs: hugePages, setup: "memfd m 2m", line: "mmap 2m rw shared file=m hugetlb", says: "m is a file elsewhere"},
		{row: "mmap EINVAL huge offset", needs: hugePages, setup: hugeMemfd(1), line: "mmap " + poolPages(1) + " rw shared noreserve file=h offset=1p", says: "is not a multiple of the huge page size"},
		{row: "mmap EINVAL fixed huge address", needs: hugePages, setup: hugeMemfd(1), line: fmt.Sprintf("mmap %s rw shared noreserve file=h fixed addr=0x%x", poolPages(1), 0x20000000+ps), says: "is not a multiple of the huge page size"},
		{row: "mmap ENOMEM no huge pages", needs: both(hugePages, emptyPool), setup: hugeMemfd(1), line: "mmap " + poolPages(1) + " rw shared file=h", says: "would be needed, and the pool has 0"},
		{row: "madvise EPERM file sealed", setup: sealable + "; a = mmap 2p rw shared file=m; seal m future_write", line: "madvise a remove", says: "a shows m, which has the seal future_write"},
		{row: "madvise EACCES not shared and writable", setup: sealable + "; seal m future_write; a = mmap 2p r shared file=m", line: "madvise a remove", says: "(VmFlags mw), and punching a hole counts as a write"},
		{row: "signal SIGBUS/ADRERR past the file", setup: "memfd m 1p; a = mmap 2p rw shared file=m", line: "write a+1p 1", says: fmt.Sprintf("has %d bytes, and this is byte %d", ps, ps)},
		{row: "signal SIGBUS/ADRERR past the file", setup: "memfd m 2p; a = mmap 2p rw private file=m; write a+1p 1; truncate m 1p", line: "read a+1p", says: fmt.Sprintf("has %d bytes", ps)},
		{row: "signal SIGBUS/ADRERR pool empty", needs: both(hugePages, emptyPool), setup: hugeMemfd(1) + "; a = mmap " + poolPages(1) + " rw shared noreserve file=h", line: "write a 1", says: "HugePages_Free is 0"},
	}
}

// poolPage is the size of a page of the pool, 0 where the kernel has none.
func poolPage() uint64 {
	n, _ := (&kernel.Settings{}).Meminfo("Hugepagesize")
	return n
}

// poolPages is a size in pages of the pool.
func poolPages(n int) string { return fmt.Sprint(uint64(n) * poolPage()) }

func hugePages() error {
	if poolPage() == 0 {
		return errors.New("needs a kernel with huge pages")
	}
	return nil
}

// boundedFiles wants a file system for scratch files that refuses 4 EiB.
func boundedFiles() error {
	f, err := scratch.Nameless("large")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Ftruncate(int(f.Fd()), 1<<62); err != unix.EFBIG {
		return fmt.Errorf("needs a file system that has no file of 4 EiB: ftruncate answers %v", err)
	}
	return nil
}

// executableMemfds is why a memfd that is made without flags can be sealed: where it may not be
// executed the kernel allows that (MFD_NOEXEC_SEAL of memfd_create(2)).
func executableMemfds() error {
	if n, known := (&kernel.Settings{}).Number("/proc/sys/vm/memfd_noexec"); known && n > 0 {
		return fmt.Errorf("needs vm.memfd_noexec 0: it is %d", n)
	}
	return nil
}

func mayMount() error {
	if os.Getuid() != 0 || os.Getenv(machinetest.Variable) != "1" {
		return fmt.Errorf("needs root and %s=1: it mounts a small file system", machinetest.Variable)
	}
	return nil
}

// smallDisk has scratch files made in a file system of four pages.
func smallDisk(l *lab) {
	dir := l.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", 4*ps)); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			l.Error(err)
		}
	})
	l.Setenv("TMPDIR", dir)
}

// What comes of a full file system is seen in one that only a process of its own mounts, where no
// setting of the machine may be changed.
func TestSmallDisk(t *testing.T) {
	if err := asRoot(); err != nil {
		t.Skip(err)
	}
	if mayMount() == nil {
		t.Skipf("needs %s unset: TestReasons tries it", machinetest.Variable)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestReasons$/_full|^TestReasons$/SIGBUS/_full")
	cmd.Env = append(os.Environ(), machinetest.Variable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "no tests to run") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A memfd lies in no folder, so nothing can be linked to it: the kernel refuses what the language
// has no way to ask.
func TestMemfdCannotBeLinked(t *testing.T) {
	fd, err := unix.MemfdCreate("m", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, t.TempDir()+"/m", unix.AT_SYMLINK_FOLLOW); err != unix.EXDEV {
		t.Errorf("linkat answers %v", err)
	}
}
