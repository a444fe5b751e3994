package family

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

// Member is a process of the family.
type Member struct {
	vmspace.Member
	Proc          Actor
	Gone          string       // how it ended, "" while it lives
	dead          bool         // it is not even a zombie any more
	Keys          vmspace.Keys // its rights to protection keys
	*ThreadGroup               // that it is of
	*AddressSpace              // that it runs in
}

// ThreadGroup is what belongs to a process as a whole: its threads share it.
type ThreadGroup struct {
	Limits      vmspace.Limits // a child begins with those of its parent
	Userfaultfd *uint64        // its descriptor of userfaultfd, nil before the first use
}

// copy is the thread group of a child.
func (g *ThreadGroup) copy() *ThreadGroup { return &ThreadGroup{Limits: g.Limits} }

// Stranger is a member that is not cowscope's own. Of its traits nothing is known.
func Stranger(m vmspace.Member) *Member {
	return &Member{Member: m, ThreadGroup: &ThreadGroup{}, AddressSpace: &AddressSpace{}}
}

// Traits are what a member has beside its memory.
func (m *Member) Traits() history.Traits {
	return history.Traits{Keys: m.Keys, Limits: m.Limits, SpaceTraits: m.SpaceTraits}
}

// AddressSpace is what belongs to an address space as a whole: members that run in it share it.
type AddressSpace struct {
	shared     bool // by several members, at least once
	generation int  // number of ancestors that it is a copy of
	history.SpaceTraits
}

// copy is the address space of a child that fork makes.
func (s *AddressSpace) copy() *AddressSpace {
	return &AddressSpace{generation: s.generation + 1, SpaceTraits: s.Inherited()}
}

// Adopt gives the child of a fork its label.
func (f *Family) Adopt(proc Actor, parent *Member) *Member {
	f.Copied = true
	return f.adopt(proc, parent, false, parent.AddressSpace.copy())
}

// AdoptInside gives the child of a vfork its label. It runs in the memory of its parent, and its
// descriptors are copies.
func (f *Family) AdoptInside(proc *subject.Process, parent *Member) *Member {
	parent.shared = true
	m := f.adopt(own{proc}, parent, false, parent.AddressSpace)
	m.Userfaultfd = parent.Userfaultfd
	return m
}

// AdoptThread gives a new thread of a process its label.
func (f *Family) AdoptThread(proc *subject.Process, by *Member) *Member {
	by.shared = true
	return f.adopt(own{proc}, by, true, by.AddressSpace)
}

// adopt gives a process its label, or a thread of the process that by is of; by made it, nil for the
// first.
func (f *Family) adopt(proc Actor, by *Member, thread bool, in *AddressSpace) *Member {
	f.Born++
	m := &Member{Member: vmspace.Member{Label: fmt.Sprintf("p%d", f.Born), PID: proc.PID(), Thread: thread}, Proc: proc, AddressSpace: in}
	switch {
	case by == nil:
		m.ThreadGroup = &ThreadGroup{Limits: f.BornWith}
	case thread:
		m.ThreadGroup = by.ThreadGroup
	default:
		m.ThreadGroup = by.ThreadGroup.copy()
	}
	if by != nil {
		m.Parent, m.Keys = by.Leader(), by.Keys
	}
	f.ReadKeys(m)
	f.Members = append(f.Members, m)
	return m
}
