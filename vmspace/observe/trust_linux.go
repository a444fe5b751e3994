package observe

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: a bit decides a page's state only if it means what it should on a page of
// this program. Kernels get some bits wrong: from 6.9 to 6.14 every anonymous page has the KSM bit
// of kpageflags (fs/proc/page.c tested it with a mask that shares a bit with that of anonymous
// pages). Untrusted bits are dropped from every word that is read, and listed in
// Features.Distrusted.

// trust is the bits of the words that are trusted.
type trust struct {
	word     uint64 // bits of a pagemap word
	scan     uint64 // categories
	kflags   uint64 // bits of a kpageflags word
	distrust []string
}

// A specimen is a page of this program with the words that it must have.
type specimen struct {
	name              string
	touch             func(b []byte)
	word, notWord     uint64 // bits of the pagemap word that must be set, and that must be clear
	scan, notScan     uint64
	kflags, notKFlags uint64
}

var specimens = []specimen{
	{
		name:  "a page that was only written",
		touch: func(b []byte) { b[0] = 1 },
		word:  vmspace.WordPresent | vmspace.WordExclusive, notWord: vmspace.WordSwapped | vmspace.WordFile | vmspace.WordGuard | vmspace.WordUffdWP,
		scan: vmspace.ScanPresent, notScan: vmspace.ScanSwapped | vmspace.ScanPFNZero | vmspace.ScanHuge | vmspace.ScanGuard,
		kflags: vmspace.KMmap | vmspace.KAnon | vmspace.KSwapBacked, notKFlags: vmspace.KHuge | vmspace.KTHP | vmspace.KKSM | vmspace.KHWPoison | vmspace.KZeroPage,
	},
	{
		name:  "a page that was only read",
		touch: func(b []byte) { keep(b[0]) },
		word:  vmspace.WordPresent, notWord: vmspace.WordSwapped | vmspace.WordFile | vmspace.WordGuard | vmspace.WordUffdWP | vmspace.WordExclusive,
		scan: vmspace.ScanPresent | vmspace.ScanPFNZero, notScan: vmspace.ScanSwapped | vmspace.ScanHuge | vmspace.ScanGuard,
		kflags: vmspace.KZeroPage, notKFlags: vmspace.KHuge | vmspace.KKSM | vmspace.KHWPoison,
	},
	{
		name:    "a page that was not touched",
		touch:   func([]byte) {},
		notWord: vmspace.WordPresent | vmspace.WordSwapped | vmspace.WordFile | vmspace.WordGuard | vmspace.WordExclusive | vmspace.WordUffdWP,
		notScan: vmspace.ScanPresent | vmspace.ScanSwapped | vmspace.ScanPFNZero | vmspace.ScanHuge | vmspace.ScanGuard,
	},
}

// keep prevents the compiler from removing the read of its argument.|
//
//go:noinline
func keep(byte) {}

// believe checks each specimen: its pagemap word, the scan's categories in mask, and, if k is not
// nil and frames are visible, the flags of its frame. It fails if pagemap does not report what
// everything else rests on.
func believe(pagemap int, size, mask uint64, regions []region, frames bool, k *kpage) (trust, error) {
	t := trust{word: ^uint64(0), scan: mask, kflags: vmspace.KKept}
	for _, s := range specimens {
		b, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			continue
		}
		_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
		_ = unix.Madvise(b, unix.MADV_UNMERGEABLE)
		s.touch(b)
		t.look(s, pagemap, addressOf(b), size, regions, frames, k)
		_ = unix.Munmap(b)
	}
	if t.word&(vmspace.WordPresent|vmspace.WordExclusive) != vmspace.WordPresent|vmspace.WordExclusive {
		return t, fmt.Errorf("pagemap cannot be believed: %s", strings.Join(t.distrust, "; "))
	}
	return t, nil
}

func (t *trust) look(s specimen, pagemap int, addr, size uint64, regions []region, frames bool, k *kpage) {
	word := pageWord(pagemap, addr, size)
	t.word &^= t.lies("pagemap", vmspace.PagemapBits, word&^vmspace.WordFrame, s.word, s.notWord, s.name)
	if t.scan != 0 {
		var categories uint64
		if n, _, err := scanOnce(pagemap, vmspace.Range{Start: addr, End: addr + size}, t.scan, 0, regions); err == nil && n == 1 {
			categories = regions[0].categories
		}
		bits := func(w uint64) []string { return vmspace.ScanBits(uint16(w)) }
		t.scan &^= t.lies("PAGEMAP_SCAN", bits, categories, s.scan&t.scan, s.notScan&t.scan, s.name)
		if t.scan&scanBase != scanBase {
			t.scan = 0 // without all of these it decides nothing
		}
	}
	if frame := word & vmspace.WordFrame; k != nil && frames && frame != 0 && word&vmspace.WordPresent != 0 {
		var b [8]byte
		if n, err := preadFull(k.flags, b[:], int64(frame*8)); n == len(b) && err == nil {
			t.kflags &^= t.lies("kpageflags", vmspace.KPageBits, binary.NativeEndian.Uint64(b[:]), s.kflags, s.notKFlags, s.name)
		}
	}
}

// lies returns the bits of word that are not as they must be.
func (t *trust) lies(from string, names func(uint64) []string, word, must, mustNot uint64, page string) uint64 {
	missing, wrong := must&^word, word&mustNot
	for _, name := range names(missing) {
		t.distrust = append(t.distrust, fmt.Sprintf("%s does not set %s on %s", from, name, page))
	}
	for _, name := range names(wrong) {
		if said := fmt.Sprintf("%s sets %s on %s", from, name, page); !slices.Contains(t.distrust, said) {
			t.distrust = append(t.distrust, said)
		}
	}
	return missing | wrong
}
