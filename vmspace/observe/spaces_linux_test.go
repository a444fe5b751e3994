package observe

import (
	"os"
	"path/filepath"
	"testing"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: large address spaces that a puppet builds, for benchmarks in full size and
// for tests in a small one. Each is a builder, which runs in the puppet, and the truth about it:
// how many pages of each state it holds.

// layout is a kind of large address space.
type layout struct {
	name  string
	size  uint64 // what a benchmark gives the builder: mappings, pages or touched places
	bytes func(n uint64) uint64
	truth func(n uint64) map[vmspace.State]uint64
	build func(addr, n uint64, file string) error
}

// touchedOf is how many pages vmas touches of n mappings: 1, 2, 3, 4, 1, ... each.
func touchedOf(n uint64) uint64 { return n/4*10 + []uint64{0, 1, 3, 6}[n%4] }

func pages(n uint64) uint64     { return n * pg }
func fourPages(n uint64) uint64 { return n * 4 * pg }
func oneTiB(uint64) uint64      { return 1 << 40 }

func onlyAnon(n uint64) map[vmspace.State]uint64 { return map[vmspace.State]uint64{vmspace.Anon: n} }

var layouts = []layout{
	{"vmas", 60000, fourPages, func(n uint64) map[vmspace.State]uint64 { return onlyAnon(touchedOf(n)) }, buildSmall},
	{"vmasfile", 60000, fourPages, func(n uint64) map[vmspace.State]uint64 { return map[vmspace.State]uint64{vmspace.File: n * 4} }, buildFiles},
	{"dense", 1 << 20, pages, func(n uint64) map[vmspace.State]uint64 {
		return map[vmspace.State]uint64{vmspace.Anon: (n + 6) / 7, vmspace.COW: n - (n+6)/7}
	}, buildDense},
	{"sparse", 10000, oneTiB, onlyAnon, buildSparse},
	{"sparsenone", 10000, oneTiB, onlyAnon, buildSparseNone},
	{"mixed", 1 << 14, fourPages, func(n uint64) map[vmspace.State]uint64 {
		return map[vmspace.State]uint64{vmspace.Anon: n / 4, vmspace.File: n - n/4, vmspace.Shared: n, vmspace.Zero: n / 2, vmspace.Guard: n / 16}
	}, buildMixed},
}

// start has a puppet build the layout with n for its size, and gives its range. dense has a child
// that rewrote every 7th page. The kernel chooses the place: the heap of a Go program may lie
// anywhere else.
func (l *layout) start(t testing.TB, n uint64) (*puppet, vmspace.Range) {
	p := startPuppet(t)
	file := filepath.Join(publicDir(t), "a-rather-long-name-of-a-library-as-they-are.so.12.34.56")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 16<<10*int64(pg)); err != nil {
		t.Fatal(err)
	}
	addr := p.must("build %s %d %s", l.name, n, file)
	if l.name == "dense" {
		p.inChild(p.fork(), '7', addr, n*pg)
	}
	return p, vmspace.Range{Start: addr, End: addr + l.bytes(n)}
}

// build runs in the puppet.
func build(name string, n uint64, file string) (addr uint64, errno unix.Errno) {
	for i := range layouts {
		if l := &layouts[i]; l.name == name {
			at, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, uintptr(l.bytes(n)), unix.PROT_NONE, private|unix.MAP_NORESERVE, 1<<64-1, 0)
			if errno == 0 {
				errno, _ = l.build(uint64(at), n, file).(unix.Errno)
			}
			return uint64(at), errno
		}
	}
	return 0, unix.ENOSYS
}

// mapAt makes a mapping at addr, without huge pages.
func mapAt(addr, size uint64, prot, flags int, fd int, offset uint64) error {
	flags |= unix.MAP_FIXED | unix.MAP_NORESERVE
	_, _, errno := unix.Syscall6(unix.SYS_MMAP, uintptr(addr), uintptr(size), uintptr(prot), uintptr(flags), uintptr(fd), uintptr(offset))
	if errno == 0 && fd < 0 {
		unix.Syscall(unix.SYS_MADVISE, uintptr(addr), uintptr(size), unix.MADV_NOHUGEPAGE)
	}
	return orNil(errno)
}

