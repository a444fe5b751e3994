package actions

import (
	"runtime"
	"strings"

	"cowscope/actions/lang"
	"cowscope/actions/scratch"
	"cowscope/vmspace"
)

// Predictions held against what happened, for the first page that an access goes to.

// Predict says what an access to addr by a process would lead to after the step.
func (st *Step) Predict(label string, addr uint64, a vmspace.Access) vmspace.Prediction {
	p := st.After.Process(label)
	if p == nil {
		return vmspace.Prediction{Why: label + " is gone"}
	}
	f := st.Facts
	if m, ok := p.MappingAt(addr); ok {
		if e, ok := st.FileOf(m); ok {
			f.FileSize = int64(e.Size)
		}
	}
	return vmspace.Predict(p, addr, a, f)
}

// FileOf is the scratch file that a mapping shows.
func (st *Step) FileOf(m vmspace.Mapping) (scratch.Entry, bool) {
	if m.Inode != 0 {
		for _, e := range st.Files {
			if e.Inode == m.Inode && e.Major == m.Major && e.Minor == m.Minor {
				return e, true
			}
		}
	}
	return scratch.Entry{}, false
}

// facts are what the session knows beside a snapshot.
func (s *Session) facts() vmspace.Facts {
	f := vmspace.NoFacts
	f.Arch, f.NeverForked, f.StackLimit = runtime.GOARCH, s.born == 1, s.stackLimit
	return f
}

// happened finds which of the happenings it was, from the page and the faults before and after; "" where nothing shows it.
func happened(st *Step, access vmspace.Access) vmspace.Happening {
	ps := st.After.PageSize
	addr := st.Focus.Start
	if st.Fault&^(ps-1) == addr&^(ps-1) && strings.HasPrefix(st.Result, "SIG") {
		return vmspace.Happening(st.Result)
	}
	p, q := st.Before.Process(st.Process), st.After.Process(st.Process)
	if p == nil || q == nil || st.Result != ResultOK && st.Done == 0 {
		return ""
	}
	m, mapped := p.MappingAt(addr)
	was, is := p.PageAt(addr, ps), q.PageAt(addr, ps)
	switch {
	case !mapped:
		return vmspace.Grow
	case was.State == vmspace.Swapped:
		return vmspace.SwapIn
	case st.Minor+st.Major == 0:
		return vmspace.NoFault
	case was.Word&vmspace.WordPresent == 0:
		return broughtIn(m, is)
	case access != vmspace.Store:
		return vmspace.NoFault
	case was.State == vmspace.Zero:
		return vmspace.ZeroFill
	case was.State == vmspace.File:
		return vmspace.Copy
	}
	return parted(st, was, is, addr, ps)
}

// broughtIn is for a page that was absent: where its content came from.
func broughtIn(m vmspace.Mapping, is vmspace.Run) vmspace.Happening {
	switch is.State {
	case vmspace.Zero:
		return vmspace.ZeroMap
	case vmspace.Anon, vmspace.COW:
		if m.Inode != 0 && !strings.HasPrefix(m.Path, "/dev/zero") {
			return vmspace.Copy
		}
		return vmspace.ZeroFill
	}
	return vmspace.MapPage
}

// parted is for a write to an anonymous page that took a fault: the frame tells whether it was copied. Where frames are hidden, a small
// page that was mapped elsewhere too must have been copied (do_wp_page in mm/memory.c); of one that was not, nothing can be said.
func parted(st *Step, was, is vmspace.Run, addr, ps uint64) vmspace.Happening {
	if !st.After.Frames {
		if was.State == vmspace.COW && was.Attrs&vmspace.Huge == 0 {
			return vmspace.Copy
		}
		return ""
	}
	switch {
	case was.FrameOf((addr-was.Start)/ps) != is.FrameOf((addr-is.Start)/ps):
		return vmspace.Copy
	case (st.Focus.End-1)&^(ps-1) != addr&^(ps-1):
		return "" // the faults may have been those of the pages behind it
	}
	return vmspace.Reuse
}

func always(a vmspace.Access) func(*lang.Command) vmspace.Access {
	return func(*lang.Command) vmspace.Access { return a }
}
