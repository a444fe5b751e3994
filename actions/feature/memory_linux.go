package feature

import (
	"encoding/binary"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rules of this file: probes get their memory only here, and it is freed when the probe ends.

// area is the memory that a probe borrows.
type area struct {
	at   unsafe.Pointer
	size uintptr
}

func (a area) addr() uintptr        { return uintptr(a.at) }
func (a area) bytes() []byte        { return unsafe.Slice((*byte)(a.at), a.size) }
func (a area) advise(adv int) error { return unix.Madvise(a.bytes(), adv) }

var pageSize = uintptr(os.Getpagesize())

// anon are the flags of private anonymous memory.
const anon = unix.MAP_PRIVATE | unix.MAP_ANON

const rw = unix.PROT_READ | unix.PROT_WRITE

// borrow maps memory for a probe and unmaps it afterwards. MADV_DONTFORK prevents the kernel from
// merging it with a neighbour, so that the probe changes nothing in mappings of the Go runtime.
func borrow(size uintptr, prot, flags int, use func(area) string) string {
	at, err := unix.MmapPtr(-1, 0, nil, size, prot, flags)
	if err != nil {
		return answers("mmap", err)
	}
	a := area{at, size}
	defer unix.MunmapPtr(at, size)
	if err := a.advise(unix.MADV_DONTFORK); err != nil {
		return answers("madvise(MADV_DONTFORK)", err)
	}
	return use(a)
}

// borrowPage is borrow for one readable and writable page that is already touched.
func borrowPage(use func(area) string) string {
	return borrow(pageSize, rw, anon, func(a area) string {
		a.bytes()[0] = 1
		return use(a)
	})
}

// load reads a byte of this process's memory. ok is false if the CPU refuses.
func load(at unsafe.Pointer) (b byte, ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			b, ok = 0, false
		}
	}()
	return *(*byte)(at), true
}

// word is the pagemap word of the first page of a.
func (a area) word() (uint64, error) {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var b [8]byte
	_, err = f.ReadAt(b[:], int64(a.addr()/pageSize)*8)
	return binary.NativeEndian.Uint64(b[:]), err
}

// shows returns "" if the pagemap word of a has a bit, otherwise the given reason.
func (a area) shows(bit uint64, otherwise string) string {
	switch w, err := a.word(); {
	case err != nil:
		return answers("read of /proc/self/pagemap", err)
	case w&bit == 0:
		return otherwise
	}
	return ""
}
