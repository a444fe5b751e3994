package observe

import (
	"runtime"
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: PAGEMAP_SCAN and nothing else (fs/proc/task_mmu.c, do_pagemap_scan;
// include/uapi/linux/fs.h). PAGE_IS_FILE is never requested: it makes the kernel look up every
// page, and bit 61 of the word says the same. walk_end is not always up to date: if fewer regions
// and pages were returned than requested the walk is complete, otherwise it continues from the end
// of the last region, or from walk_end if that is higher and no page was left out.

const pagemapScan = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)

// scanArg is struct pm_scan_arg.
type scanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages       uint64
	categoryInverted, categoryMask, categoryAnyofMask, returnMask uint64
}

// region is struct page_region: pages of the same categories, possibly of several mappings.
type region struct{ start, end, categories uint64 }

// scanSlice is the number of regions requested at once. walk_end is stale above 512.
const scanSlice = 512

// scanBase are the categories of the first version of the ioctl.
const scanBase = vmspace.ScanPresent | vmspace.ScanSwapped | vmspace.ScanPFNZero | vmspace.ScanHuge

// probeScan returns the categories that this kernel knows, 0 if it has no scan. Each bit is tried
// by itself, because one unknown bit fails the whole call.
func probeScan(pagemap int, pageSize uint64, buf []region) uint64 {
	try := func(mask uint64) bool {
		_, _, err := scanOnce(pagemap, vmspace.Range{Start: pageSize, End: 2 * pageSize}, mask, 0, buf)
		return err == nil
	}
	if !try(scanBase) {
		return 0
	}
	mask := uint64(scanBase)
	for _, bit := range []uint64{vmspace.ScanSoftDirty, vmspace.ScanGuard} {
		if try(bit) {
			mask |= bit
		}
	}
	return mask
}

// scanOnce makes one call for the pages of r with any of the bits of mask, and for at most maxPages
// of them (0: any number). It returns the number of regions and where the walk ended. out must lie
// on the heap, where nothing moves: the kernel receives its address as a number.
func scanOnce(pagemap int, r vmspace.Range, mask, maxPages uint64, out []region) (n int, end uint64, err error) {
	anyOf := mask & (vmspace.ScanPresent | vmspace.ScanSwapped | vmspace.ScanGuard)
	if anyOf == 0 {
		anyOf = mask
	}
	arg := scanArg{
		start: r.Start, end: r.End,
		vec: uint64(uintptr(unsafe.Pointer(&out[0]))), vecLen: uint64(len(out)),
		categoryAnyofMask: anyOf, returnMask: mask, maxPages: maxPages,
	}
	arg.size = uint64(unsafe.Sizeof(arg))
	n, err = ioctl(pagemap, pagemapScan, unsafe.Pointer(&arg))
	runtime.KeepAlive(out)
	return n, arg.walkEnd, err
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
