package actions

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"cowscope/actions/feature"
	"cowscope/vmspace"
)

// The simple reader: /proc/PID/maps line by line and /proc/PID/pagemap word by word, with nothing
// shared with package vmspace but the names of the states.

// checkSnapshot says where the snapshot and the simple reader differ.
func checkSnapshot(s *vmspace.Snapshot) string {
	for _, p := range s.Processes {
		if p.State >= vmspace.Zombie || p.Err != "" {
			continue
		}
		if wrong := checkProcess(p, s); wrong != "" {
			return p.Label + ": " + wrong
		}
	}
	return ""
}

func checkProcess(p *vmspace.Process, s *vmspace.Snapshot) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", p.PID))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	words, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", p.PID))
	if err != nil {
		return err.Error()
	}
	defer words.Close()
	n := 0
	for in := bufio.NewScanner(f); in.Scan(); n++ {
		if strings.HasSuffix(in.Text(), "[vsyscall]") {
			n--
			continue
		}
		if n >= p.Mappings.Len() {
			return "there is a mapping more: " + in.Text()
		}
		if wrong := checkMapping(p, p.Mappings.At(n), in.Text(), words, s); wrong != "" {
			return wrong
		}
	}
	for n < p.Mappings.Len() && p.Mappings.At(n).Path == "[vsyscall]" {
		n++
	}
	if n != p.Mappings.Len() {
		return fmt.Sprintf("%d mappings, and the snapshot has %d", n, p.Mappings.Len())
	}
	return ""
}

func checkMapping(p *vmspace.Process, m vmspace.Mapping, line string, words *os.File, s *vmspace.Snapshot) string {
	f := strings.Fields(line)
	start, end, _ := strings.Cut(f[0], "-")
	lo, _ := strconv.ParseUint(start, 16, 64)
	hi, _ := strconv.ParseUint(end, 16, 64)
	path := ""
	if len(f) > 5 {
		path = strings.Join(f[5:], " ")
	}
	if m.Start != lo || m.End != hi || m.Perms.String() != f[1] || m.Path != path || strconv.FormatUint(m.Inode, 10) != f[4] {
		return fmt.Sprintf("maps says %q, the snapshot %s %s %q", line, m.Range, m.Perms, m.Path)
	}
	pages := min((hi-lo)/s.PageSize, 1200)
	b := make([]byte, 8*pages)
	if _, err := words.ReadAt(b, int64(lo/s.PageSize*8)); err != nil {
		return err.Error()
	}
	for i := range pages {
		w := binary.LittleEndian.Uint64(b[8*i:])
		at := lo + i*s.PageSize
		run := p.PageAt(at, s.PageSize)
		want, ok := simpleState(w, f[1], path)
		zero := run.State == vmspace.Zero && (want == "cow" || want == "file") // file: the huge zero page
		// A huge page that a relative shares may call itself exclusive; package vmspace holds the
		// relatives against each other. And a page that was merged is copied when it is written to,
		// also the last one that has the frame.
		split := want == "anon" && run.State == vmspace.COW && run.Attrs&(vmspace.Huge|vmspace.KSM) != 0
		blind := want == "cow" && run.State == vmspace.Unknown && (f[1][:3] == "---" || f[1][:3] == "-w-" && w>>57&1 == 1) && !s.Frames && blindToNone()
		// Without root it may be a huge page that calls itself exclusive, and somebody shares a part
		// of it; smaps does not say which, and without PAGEMAP_SCAN nothing says where one is.
		perhaps := want == "anon" && !s.Frames && len(s.Processes) > 1 && (run.State == vmspace.Unknown || run.State == vmspace.COW && noScan() && sharer(s, p, at))
		// A marker of userfaultfd has the bits of a page in swap, and smaps tells that none is.
		marker := want == "swapped" && w>>57&1 == 1 && run.State == vmspace.None && run.Attrs&vmspace.UffdWP != 0
		if want == "swapped" && run.State == vmspace.None && run.Attrs&vmspace.Poisoned != 0 { // so has one that is broken
			marker = true
		}
		if ok && run.State.String() != want && !zero && !split && !blind && !perhaps && !marker {
			return fmt.Sprintf("0x%x is %s by its word 0x%016x, the snapshot says %s (word 0x%016x)", at, want, w, run.State, run.Word)
		}
		if frame := w & (1<<55 - 1); s.Frames && w>>63 == 1 && run.State != vmspace.Zero && run.FrameOf((at-run.Start)/s.PageSize) != frame {
			return fmt.Sprintf("0x%x has frame 0x%x, the snapshot says 0x%x", at, frame, run.FrameOf((at-run.Start)/s.PageSize))
		}
	}
	return ""
}

// blindToNone says whether pages of PROT_NONE cannot be told from the zero page by an ordinary
// user: without the scan there is move_pages(2), which from Linux 6.1 to 6.5 says of them that they
// are absent (gup_can_follow_protnone in include/linux/mm.h).
var blindToNone = sync.OnceValue(func() bool { return hasFeature("scan")() != nil })

// simpleState is the state by the word alone; the zero page looks like a shared one there. Not ok:
// what is special is another's business.
func simpleState(w uint64, perms, path string) (string, bool) {
	if strings.HasPrefix(path, "[v") {
		return "", false
	}
	bit := func(n int) bool { return w>>n&1 == 1 }
	switch {
	case bit(63) && bit(61) && perms[3] == 's':
		return "shared", true
	case bit(63) && bit(61):
		return "file", true
	case bit(63) && bit(56):
		return "anon", true
	case bit(63):
		return "cow", true
	case bit(58):
		return "guard", true
	case bit(62):
		return "swapped", true
	}
	return "none", true
}

// noScan says whether huge pages are not told from small ones, page by page.
var noScan = sync.OnceValue(func() bool {
	ok, _, _ := feature.Available("scan")
	return !ok
})

// sharer says whether a relative of p has a page at addr that its word does not call exclusive.
func sharer(s *vmspace.Snapshot, p *vmspace.Process, addr uint64) bool {
	for _, o := range s.Processes {
		if w := o.PageAt(addr, s.PageSize).Word; o != p && w&(vmspace.WordPresent|vmspace.WordExclusive) == vmspace.WordPresent {
			return true
		}
	}
	return false
}
