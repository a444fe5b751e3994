package observe

import (
	"encoding/binary"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: move_pages(2) with no nodes moves nothing and says of each page on which node
// it is. For the zero page, which belongs to none, it answers -EFAULT, for any other present page a
// node (do_pages_stat_array in mm/migrate.c). That tells the zero page from a page shared
// copy-on-write where the scan is missing (before Linux 6.7) and frames are hidden. It is asked
// only about present pages, since some kernels answer -EFAULT for absent ones too, and an answer of
// -EFAULT counts only if the page is still there after it.

// nodesAtOnce is how many pages are asked about in one call: the kernel holds the mapping lock for
// a few of them at a time.
const nodesAtOnce = 512

// askNodes fills status with the answers about n pages from addr; it is an error where this process
// may not ask.
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

// probeNodes says whether the answers mean on pages of our own what they should.
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

// tellZero asks about the pages of p.runs from index first on that words alone leave open.
func (p *pageReader) tellZero(f *procFiles, maps vmspace.List[vmspace.Mapping], first int) {
	if !p.nodes || !p.undecided(first) {
		return
	}
	open := append(p.open[:0], p.runs[first:]...)
	p.open, p.runs = open, p.runs[:first]
	for _, r := range open {
		at, found := maps.Find(r.Start)
		if !found || r.State != vmspace.Unknown || r.Word&(vmspace.WordPresent|vmspace.WordExclusive) != vmspace.WordPresent { // the huge zero page has the bit of a file
			p.runs = append(p.runs, r)
			continue
		}
		m := maps.At(at)
		p.splitByNode(f, p.classOf(&m), r, m.Start)
	}
}

// splitByNode appends the parts of r that are alike, each with the bit of its answer.
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

// resize gives b with room for n bytes.
func resize(b []byte, n uint64) []byte {
	if uint64(cap(b)) < n {
		return make([]byte, n)
	}
	return b[:cap(b)]
}
