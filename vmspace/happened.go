package vmspace

import "strings"

// BroughtIn is what a fault on an absent page of a mapping did, by the page that is there now: where
// its content came from. It is "" where the page does not show it.
func BroughtIn(m Mapping, is Run) Happening {
	switch is.State {
	case Zero:
		return ZeroMap
	case Anon, COW:
		if m.Inode != 0 && !strings.HasPrefix(m.Path, "/dev/zero") {
			return Copy
		}
		return ZeroFill
	case Unknown:
		return ""
	}
	return MapPage
}

// FaultDid is what the one fault that a page took between two pictures of its process did, by the
// page before and after it; "" where they do not show it. frames says that frame numbers are known.
//
// A small page that was shared copy-on-write and is exclusive now was copied: one that is alone
// already keeps its frame (do_wp_page in mm/memory.c).
func FaultDid(m Mapping, was, is Run, addr, pageSize uint64, frames bool) Happening {
	switch {
	case was.State == Swapped && is.HasFrame():
		return SwapIn
	case was.State == None && is.HasFrame():
		return BroughtIn(m, is)
	case !is.HasFrame():
		return ""
	case was.State == Zero && (is.State == Anon || is.State == COW):
		return ZeroFill
	case was.State == File && (is.State == Anon || is.State == COW):
		return Copy
	case was.State != COW:
		return "" // it may have been dropped and brought in anew
	case frames && was.Frame != 0 && is.Frame != 0:
		if was.FrameOf((addr-was.Start)/pageSize) == is.FrameOf((addr-is.Start)/pageSize) {
			return Reuse
		}
		return Copy
	case is.State == Anon && was.Attrs&Huge == 0:
		return Copy
	}
	return ""
}
