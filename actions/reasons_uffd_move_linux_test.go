package actions

import (
	"errors"
	"strings"
	"testing"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// uffdMoveCases are those of uffd_continue, uffd_move and uffd_poison, and of minor faults.
func uffdMoveCases() []reasonCase {
	const shared, minor = "a = mmap 4p rw shared anon; fill a 2p 1; madvise a dontneed", "a = mmap 4p rw shared anon; fill a 2p 1; madvise a dontneed; uffd_register a minor"
	const two = "a = mmap 4p rw private anon; b = mmap 4p rw private anon fixed addr=0x40000000"
	const ready = two + "; fill a 1; uffd_register b missing"
	wp := hasFeature("uffd-wp")
	move := func(row, setup, line, says string) reasonCase {
		return reasonCase{row: "uffd_move " + row, setup: setup, line: "uffd_move " + line, says: says}
	}
	return []reasonCase{
		{row: "uffd_register EINVAL minor of anonymous memory", setup: "a = mmap 4p rw private anon", line: "uffd_register a minor", says: "a is anonymous: minor is for pages"},
		{row: "signal SIGBUS/ADRERR missing", setup: "memfd m 2p; a = mmap 2p rw shared file=m; write a 1; madvise a dontneed; uffd_register a minor", line: "read a",
			says: "a is in the shared memory and not in the page table, and userfaultfd handles that (VmFlags ui): its descriptor answers with SIGBUS. `uffd_continue` maps it."},
		{row: "signal SIGBUS/ADRERR missing", setup: "memfd m 2p; a = mmap 2p rw private file=m; uffd_register a missing minor", line: "write a+1p 1",
			says: "whether the shared memory has it or not (VmFlags ui, um)"},
		{row: "signal SIGBUS/ADRERR past some end", needs: asUser, setup: minor, line: "read a", says: "or it is in the shared memory and not in the page table"},
		{row: "mlock ENOMEM userfaultfd", setup: minor, line: "mlock a 1p", says: "a is in the shared memory and not in the page table"},

		{row: "uffd_continue ENOENT not registered", setup: shared, line: "uffd_continue a", says: "a is not registered with userfaultfd"},
		{row: "uffd_continue ENOENT past the mapping", setup: shared + "; uffd_register a 2p minor", line: "uffd_continue a", says: "one mapping at a time"},
		{row: "uffd_continue EINVAL not registered for wp", setup: minor, line: "uffd_continue a wp", says: "a is not registered for wp"},
		{row: "uffd_continue EINVAL splits a huge page", setup: "a = mmap 4m rw shared anon hugetlb_2m noreserve; uffd_register a minor", line: "uffd_continue a+1p 1p", says: "only between two of them"},
		{row: "uffd_continue EINVAL anonymous memory", setup: "a = mmap 4p rw private anon; uffd_register a missing", line: "uffd_continue a", says: "a is anonymous"},
		{row: "uffd_continue EINVAL past the file", setup: "memfd m 2p; a = mmap 4p rw shared file=m; uffd_register a minor", line: "uffd_continue a+2p", says: "the file ends before a+2p"},
		{row: "uffd_continue EINVAL otherwise", needs: asUser, setup: minor + "; uffd_unregister a; mremap a 8p maymove; uffd_register a minor", line: "uffd_continue a+4p", says: "ends before the page"},
		{row: "uffd_continue EEXIST page there", setup: minor + "; uffd_continue a 1p", line: "uffd_continue a 1p", says: "a is in the page table already: it is shared"},
		{row: "uffd_continue EFAULT not in the shared memory", setup: minor, line: "uffd_continue a+2p 1p", says: "the shared memory has no page at a+2p"},
		{row: "uffd_continue EAGAIN stopped", setup: minor, line: "uffd_continue a", says: "2 pages were mapped, and then the shared memory has no page at a+2p"},
		{row: "uffd_continue EAGAIN stopped", setup: minor + "; uffd_continue a+1p 1p", line: "uffd_continue a", says: "1 page was mapped, and then a+1p is in the page table already"},

		{row: "uffd_poison ENOENT not registered", setup: "a = mmap 4p rw private anon", line: "uffd_poison a", says: "a is not registered with userfaultfd"},
		{row: "uffd_poison ENOENT past the mapping", setup: "a = mmap 4p rw private anon; uffd_register a 2p missing", line: "uffd_poison a", says: "one mapping at a time"},
		{row: "uffd_poison EINVAL splits a huge page", setup: "a = mmap 4m rw private anon hugetlb_2m noreserve; uffd_register a missing", line: "uffd_poison a+1p 1p", says: "only between two of them"},
		{row: "uffd_poison EEXIST page there", setup: ready + "; uffd_register a missing", line: "uffd_poison a", says: "a is not missing in the page table: it is anon"},
		{row: "uffd_poison EEXIST page there", needs: hasFeature("guard-bit"), setup: ready + "; uffd_poison b", line: "uffd_poison b", says: "b is not missing in the page table: it is poisoned"},
		{row: "uffd_poison EAGAIN page there", setup: ready + "; uffd_zeropage b+1p 1p", line: "uffd_poison b", says: "1 page was poisoned, and then b+1p is not missing in the page table: it is zero"},
		{row: "uffd_poison EAGAIN page there", setup: "memfd m 2p; a = mmap 4p rw shared file=m; uffd_register a missing", line: "uffd_poison a", says: "2 pages were poisoned, and then the file ends before a+2p"},
		{row: "uffd_poison EFAULT past the file", setup: "memfd m 2p; a = mmap 4p rw shared file=m; uffd_register a missing", line: "uffd_poison a+2p", says: "the file ends before a+2p"},
		{row: "uffd_poison EFAULT otherwise", needs: asUser, setup: "a = mmap 4p rw shared anon; mremap a 8p maymove; uffd_register a missing", line: "uffd_poison a+4p", says: "ends before the page"},
		{row: "madvise EHWPOISON otherwise", setup: ready + "; uffd_poison b", line: "madvise b populate_read", says: "is poisoned"},
		{row: "mlock ENOMEM userfaultfd", needs: hasFeature("guard-bit"), setup: ready + "; uffd_poison b", line: "mlock b", says: "b is poisoned"},
		{row: "signal SIGBUS/ADRERR poisoned", needs: both(hasFeature("uffd-poison"), poisonIs("SIGBUS/ADRERR")), setup: ready + "; uffd_poison b", line: "read b", says: "b is poisoned"},
		{row: "signal SIGBUS/MCEERR_AR poisoned", needs: both(hasFeature("uffd-poison"), poisonIs("SIGBUS/MCEERR_AR")), setup: ready + "; uffd_poison b", line: "read b", says: "b is poisoned"},

		move("EINVAL misaligned target", ready, "a b+1", "which is not a multiple of the page size"),
		move("EINVAL target past the end", ready, "a 0xfffffffffff00000", "the pages would go past"),
		move("ENOENT nothing mapped", ready, "a 0x50000000", "nothing is mapped at 0x50000000"),
		move("ENOENT nothing mapped", ready, "0x50000000 4p b", "nothing is mapped at 0x50000000"),
		move("EINVAL not anonymous", ready, "vdso 1p b", "vdso is not private anonymous memory"),
		move("EINVAL not anonymous", ready+"; c = mmap 4p rw shared anon", "a c", "c is not private anonymous memory"),
		move("EINVAL past the mapping", ready, "a b+1p", "pages move from one mapping to one mapping"),
		move("EINVAL past the mapping", ready+"; munmap a+2p", "a 4p b", "pages move from one mapping to one mapping"),
		move("EINVAL other letters", ready+"; mprotect b r", "a b", "a and b have different letters"),
		{row: "uffd_move EINVAL other letters", needs: hasFeature("pkeys"), setup: ready + "; pkey_alloc; pkey_mprotect a rw 1", line: "uffd_move a b", says: "a and b have different letters or protection keys"},
		move("EINVAL locked", ready+"; mlock a", "a b", "one of a and b is locked"),
		move("EINVAL not writable", ready+"; mprotect a r; mprotect b r", "a b", "a may not be written"),
		move("EINVAL target not registered", two+"; fill a 1", "a b", "b is not registered"),
		move("EEXIST page there", two+"; fill a 1; read b; uffd_register b missing", "a b", "b is not missing: it is zero"),
		{row: "uffd_move EEXIST page there", needs: hasFeature("uffd-markers"), setup: two + "; fill a 1; uffd_register b wp; uffd_wp b", line: "uffd_move a b", says: "b is not missing: it is a marker of userfaultfd"},
		move("ENOENT page missing", two+"; uffd_register b missing", "a b", "a is missing, and allow_src_holes was not given"),
		move("EBUSY not its own", ready+"; fork", "a b", "a is shared, or was"),
		move("EBUSY not its own", ready+"; fork; @p2 exit; wait", "a b", "a is shared, or was and has not been written to since"),
		{row: "uffd_move EFAULT marker", needs: hasFeature("guard"), setup: ready + "; madvise a guard_install", line: "uffd_move a b", says: "a marker stands for a"},
		move("EAGAIN stopped", two+"; fill a 2p 1; uffd_register b missing", "a b", "2 pages were moved, and then a+2p is missing"),
		{row: "uffd_move EAGAIN stopped", needs: both(wp, hasFeature("guard")), setup: ready + "; madvise a+1p 1p guard_install", line: "uffd_move a b", says: "1 page was moved, and then a marker stands for a+1p"},
		move("EAGAIN stopped", ready+"; uffd_zeropage b+2p 1p", "a b", "2 pages were moved, and then b+2p is not missing: it is zero"),
	}
}

// poisonIs is why this kernel does not end an access to a poisoned page so: which signal it is
// depends on CONFIG_MEMORY_FAILURE.
func poisonIs(result string) func() error {
	return func() error {
		if string(kernel.Poison()) != result {
			return errors.New("needs a kernel with, or without, CONFIG_MEMORY_FAILURE: it calls that " + result)
		}
		return nil
	}
}

// An older kernel is told to be one, whatever else is wrong.
func TestUffdMoveUnknown(t *testing.T) {
	if err := hasFeature("uffd")(); err != nil {
		t.Skip(err)
	}
	if kernel.MovesPages() || kernel.PoisonsPages() {
		t.Skip("needs a kernel older than Linux 6.6")
	}
	l := open(t)
	l.all("a = mmap 4p rw private anon", "b = mmap 4p rw private anon fixed addr=0x40000000", "fill a 1", "uffd_register b missing")
	l.reaches("uffd_move EINVAL unknown", "uffd_move a b", "it came with Linux 6.8")
	l.reaches("uffd_poison EINVAL unknown", "uffd_poison b", "it came with Linux 6.6")
}

// What moves keeps its frames and loses every write protection, so that a write goes straight
// through; what shared memory has comes back with what was written there.
func TestUffdMove(t *testing.T) {
	for _, name := range []string{"uffd-move", "uffd-wp", "uffd-minor"} {
		if err := hasFeature(name)(); err != nil {
			t.Skip(err)
		}
	}
	l := open(t)
	l.all("a = mmap 4p rw private anon", "b = mmap 4p rw private anon fixed addr=0x40000000", "fill a 2p 7", "read a+2p", "uffd_register a wp", "uffd_wp a 1p", "uffd_register b missing")
	was := l.frame("p1", "a", 1)
	st := l.want("ok", "uffd_move a 4p b allow_src_holes")
	for _, says := range []string{"3 pages were moved from a to b", "Of the rest, 1 page, none was in memory"} {
		if !strings.Contains(st.Why, says) {
			t.Errorf("%s\nwant %q", st.Why, says)
		}
	}
	if wrong := checkClaims(st); wrong != "" {
		t.Error(wrong)
	}
	l.states("p1", "b", "anon anon zero none")
	l.states("p1", "a", "none none none none")
	if now := l.frame("p1", "b", 1); now != was {
		t.Errorf("the frame was 0x%x and is 0x%x", was, now)
	}
	for _, line := range []string{"write b 1", "write b+1p 1"} {
		if st := l.want("ok", line); st.Minor != 0 || len(st.Predicted) != 1 || st.Predicted[0] != vmspace.NoFault {
			t.Errorf("%s: %d faults, predicted %v", line, st.Minor, st.Predicted)
		}
	}
	l.want("SIGBUS/ADRERR", "read b+3p")
	l.all("m = mmap 2p rw shared anon", "fill m 9", "madvise m dontneed", "uffd_register m minor")
	l.want("SIGBUS/ADRERR", "read m")
	st = l.want("ok", "uffd_continue m")
	if wrong := checkClaims(st); wrong != "" || !strings.Contains(st.Why, "2 pages were mapped that the shared memory has") {
		t.Errorf("%s: %s", st.Why, wrong)
	}
	l.all("expect bytes m 9", "expect bytes m+1p 9")
}

// After userfaultfd a write is predicted as certainly as before, where nothing has left a page
// write-protected.
func TestUffdCertain(t *testing.T) {
	if err := hasFeature("uffd-wp")(); err != nil {
		t.Skip(err)
	}
	if kernel.LeavesProtected() {
		t.Skip("needs Linux 6.2: older kernels leave pages write-protected")
	}
	l := open(t)
	l.all("s = mmap 2p rw shared anon", "uffd_register s missing", "uffd_zeropage s", "a = mmap 4p rw private anon", "fill a 1")
	certain := func(line string) {
		t.Helper()
		if st := l.want("ok", line); st.Minor != 0 || len(st.Predicted) != 1 || st.Predicted[0] != vmspace.NoFault {
			t.Errorf("%s: %d faults, predicted %v", line, st.Minor, st.Predicted)
		}
	}
	certain("write s 1")
	l.all("uffd_register a missing wp", "uffd_wp a", "uffd_unwp a 1p")
	certain("write a 1")
	l.all("uffd_unregister a")
	certain("write a+1p 1")
	l.all("madvise a dontneed", "uffd_register a missing wp", `uffd_copy a 1p "copied"`)
	certain("write a 2")
}
