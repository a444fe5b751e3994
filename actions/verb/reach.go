package verb

import (
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// Reach is how far a command that ends well can go, in plain memory.
type Reach int

const (
	ReachAll      Reach = iota // it is not known to stop anywhere
	ReachPages                 // the pages it touches
	ReachMappings              // and the mappings there
)

// reachUnlessKeyed is for a call that gives memory these letters: with PROT_EXEC alone it gets a
// protection key too, which only smaps tells.
func reachUnlessKeyed(cmd *lang.Command) Reach {
	if prot, _ := cmd.Prot("prot"); prot == lang.ProtExec {
		return ReachAll
	}
	return ReachMappings
}

func reaches(r Reach) func(*lang.Command) Reach {
	return func(*lang.Command) Reach { return r }
}

// MayReach is how far the command can go if it ends well.
func (c *Call) MayReach() Reach {
	if c.Action.Reach == nil || c.P.LocksFuture || c.P.Keys.Used {
		return ReachAll
	}
	return c.Action.Reach(c.Cmd)
}

func always(a vmspace.Access) func(*lang.Command) vmspace.Access {
	return func(*lang.Command) vmspace.Access { return a }
}
