package actions

import (
	"runtime"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// Predictions held against what happened, for the first page that an access goes to.

// foretell is what a command's access to its first page can lead to. On arm64 a touch that writes
// loads the byte before it stores it: what the load is refused for comes before what the store is.
func (s *Session) foretell(c *verb.Call) []vmspace.Happening {
	access := c.Action.Access(c.Cmd)
	can := s.last().Predict(c.P.Label, c.Focus.Start, access).Can
	if runtime.GOARCH != "arm64" || !c.Action.LoadsFirst || access != vmspace.Store {
		return can
	}
	load := s.last().Predict(c.P.Label, c.Focus.Start, vmspace.Load).Can
	refused := slices.DeleteFunc(slices.Clone(load), func(h vmspace.Happening) bool { return !strings.HasPrefix(string(h), "SIG") })
	if len(refused) == len(load) {
		return load
	}
	for _, h := range refused {
		if !slices.Contains(can, h) {
			can = append(can, h)
		}
	}
	return can
}

// facts are what the session knows beside a snapshot.
func (s *Session) facts() vmspace.Facts {
	f := vmspace.NoFacts
	f.Arch, f.NeverForked, f.StackLimit, f.ExecOnly = runtime.GOARCH, s.f.Born == 1, s.f.StackLimit, kernel.ExecOnly()
	f.Reprotected = s.f.Reprotected && kernel.LeavesProtected()
	f.OnlyStack = f.OnlyStack || s.glanced // plain memory does not grow
	return f
}

// happened finds which of the happenings it was for the page that the access went to first, from
// that page and the faults before and after; "" where nothing shows it.
func happened(st *history.Step, c *verb.Call) vmspace.Happening {
	access := c.Action.Access(c.Cmd)
	if access == vmspace.Fetch {
		return fetched(st, c)
	}
	ps := st.After.PageSize
	addr := st.Focus.Start
	if st.Result.Ending == history.EndedSignal && st.Fault&^(ps-1) == addr&^(ps-1) {
		return vmspace.Happening(st.Result.String())
	}
	p, q := st.Before.Process(st.Process), st.After.Process(st.Process)
	if p == nil || q == nil || st.Done == 0 && (st.Result != history.OK || access != vmspace.Fetch) {
		return "" // no byte was reached, or none was asked for
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
	case was.Word&vmspace.WordPresent != 0 && stubsAway(p, ps):
		return "" // a fault was the instruction's
	case was.Word&vmspace.WordPresent == 0:
		return broughtIn(m, is)
	case access == vmspace.Load:
		return vmspace.NoFault
	case was.State == vmspace.Zero:
		return vmspace.ZeroFill
	case was.State == vmspace.File:
		return vmspace.Copy
	}
	return parted(st, was, is, addr, ps)
}

// fetchSignals are what a fetch can raise, from a mapping that may be executed and from elsewhere.
var fetchSignals = map[bool][]string{
	true:  {"SIGSEGV/MAPERR", "SIGBUS/ADRERR"},
	false: {"SIGSEGV/MAPERR", "SIGSEGV/ACCERR", "SIGBUS/ADRERR"},
}

// fetched is for executing: the code that was reached may have done anything, so the signal is the
// fetch's own only where it names the very instruction.
func fetched(st *history.Step, c *verb.Call) vmspace.Happening {
	ps := st.After.PageSize
	addr := st.Focus.Start
	p, q := st.Before.Process(st.Process), st.After.Process(st.Process)
	if p == nil || q == nil || st.Result == history.Exited {
		return ""
	}
	m, mapped := p.MappingAt(addr)
	grown := false
	if !mapped {
		m, grown = q.MappingAt(addr)
	}
	// Zeros, for instance, are an instruction that stores, and can store to where it stands: what
	// may be executed, the fetch did not fail on.
	may := m.Perms&vmspace.Exec != 0
	if st.Fault == c.Ending.IP && st.Fault == addr && slices.Contains(fetchSignals[may], st.Result.String()) {
		return vmspace.Happening(st.Result.String())
	}
	was, is := p.PageAt(addr, ps), q.PageAt(addr, ps)
	switch {
	case grown:
		return vmspace.Grow
	case !mapped:
		return ""
	case was.State == vmspace.Swapped:
		return vmspace.SwapIn
	case was.Word&vmspace.WordPresent != 0:
		return vmspace.NoFault
	case m.Perms&vmspace.Write != 0 && is.State == vmspace.Anon:
		return "" // brought in by the fetch, or by a store of the code
	}
	return broughtIn(m, is)
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

// parted is for a write to an anonymous page that took a fault: the frame tells whether it was
// copied. Where frames are hidden, a small page that was mapped elsewhere too must have been
// copied, and a shared one is never copied (do_wp_page in mm/memory.c); of others nothing can be
// said.
func parted(st *history.Step, was, is vmspace.Run, addr, ps uint64) vmspace.Happening {
	switch {
	case !st.After.Frames && was.State == vmspace.COW && was.Attrs&vmspace.Huge == 0:
		return vmspace.Copy
	case !st.After.Frames && was.State != vmspace.Shared:
		return ""
	case was.FrameOf((addr-was.Start)/ps) != is.FrameOf((addr-is.Start)/ps):
		return vmspace.Copy
	case (st.Focus.End-1)&^(ps-1) != addr&^(ps-1):
		return "" // the faults may have been those of the pages behind it
	}
	return vmspace.Reuse
}
