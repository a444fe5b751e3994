package explain

import "cowscope/vmspace"

// What grows down to a fault: the stack, or a mapping made with MAP_GROWSDOWN.

// grower calls m, which grows down, the stack, or what it is.
func (e *evidence) grower(m vmspace.Mapping) string {
	if m.Kind() == vmspace.KindStack {
		return "the stack"
	}
	at := m.Start
	if _, _, bound := e.st.Names.Of(e.owner, at); !bound { // a name that did not grow with it
		at = m.End - 1
	}
	return e.mappingName(m, at) + ", which grows downwards (VmFlags gd),"
}

// growerAbove is grower of the mapping that grows down towards the fault.
func (e *evidence) growerAbove() string {
	m, _ := e.stackAbove()
	return e.grower(m)
}

// stackAbove is the mapping that grows down towards the fault. The kernel calls [stack] whatever is
// mapped where the stack began (vma_is_initial_stack in include/linux/mm.h), and so smaps decides
// where it was read.
func (e *evidence) stackAbove() (vmspace.Mapping, bool) {
	i, mapped := e.before.Mappings.Find(e.st.Fault)
	if mapped || i == e.before.Mappings.Len() {
		return vmspace.Mapping{}, false
	}
	m := e.before.Mappings.At(i)
	return m, m.Smaps.HasFlag("gd") || m.Smaps == nil && m.Kind() == vmspace.KindStack
}

// belowStack is the mapping below a fault that a stack would have to grow to.
func (e *evidence) belowStack() (vmspace.Mapping, bool) {
	i, _ := e.before.Mappings.Find(e.st.Fault)
	if _, ok := e.stackAbove(); !ok || i == 0 {
		return vmspace.Mapping{}, false
	}
	m := e.before.Mappings.At(i - 1)
	return m, !m.Smaps.HasFlag("gd")
}

// stackGrew says whether the fault was in no mapping before, and is in one now.
func (e *evidence) stackGrew() bool {
	_, was := e.faultMapping()
	now := e.st.After.Process(e.st.Process)
	if was || now == nil {
		return false
	}
	_, is := now.MappingAt(e.st.Fault)
	return is
}

// stackSize is the size that a stack would have, grown to the fault.
func (e *evidence) stackSize(m vmspace.Mapping) uint64 { return m.End - e.faultPageStart() }

// faultPageStart is where the page of the fault begins.
func (e *evidence) faultPageStart() uint64 { return e.st.Fault &^ (e.pageSize() - 1) }
