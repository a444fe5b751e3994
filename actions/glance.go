package actions

import (
	"slices"

	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/actions/verb"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Rules of this file: a glance at what a step of a script did reads no more than its command can
// have changed, and that is known only of commands that ended well, on plain memory: private,
// anonymous, without VmFlags that say more than the letters do, and with nothing in its counters
// that a page's word does not show. Everything else is read in full, as every step of the lab is,
// and of what is kept. A test runs scripts both ways and holds the steps against each other.

// plainFlags are the VmFlags that the letters of a mapping, and those that it may be given, bring
// with them (proc_pid_smaps(5)).
var plainFlags = []string{"rd", "wr", "ex", "mr", "mw", "me", "ac", "sd"}

// plain says whether m is plain memory. Without Smaps it is: only a glance leaves them out, at
// memory that was plain.
func plain(m *vmspace.Mapping) bool {
	if m.Path != "" || m.Inode != 0 || !m.Private() {
		return false
	}
	c := m.Smaps
	return c == nil || c.Swap+c.Locked+c.LazyFree+c.KSM == 0 && c.ProtectionKey == 0 &&
		!slices.ContainsFunc(c.VMFlags, func(f string) bool { return !slices.Contains(plainFlags, f) })
}

// reachOf is how far the command has gone.
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
		return verb.ReachAll // running the command brought its own instructions back
	}
	r := c.Touched[0].Range
	mapped := uint64(0)
	for _, m := range p.Mappings.From(r.Start - 1) {
		if m.Start > r.End {
			break
		}
		// A neighbour counts that what is mapped here can be merged with, though it has flags of
		// its own: the random test saw gu, which guard_install leaves, handed on by a merge.
		if !plain(&m) && (m.Overlaps(r) || m.Path == "" && m.Inode == 0) {
			return verb.ReachAll
		}
		mapped += m.Intersect(r).Len()
	}
	if reach == verb.ReachPages && mapped < r.Len() { // and yet it ended well: the stack grew
		return verb.ReachAll
	}
	return reach
}

// stubsAway says whether the page of the process that holds the instructions for every command is
// not there: the next one brings it back, with a fault that is not the command's own.
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

// before is the family as the command finds it. What glances left out is read now where the command
// can be about it.
func (s *Session) before(c *verb.Call) (*vmspace.Snapshot, error) {
	if s.glanced && !c.Action.Check && c.MayReach() == verb.ReachAll {
		return s.f.Observe(observe.Scope{})
	}
	return s.last().After, nil
}
