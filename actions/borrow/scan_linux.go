//go:build amd64 || arm64

package borrow

import (
	"runtime"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: PAGEMAP_SCAN and nothing else (do_pagemap_scan in fs/proc/task_mmu.c,
// Documentation/admin-guide/mm/pagemap.rst). Pages that are not registered count as written, and so
// those do that came with a new mapping in place of one that was covered. Only pages that are
// present are protected: a marker for one that is absent would cost the process a page table.

const (
	pagemapScan = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)
	wpMatching  = 1 << 0     // PM_SCAN_WP_MATCHING

	wpAllowed = 1 << 0 // PAGE_IS_WPALLOWED and so on
	written   = 1 << 1
	present   = 1 << 3
)

// scanArg is struct pm_scan_arg.
type scanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages       uint64
	categoryInverted, categoryMask, categoryAnyofMask, returnMask uint64
}

// region is struct page_region.
type region struct{ start, end, categories uint64 }

// slice is how many bytes are walked while the process cannot map or unmap: about 0.1 ms.
const slice = 32 << 20

// protect protects the present pages of r.
func (w *Writes) protect(r vmspace.Range) error {
	for at := r.Start; at < r.End; at += slice {
		arg := scanArg{flags: wpMatching, start: at, end: min(at+slice, r.End), categoryMask: wpAllowed | present}
		if _, err := w.scan(&arg); err != nil {
			return err
		}
	}
	return nil
}

// Written are the pages that were written to since they were protected, and those that came to a
// mapping since then, sorted.
func (w *Writes) Written() (out []vmspace.Range, err error) {
	regions := make([]region, 512)
	for _, r := range w.covered {
		for at := r.Start; at < r.End; {
			arg := scanArg{start: at, end: min(at+slice, r.End), vec: uint64(uintptr(unsafe.Pointer(&regions[0]))), vecLen: uint64(len(regions)),
				categoryMask: present | written, returnMask: written}
			n, err := w.scan(&arg)
			runtime.KeepAlive(regions)
			if err != nil {
				return nil, err
			}
			for _, g := range regions[:n] {
				if k := len(out); k > 0 && out[k-1].End == g.start {
					out[k-1].End = g.end
					continue
				}
				out = append(out, vmspace.Range{Start: g.start, End: g.end})
			}
			// walk_end may be stale where the vector is full.
			if at = arg.end; n == len(regions) {
				at = regions[n-1].end
			}
		}
	}
	return out, nil
}

func (w *Writes) scan(arg *scanArg) (int, error) {
	arg.size = uint64(unsafe.Sizeof(*arg))
	return ioctl(int(w.pagemap.Fd()), pagemapScan, unsafe.Pointer(arg))
}

// ioctl makes the call, and repeats it if a signal interrupted it.
func ioctl(fd int, request uintptr, arg unsafe.Pointer) (int, error) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}
