package actions

import (
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// Predictions compared with what happened, for the first page that an access touches.

// foretell predicts the access of a command to its first page. On arm64 a touch that writes loads
// the byte before it stores it: a refused load comes before a refused store.
func (s *Session) foretell(c *verb.Call) []vmspace.Happening {
	can := s.last().Predict(c.P.Label, c.Focus.Start, c.Action.Access(c.Cmd)).Can
	if !c.Args.LoadsFirst {
		return can
	}
	load := s.last().Predict(c.P.Label, c.Focus.Start, vmspace.Load).Can
	refused := slices.DeleteFunc(slices.Clone(load), func(h vmspace.Happening) bool { return !h.Refused() })
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
	f := kernel.Facts()
	f.NeverForked, f.Limits = !s.f.Copied, s.f.BornWith
	f.Reprotected = s.f.Reprotected && f.Reprotected
	f.Userfaultfd, f.WriteTracked, f.ProtectedMoved = s.f.Userfaultfd, s.f.WriteTracked, s.f.ProtectedMoved
	f.OnlyStack = f.OnlyStack || s.glanced // plain memory does not grow downwards
	return f
}

// happened determines the outcome for the first page of the access, from that page and the fault
// counters before and after; "" if nothing shows it.
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
		return "" // no byte was reached, or none was requested
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
		return "" // one of the faults was that of the instruction fetch
	case was.Word&vmspace.WordPresent == 0:
		return vmspace.BroughtIn(m, is)
	case access == vmspace.Load:
		return vmspace.NoFault
	case was.State == vmspace.Zero:
		return vmspace.ZeroFill
	case was.State == vmspace.File:
		return vmspace.Copy
	}
	return parted(st, was, is, addr, ps)
}

// fetched is for exec: the code that was reached may have done anything, so the signal is that of
// the fetch only if it is at the very instruction.
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
	// Zeros, for example, are an instruction that stores, possibly to its own address: if the
	// memory is executable, it was not the fetch that failed.
	may := m.Perms&vmspace.Exec != 0
	refused := vmspace.Happening(st.Result.String())
	if st.Fault == c.Ending.IP && st.Fault == addr && (refused == vmspace.MapErr || refused == vmspace.BusErr || refused == vmspace.MceErr || refused == vmspace.AccErr && !may) {
		return refused
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
	return vmspace.BroughtIn(m, is)
}

// parted is for a write to an anonymous page that took a fault: the frame shows whether the page
// was copied. If frames are hidden, a small page that was mapped elsewhere too must have been
// copied, and an exclusive one is never copied (do_wp_page in mm/memory.c); in all other cases the
// outcome is unknown.
func parted(st *history.Step, was, is vmspace.Run, addr, ps uint64) vmspace.Happening {
	switch {
	case !st.After.Frames && was.State == vmspace.COW && was.Attrs&vmspace.Huge == 0:
		return vmspace.Copy
	case !st.After.Frames && was.State != vmspace.Shared:
		return ""
	case was.FrameOf((addr-was.Start)/ps) != is.FrameOf((addr-is.Start)/ps):
		return vmspace.Copy
	case (st.Focus.End-1)&^(ps-1) != addr&^(ps-1):
		return "" // the faults may be those of the pages after it
	}
	return vmspace.Reuse
}
