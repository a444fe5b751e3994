package observe

import (
	"encoding/binary"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: move_pages(2) with a null nodes argument moves nothing and reports for each
// page the node that holds it. For the zero page, which belongs to no node, it reports -EFAULT, for
// any other present page a node (do_pages_stat_array in mm/migrate.c). This distinguishes the zero
// page from a page shared copy-on-write where PAGEMAP_SCAN is missing (before Linux 6.7) and frames
// are hidden. It is called only for present pages, because some kernels report -EFAULT for absent
// ones too, and -EFAULT counts only if the page is still present afterwards.

// nodesAtOnce is the number of pages in one call: the kernel holds the mmap_lock for a few of them
// at a time.
const nodesAtOnce = 512

// askNodes fills status with the answers for n pages from addr; it fails if this process may not
// make the call.
func askNodes(pid int, addr, size uint64, pages []uint64, status []int32) error {
	for i := range pages {
		pages[i] = addr + uint64(i)*size
	}
	_, _, e := unix.Syscall6(unix.SYS_MOVE_PAGES, uintptr(pid), uintptr(len(pages)), uintptr(unsafe.Pointer(&pages[0])),
		0, uintptr(unsafe.Pointer(&status[0])), 0)
	if e != 0 {
		return e
	}
	return nil
}

// probeNodes reports whether the answers for pages of this program are as expected.
func probeNodes(size uint64) bool {
	ask := func(touch func(b []byte)) int32 {
		b, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return -1
		}
		defer unix.Munmap(b)
		touch(b)
		status := []int32{-1}
		if askNodes(0, addressOf(b), size, make([]uint64, 1), status) != nil {
			return -1
		}
		return status[0]
	}
	read := func(b []byte) { keep(b[0]) }
	write := func(b []byte) { b[0] = 1 }
	return ask(read) == -int32(unix.EFAULT) && ask(write) >= 0
}

// tellZero calls move_pages for the pages of p.runs, from index first on, whose state the words
// leave open.
func (p *pageReader) tellZero(f *procFiles, maps vmspace.List[vmspace.Mapping], first int) {
	if !p.nodes || !p.undecided(first) {
		return
	}
	open := append(p.open[:0], p.runs[first:]...)
	p.open, p.runs = open, p.runs[:first]
	for _, r := range open {
		at, found := maps.Find(r.Start)
		// The huge zero page has the bit of a file.
		if !found || r.State != vmspace.Unknown || r.Word&(vmspace.WordPresent|vmspace.WordExclusive) != vmspace.WordPresent {
			p.runs = append(p.runs, r)
			continue
		}
		m := maps.At(at)
		p.splitByNode(f, p.classOf(&m), r, m.Start)
	}
}

// splitByNode appends r in parts with equal answers, each with the bit of its answer.
func (p *pageReader) splitByNode(f *procFiles, c vmspace.Class, r vmspace.Run, begin uint64) {
	var pages [nodesAtOnce]uint64
	var status [nodesAtOnce]int32
	for r.Pages > 0 {
		n := min(r.Pages, nodesAtOnce)
		if err := askNodes(f.pid, r.Start, p.size, pages[:n], status[:n]); err != nil {
			p.runs = appendRun(p.runs, r, r.Start == begin)
			return
		}
		p.words = resize(p.words, n*8)
		got, _ := preadFull(f.pagemap, p.words[:n*8], int64(r.Start/p.size*8))
		for i := range n {
			one := r.Clip(vmspace.Range{Start: r.Start + i*p.size, End: r.Start + (i+1)*p.size})
			switch there := uint64(got) >= (i+1)*8 && binary.NativeEndian.Uint64(p.words[i*8:])&vmspace.WordPresent != 0; {
			case status[i] >= 0:
				one.Scan |= vmspace.NodeSome
			case status[i] == -int32(unix.EFAULT) && there:
				one.Scan |= vmspace.NodeNone
			}
			one.State, one.Attrs = c.Classify(vmspace.Evidence{Word: one.Word, Scan: one.Scan})
			p.runs = appendRun(p.runs, one, one.Start == begin)
		}
		r = r.Clip(vmspace.Range{Start: r.Start + n*p.size, End: r.Bounds().End})
	}
}

// resize returns b with room for n bytes.
func resize(b []byte, n uint64) []byte {
	if uint64(cap(b)) < n {
		return make([]byte, n)
	}
	return b[:cap(b)]
}
