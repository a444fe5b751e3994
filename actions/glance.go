package actions

import (
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Rules of this file: after a step of a script, a glance reads only what its command can have
// changed. That is known only for commands that succeeded, on plain memory: private, anonymous,
// without VmFlags beyond those that follow from the permissions, and with nothing in its counters
// that the page words do not show. Everything else is read in full, as every step of the lab is,
// and every step that is saved. A test runs scripts both ways and compares the steps.

// plainFlags are the VmFlags that follow from the permissions of a mapping, and from those that it
// may be given (proc_pid_smaps(5)).
var plainFlags = []string{"rd", "wr", "ex", "mr", "mw", "me", "ac", "sd"}

// plain reports whether m is plain memory. A mapping without Smaps is: only a glance leaves them
// out, and only for plain memory.
func plain(m *vmspace.Mapping) bool {
	if m.Path != "" || m.Inode != 0 || !m.Private() {
		return false
	}
	c := m.Smaps
	return c == nil || c.Swap+c.Locked+c.LazyFree+c.KSM == 0 && c.ProtectionKey == 0 &&
		!slices.ContainsFunc(c.VMFlags, func(f string) bool { return !slices.Contains(plainFlags, f) })
}

// reachOf is how much the command can have changed.
func (s *Session) reachOf(c *verb.Call, before *vmspace.Snapshot) verb.Reach {
	reach := c.MayReach()
	if !s.opts.Glance || reach == verb.ReachAll || c.Result != history.OK || c.Note != "" || len(c.Touched) != 1 {
		return verb.ReachAll
	}
	p := before.Process(c.P.Label)
	if p == nil || p.Mappings.Len() == 0 || !s.glanced && p.Mappings.At(0).Smaps == nil {
		return verb.ReachAll
	}
	if stubsAway(p, before.PageSize) {
		// Running the command mapped its own instructions again.
		return verb.ReachAll
	}
	r := c.Touched[0].Range
	mapped := uint64(0)
	for _, m := range p.Mappings.From(max(r.Start, 1) - 1) { // root can map address 0
		if m.Start > r.End {
			break
		}
		// A neighbour that can be merged with the new mapping counts too, because it may have
		// flags: a random test saw gu, which guard_install leaves, inherited by a merge.
		if !plain(&m) && (m.Overlaps(r) || m.Path == "" && m.Inode == 0) {
			return verb.ReachAll
		}
		mapped += m.Intersect(r).Len()
	}
	// The command succeeded all the same: the stack grew.
	if reach == verb.ReachPages && mapped < r.Len() {
		return verb.ReachAll
	}
	return reach
}

// stubsAway reports whether the page with cowscope's instructions is absent in the process: the
// next command brings it back, with a fault that is not its own.
func stubsAway(p *vmspace.Process, pageSize uint64) bool {
	text, _ := subject.Text()
	return p.PageAt(text, pageSize).Word&vmspace.WordPresent == 0
}

// after reads the family after a command.
func (s *Session) after(c *verb.Call, before *vmspace.Snapshot) (*vmspace.Snapshot, error) {
	if c.Action.Check {
		return before, nil
	}
	reach := s.reachOf(c, before)
	s.glanced = reach != verb.ReachAll
	if !s.glanced {
		return s.f.Observe(observe.Within(c.Touched...))
	}
	minor, major := c.P.Proc.Faults()
	return s.f.Observe(observe.AtRest(c.Touched[0], observe.Held{Mapped: reach == verb.ReachMappings, Minor: minor - c.MinorBefore, Major: major - c.MajorBefore}))
}

// before is the family before the command. If the command can concern what glances left out, that
// is read now.
func (s *Session) before(c *verb.Call) (*vmspace.Snapshot, error) {
	if s.glanced && !c.Action.Check && c.MayReach() == verb.ReachAll {
		return s.f.Observe(observe.Scope{})
	}
	return s.last().After, nil
}
