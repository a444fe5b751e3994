package observe

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: bytes of a process are read only from pages that pagemap reports as present
// at that moment. To the kernel a read through /proc/PID/mem is an access like any other: it would
// fault an absent page in (access_remote_vm in mm/memory.c).

// addressOf is the address of b in this process.
func addressOf(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&b[0]))) }

// pageWord is the pagemap word of one page, 0 if it cannot be read.
func pageWord(pagemap int, addr, size uint64) uint64 {
	var b [8]byte
	if n, err := preadFull(pagemap, b[:], int64(addr/size*8)); err != nil || n < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(b[:])
}

// Peek reads len(buf) bytes at addr of process pid, page by page, and only from pages that are
// present; it faults nothing in. present has one entry for each page touched; the bytes of buf that
// belong to an absent page are left unchanged.
func (r *Reader) Peek(pid int, addr uint64, buf []byte) (present []bool, err error) {
	if len(buf) == 0 {
		return nil, nil
	}
	if addr+uint64(len(buf)) < addr || addr+uint64(len(buf)) > 1<<63 {
		return nil, errors.New("peek: no such address")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f, st, err := r.open(pid)
	if err == nil && st.State >= vmspace.Zombie {
		err = errors.New(errZombie)
	}
	if err == nil {
		err = errors.Join(f.need(&f.pagemap, "pagemap"), f.need(&f.mem, "mem"))
	}
	if err != nil {
		return nil, errors.New("peek: " + reason(err))
	}
	size := r.pages.size
	span := vmspace.Range{Start: addr, End: addr + uint64(len(buf))}
	present = make([]bool, span.Pages(size))
	for i := range present {
		page := vmspace.Range{Start: addr/size*size + uint64(i)*size, End: addr/size*size + uint64(i+1)*size}
		word := pageWord(f.pagemap, page.Start, size)
		if word&vmspace.WordPresent == 0 || word&vmspace.WordGuard != 0 {
			continue
		}
		part := page.Intersect(span)
		n, err := pread(f.mem, buf[part.Start-addr:part.End-addr], int64(part.Start))
		if err != nil && !errors.Is(err, unix.EIO) && !errors.Is(err, unix.EFAULT) {
			return present, errors.New("peek: " + reason(err))
		}
		// Device pages are present and cannot be read.
		present[i] = err == nil && uint64(n) == part.Len()
	}
	return present, nil
}
