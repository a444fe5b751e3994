package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/vmspace"
)

// What mbind refuses, and what it did, in the order of kernel_mbind and do_mbind in mm/mempolicy.c.
// For an empty range only the mode and the node numbers are checked.

var mbindReasons = []reason{
	{"EINVAL", "unknown mode", "mbind(2)", func(e *evidence) bool { return !kernel.KnowsPolicy(e.Flags) },
		func(e *evidence) string { return fmt.Sprintf("this kernel does not know %s.", e.Names) }},
	{"EINVAL", "node too large", "mm/mempolicy.c, get_nodes", func(e *evidence) bool { most := e.nodeBits(); return most > 0 && e.lastNode() >= most },
		func(e *evidence) string {
			return fmt.Sprintf("this kernel is built for node numbers up to %d, and %d is larger.", e.nodeBits()-1, e.lastNode())
		}},
	callerMemory,
	misaligned("mbind(2)"),
	wraps("EINVAL", "mm/mempolicy.c, do_mbind"),
	{"EINVAL", "no nodes wanted", "mbind(2)", func(e *evidence) bool { return e.passed("nodes") && e.takesNoNodes() && !e.Given.Empty() },
		func(e *evidence) string { return fmt.Sprintf("%s takes no nodes, and some were given.", e.Names) }},
	{"EINVAL", "no nodes named", "mbind(2)", func(e *evidence) bool {
		return !e.passed("nodes") && !e.takesNoNodes() && !e.has("preferred") && !e.Given.Empty()
	}, func(e *evidence) string {
		return fmt.Sprintf("%s needs nodes, and none was given.", e.Names)
	}},
	{"EINVAL", "no memory there", "mbind(2)", func(e *evidence) bool { return e.passed("nodes") && e.nodesLackMemory() && !e.Given.Empty() },
		func(e *evidence) string {
			return fmt.Sprintf("none of the nodes has memory for %s: that lies in %s (Mems_allowed_list and has_memory).", e.st.Process, nodeText(e.nodesWithMemory()))
		}},
	splitsLent((*evidence).pages),
	splitsHuge((*evidence).pages),
	fallback("EINVAL", "mbind(2)", "the mode does not go with these nodes, or a mapping there cannot have a policy."),
	{"EFAULT", "hole", "mbind(2)", func(e *evidence) bool {
		addr, ok := e.hole(e.rounded)
		_, some := e.firstMapping(e.rounded, anything)
		return ok && (addr == e.rounded.Start && !some || !e.has("default"))
	}, func(e *evidence) string {
		addr, _ := e.hole(e.rounded)
		return fmt.Sprintf("nothing is mapped at %s (mbind says EFAULT where other calls say ENOMEM).", e.placeText(addr))
	}},
	tooMany("ENOMEM", "mbind(2)"),
	fallback("ENOMEM", "mbind(2)", "the kernel has no memory for its own records of the policy or of the mappings."),
}

// takesNoNodes says whether the mode names no node.
func (e *evidence) takesNoNodes() bool { return e.has("default") || e.has("local") }

// nodes are the node numbers that were given.
func (e *evidence) nodes() []int { return parseNodeList(e.text("nodes")) }

func (e *evidence) lastNode() int {
	if nodes := e.nodes(); len(nodes) > 0 {
		return slices.Max(nodes)
	}
	return -1
}

// nodeBits is the number of nodes that the kernel is built for: Mems_allowed has a bit for each
// (MAX_NUMNODES), in words of 32 bits; 0 if that cannot be read.
func (e *evidence) nodeBits() int {
	words := kernel.FieldsOf(e.OfProcess("status"), "Mems_allowed")
	if len(words) == 0 {
		return 0
	}
	return 32 * (strings.Count(words[0], ",") + 1)
}

// nodesWithMemory are those that have memory, and from which the process may take it (cpuset(7)).
func (e *evidence) nodesWithMemory() []int {
	allowed := kernel.FieldsOf(e.OfProcess("status"), "Mems_allowed_list")
	if len(allowed) == 0 {
		return nil
	}
	return slices.DeleteFunc(e.memoryNodes(), func(n int) bool { return !slices.Contains(parseNodeList(allowed[0]), n) })
}

// memoryNodes are the nodes that have memory.
func (e *evidence) memoryNodes() []int {
	return parseNodeList(strings.TrimSpace(e.Contents("/sys/devices/system/node/has_memory")))
}

func (e *evidence) nodesLackMemory() bool {
	have := e.nodesWithMemory()
	return len(have) > 0 && !slices.ContainsFunc(e.nodes(), func(n int) bool { return slices.Contains(have, n) })
}

// parseNodeList reads numbers such as 0-3,8.
func parseNodeList(text string) (nodes []int) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		lo, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		hi := lo
		if isRange {
			if hi, err = strconv.Atoi(last); err != nil {
				continue
			}
		}
		for n := lo; n <= hi; n++ {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func nodeText(nodes []int) string {
	var text []string
	for _, n := range nodes {
		text = append(text, strconv.Itoa(n))
	}
	if len(text) == 1 {
		return "node " + text[0]
	}
	return "nodes " + strings.Join(text, ", ")
}

// explainMbind explains what numa_maps shows of the range after the call, and how mappings were
// split or merged.
func explainMbind(e *evidence) string {
	text := "The kernel took note of the policy."
	first, _ := e.firstMapping(e.rounded, anything)
	if policy, found := kernel.Policy(e.OfProcess("numa_maps"), max(first.Start, e.rounded.Start)); found {
		text = fmt.Sprintf("The policy of the range is %s now (numa_maps).", policy)
	}
	switch moved := e.movedPagesText(); {
	case moved != "":
		text += moved
	case e.has("move"):
		text += " No page had to be moved."
	case e.before.Resident(e.rounded) > 0:
		text += " Pages that are there stay where they are: move would move them."
	}
	return text + e.dividedText("policy", "policy")
}

// movedPagesText says how many pages of the range are in other frames now, "" if none are.
func (e *evidence) movedPagesText() string {
	moved := uint64(0)
	for _, ch := range changesOf(e.st.Changes, e.st.Process, vmspace.ChangeFrame) {
		moved += ch.Range.Intersect(e.rounded).Pages(e.pageSize())
	}
	if moved == 0 {
		return ""
	}
	return fmt.Sprintf(" %s moved: the contents are in other frames now.", pagesWere(moved))
}
