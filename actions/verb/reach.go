package verb

import (
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Reach is how much a command that succeeds can change, in plain memory.
type Reach int

const (
	ReachAll      Reach = iota // anything
	ReachPages                 // pages in its range
	ReachMappings              // pages and mappings in its range
)

// reachUnlessKeyed is for a call that sets permissions: with PROT_EXEC alone the memory gets a
// protection key too, which only smaps shows; with other bits the call can reach past its range
// (PROT_GROWSDOWN).
func reachUnlessKeyed(cmd *lang.Command) Reach {
	if prot, _ := cmd.Prot("prot"); prot == lang.ProtExec || prot != prot.Letters() {
		return ReachAll
	}
	return ReachMappings
}

func reaches(r Reach) func(*lang.Command) Reach {
	return func(*lang.Command) Reach { return r }
}

// MayReach is how much the command can change if it succeeds.
func (c *Call) MayReach() Reach {
	if c.Action.Reach == nil || c.P.LocksFuture || c.P.Merges || c.P.Keys.Used || c.F.Userfaultfd || len(c.F.Sharing(c.P)) > 0 {
		return ReachAll
	}
	return c.Action.Reach(c.Cmd)
}

func always(a vmspace.Access) func(*lang.Command) vmspace.Access {
	return func(*lang.Command) vmspace.Access { return a }
}
