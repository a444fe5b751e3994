package observe

import (
	"os"
	"testing"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Layouts and numbers of include/uapi/linux/userfaultfd.h, which x/sys does not have.
const (
	uffdUserModeOnly   = 1
	uffdioAPI          = 0xc018aa3f
	uffdioRegister     = 0xc020aa00
	uffdioWriteProtect = 0xc018aa06
	uffdUnpopulated    = 1 << 13 // since 6.4: pages that are not there are protected too, by a marker
)

// writeProtected maps pages of ours, touches the first ones, and protects all of them by
// userfaultfd, which nobody serves: nobody touches them any more until they are unmapped.
func writeProtected(t *testing.T, pages, touched int) (addr uint64) {
	t.Helper()
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserModeOnly, 0, 0)
	if errno != 0 {
		t.Skipf("needs uffd-wp: userfaultfd answers %v", errno)
	}
	t.Cleanup(func() { unix.Close(int(fd)) })
	size := pages * int(pg)
	b, err := unix.Mmap(-1, 0, size, rw, private)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil { // a mapping that the kernel merges with no neighbour
		t.Fatal(err)
	}
	for i := range touched {
		b[i*int(pg)] = 1
	}
	api := [3]uint64{0xaa, 1 | uffdUnpopulated}
	register := [4]uint64{addressOf(b), uint64(size), 2}
	protect := [3]uint64{addressOf(b), uint64(size), 1}
	for _, c := range []struct {
		request uintptr
		arg     unsafe.Pointer
	}{{uffdioAPI, unsafe.Pointer(&api)}, {uffdioRegister, unsafe.Pointer(&register)}, {uffdioWriteProtect, unsafe.Pointer(&protect)}} {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, c.request, uintptr(c.arg)); errno != 0 {
			t.Skipf("needs uffd-wp: ioctl %x answers %v", c.request, errno)
		}
	}
	return addressOf(b)
}

// A page that is protected says so. Where there is no page, a marker stands in the page table,
// which has the bits of a page in swap: nothing was ever swapped here, and the grounds say that it
// may be such a marker.
func TestAttrUffdWP(t *testing.T) {
	addr := writeProtected(t, 3, 1)
	for name, o := range map[string]Options{"all": {SmallMappings: 1 << 20, SmallPages: 1 << 30}, "no scan": {NoScan: true, SmallMappings: 1 << 20, SmallPages: 1 << 30}} {
		s := read(t, newReader(t, o), []vmspace.Member{{Label: "p1", PID: os.Getpid()}})
		p := s.Processes[0]
		if r := p.PageAt(addr, pg); r.State != vmspace.Anon || r.Attrs&vmspace.UffdWP == 0 {
			t.Errorf("%s: the page is %s %q", name, r.State, r.Attrs.Names())
		}
		m, _ := p.MappingAt(addr)
		r := p.PageAt(addr+pg, pg)
		g := s.Grounds(p, m, r)
		if r.State != vmspace.None || r.Attrs&vmspace.UffdWP == 0 {
			t.Errorf("%s: the marker is %s %q, %q", name, r.State, r.Attrs.Names(), g)
		}
	}
}

// A page that userfaultfd poisons has the bits of a page in swap, and smaps counts none there: where
// guard pages have a bit of their own, it is known to be poisoned.
func TestAttrPoisoned(t *testing.T) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserModeOnly, 0, 0)
	if errno != 0 {
		t.Skipf("needs uffd-poison: userfaultfd answers %v", errno)
	}
	t.Cleanup(func() { _ = unix.Close(int(fd)) })
	b, err := unix.Mmap(-1, 0, 2*int(pg), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil { // no neighbour merges with it
		t.Fatal(err)
	}
	addr := uint64(uintptr(unsafe.Pointer(&b[0])))
	api, register, poison := [3]uint64{0xaa}, [4]uint64{addr, 2 * pg, 1}, [4]uint64{addr, pg}
	for _, ask := range []struct {
		request uintptr
		words   unsafe.Pointer
	}{{uffdioAPI, unsafe.Pointer(&api)}, {uffdioRegister, unsafe.Pointer(&register)}, {0xc020aa08, unsafe.Pointer(&poison)}} { // UFFDIO_POISON
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, ask.request, uintptr(ask.words)); errno != 0 {
			t.Skipf("needs uffd-poison: ioctl %#x answers %v", ask.request, errno)
		}
	}
	reader := newReader(t, Options{SmallMappings: 1 << 20, SmallPages: 1 << 20}) // with smaps, however large the tests have grown
	s := read(t, reader, []vmspace.Member{{Label: "p1", PID: os.Getpid()}})
	p := s.Processes[0]
	m, _ := p.MappingAt(addr)
	r, next := p.PageAt(addr, pg), p.PageAt(addr+pg, pg)
	g := s.Grounds(p, m, r)
	if next.State != vmspace.None || next.Attrs != 0 {
		t.Errorf("the next page is %s %q", next.State, next.Attrs.Names())
	}
	if len(g.Inferred) == 0 {
		t.Errorf("it rests on %q for certain", g)
	}
	if !reader.Features().Guard {
		if r.State != vmspace.Swapped {
			t.Errorf("the page is %s %q", r.State, r.Attrs.Names())
		}
		t.Skip("needs guard-bit: a guard page looks like it")
	}
	if r.State != vmspace.None || r.Attrs != vmspace.Poisoned {
		t.Errorf("the page is %s %q, %q", r.State, r.Attrs.Names(), g)
	}
}