func protect(addr, size uint64, prot int) error {
	_, _, errno := unix.Syscall(unix.SYS_MPROTECT, uintptr(addr), uintptr(size), uintptr(prot))
	return orNil(errno)
}

func orNil(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// buildSmall makes n mappings of four pages, one to four of them touched.
func buildSmall(addr, n uint64, _ string) error {
	err := mapAt(addr, n*4*pg, rw, private, -1, 0)
	for i := range n {
		if err != nil {
			return err
		}
		for j := range i%4 + 1 {
			*at(addr + (i*4+j)*pg) = 1
		}
		if i%2 == 1 {
			err = protect(addr+i*4*pg, 4*pg, unix.PROT_READ)
		}
	}
	return err
}

// buildFiles makes n mappings of four pages of a file, at offsets that keep neighbours from
// merging, and reads them.
func buildFiles(addr, n uint64, file string) error {
	fd, err := unix.Open(file, unix.O_RDWR, 0)
	for i := uint64(0); i < n && err == nil; i++ {
		if err = mapAt(addr+i*4*pg, 4*pg, unix.PROT_READ, unix.MAP_PRIVATE, fd, i*7%(16<<10-4)*pg); err == nil {
			for j := range uint64(4) {
				_ = *at(addr + (i*4+j)*pg)
			}
		}
	}
	unix.Close(fd)
	return err
}

// buildDense writes n pages.
func buildDense(addr, n uint64, _ string) error {
	err := mapAt(addr, n*pg, rw, private, -1, 0)
	for i := uint64(0); i < n && err == nil; i++ {
		*at(addr + i*pg) = 1
	}
	return err
}

// buildSparse reserves 1 TiB and writes to n pages, one somewhere in each of n equal parts.
func buildSparse(addr, n uint64, _ string) error {
	err := mapAt(addr, 1<<40, rw, private, -1, 0)
	for i := uint64(0); i < n && err == nil; i++ {
		*at(somewhere(addr, i, n)) = 1
	}
	return err
}

// buildSparseNone does the same in memory that is PROT_NONE but for those pages.
func buildSparseNone(addr, n uint64, _ string) error {
	err := mapAt(addr, 1<<40, unix.PROT_NONE, private, -1, 0)
	for i := uint64(0); i < n && err == nil; i++ {
		a := somewhere(addr, i, n)
		if err = protect(a, pg, rw); err == nil {
			*at(a) = 1
		}
	}
	return err
}

// somewhere is a page in part i of n of 1 TiB.
func somewhere(addr, i, n uint64) uint64 {
	part := uint64(1<<40) / n / pg
	return addr + (i*part+1+i*2654435761%(part-2))*pg
}

// buildMixed makes n pages of each kind.
func buildMixed(addr, n uint64, file string) error {
	fd, err := unix.Open(file, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, part := range []struct {
		flags, fd    int
		every, write uint64 // of the touched pages, which are written to; 0 for none
	}{{unix.MAP_PRIVATE, fd, 1, 4}, {unix.MAP_SHARED, fd, 1, 3}, {private, -1, 2, 0}} {
		if err := mapAt(addr, n*pg, rw, part.flags, part.fd, 0); err != nil {
			return err
		}
		for i := uint64(0); i < n; i += part.every {
			if part.write != 0 && i%part.write == 0 {
				*at(addr + i*pg) = 1
			} else {
				_ = *at(addr + i*pg)
			}
		}
		addr += n * pg
	}
	if err := mapAt(addr, n*pg, rw, private, -1, 0); err != nil {
		return err
	}
	for i := uint64(0); i < n; i += 16 {
		const guardInstall = 102
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(addr+i*pg), uintptr(pg), guardInstall); errno == unix.EINVAL {
			break // before Linux 6.13 there are none
		} else if errno != 0 {
			return errno
		}
	}
	return nil
}
