package explain

import (
	"fmt"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// The address that a signal reports, and what was mapped around it.

// faultMapping is the mapping that contains the address of the fault, before the access.
func (e *evidence) faultMapping() (vmspace.Mapping, bool) { return e.before.MappingAt(e.st.Fault) }

// faultMappingNow is that mapping, or the one that grew to the address.
func (e *evidence) faultMappingNow() vmspace.Mapping {
	m, ok := e.faultMapping()
	if now := e.st.After.Process(e.st.Process); !ok && now != nil {
		m, _ = now.MappingAt(e.st.Fault)
	}
	return m
}

func (e *evidence) faultPage() vmspace.Run { return e.before.PageAt(e.st.Fault, e.pageSize()) }

// faultPageNow is the page at the fault after the access.
func (e *evidence) faultPageNow() vmspace.Run {
	if p := e.st.After.Process(e.st.Process); p != nil {
		return p.PageAt(e.st.Fault, e.pageSize())
	}
	return vmspace.Run{}
}

// lacks says whether the mapping at the fault has none of the letters.
func (e *evidence) lacks(letters vmspace.Perms) bool {
	m, ok := e.faultMapping()
	return ok && m.Perms&letters == 0
}

func (e *evidence) denied() string {
	m, _ := e.faultMapping()
	return fmt.Sprintf("%s is mapped %s, which does not allow %s", e.placeText(e.st.Fault), m.Perms, e.accessWord())
}

// access is the access that the instruction made, if known. Foreign code that accessed a page that
// may be read but not written has written, unless the address is at or just after the instruction:
// then the instruction could not be fetched.
func (e *evidence) access() (a vmspace.Access, known bool) {
	switch {
	case !e.Accesses:
		return vmspace.Store, true
	case e.Access != vmspace.Fetch:
		return e.Access, true
	case e.st.Fault == e.StoppedAt:
		return vmspace.Fetch, true
	case e.st.Fault-e.StoppedAt > longestInstruction && e.lacks(vmspace.Write) && !e.lacks(vmspace.Read):
		return vmspace.Store, true
	}
	return 0, false
}

// accessed says whether the instruction is known to have made that access.
func (e *evidence) accessed(want vmspace.Access) bool {
	a, known := e.access()
	return known && a == want
}

// longestInstruction is the maximum length of an x86 instruction, in bytes.
const longestInstruction = 15

// accessWord names the access in a sentence.
func (e *evidence) accessWord() string {
	if a, known := e.access(); known {
		return [...]string{"reading", "writing", "executing"}[a]
	}
	return "the access"
}

// unmappedIn is the last step that unmapped the address of the fault; nil if none did.
func (e *evidence) unmappedIn() *history.Step {
	if _, ok := e.faultMapping(); ok {
		return nil
	}
	for st := range e.earlier() {
		if st.Before == nil { // the fresh subject
			break
		}
		was, is := st.Before.Process(e.st.Process), st.After.Process(e.st.Process)
		if was == nil || is == nil {
			continue
		}
		_, before := was.MappingAt(e.st.Fault)
		if _, after := is.MappingAt(e.st.Fault); before && !after && st.Command != "" {
			return st
		}
	}
	return nil
}

// nearestText names the mapping next to the fault.
func (e *evidence) nearestText() string {
	i, _ := e.before.Mappings.Find(e.st.Fault)
	var below, above vmspace.Mapping
	down, up := ^uint64(0), ^uint64(0)
	if i > 0 {
		below = e.before.Mappings.At(i - 1)
		down = e.st.Fault - below.End
	}
	if i < e.before.Mappings.Len() {
		above = e.before.Mappings.At(i)
		up = above.Start - e.st.Fault
	}
	switch {
	case down == 0:
		return fmt.Sprintf("The mapping before it, %s, ends just there.", e.mappingName(below, below.End-1))
	case down <= up:
		return fmt.Sprintf("The nearest mapping, %s, ended %s before it.", e.mappingName(below, below.End-1), amount.Size(down))
	}
	return fmt.Sprintf("The nearest mapping, %s, begins %s after it.", e.mappingName(above, above.Start), amount.Size(up))
}

// nonCanonical is the first address of the access that is not canonical, 0 where all are: the lower
// half belongs to the user, the upper half to the kernel, and between them there are none.
func (e *evidence) nonCanonical() uint64 {
	n := kernel.AddressBits()
	if n == 0 || e.st.Focus.Empty() {
		return 0
	}
	half := uint64(1) << n
	if r := e.st.Focus.Intersect(vmspace.Range{Start: half, End: -half}); !r.Empty() {
		return r.Start
	}
	return 0
}
