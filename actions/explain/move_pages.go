package explain

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/amount"
)

// What move_pages refuses, in the order of kernel_move_pages and do_pages_move in mm/migrate.c, and
// what it answers for each page.

// Unanswered stands where the kernel gave no answer for a page.
const Unanswered = math.MinInt32

// Statuses are the answers of move_pages that a step has kept: a node, or an errno below 0.
func Statuses(b []byte) []int32 {
	all := make([]int32, len(b)/4)
	for i := range all {
		all[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return all
}

// statusErrnos are the errnos that move_pages(2) answers for a page.
var statusErrnos = map[int32]string{-2: "ENOENT", -5: "EIO", -12: "ENOMEM", -13: "EACCES", -14: "EFAULT", -16: "EBUSY", -22: "EINVAL"}

// StatusText writes an answer as a script does: 0, ENOENT.
func StatusText(status int32) string {
	switch name, known := statusErrnos[status]; {
	case known:
		return name
	case status == Unanswered:
		return "none"
	case status < 0:
		return "E" + strconv.Itoa(-int(status))
	}
	return strconv.Itoa(int(status))
}

var movePagesReasons = []reason{
	unknownFlags("move_pages(2)", "move_pages has MPOL_MF_MOVE (2) and MPOL_MF_MOVE_ALL (4)"),
	{"EPERM", "CAP_SYS_NICE", "move_pages(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("moving pages that others map takes CAP_SYS_NICE, which %s does not have.", e.st.Process)
	}},
	callerMemory,
	{"ENODEV", "no memory there", "move_pages(2)", func(e *evidence) bool {
		have := e.memoryNodes()
		return e.passed("node") && !e.Given.Empty() && len(have) > 0 && !slices.Contains(have, e.targetNode())
	}, func(e *evidence) string {
		return fmt.Sprintf("there is no node %d with memory: memory lies in %s (has_memory).", e.targetNode(), nodeText(e.memoryNodes()))
	}},
	fallback("ENODEV", "move_pages(2)", "there is no such node, or it has no memory."),
	{"EACCES", "cpuset", "move_pages(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("%s may not take memory from node %d (Mems_allowed_list, cpuset(7)).", e.st.Process, e.targetNode())
	}},
	fallback("ENOMEM", "move_pages(2)", "the node has no free memory for the pages."),
}

// targetNode is the node that pages are moved to.
func (e *evidence) targetNode() int { return int(int32(e.number("node"))) }

// explainMovePages says where the pages are, those with one answer together.
func explainMovePages(e *evidence) string {
	if e.st.Done == 0 {
		return "The range is empty, so there was nothing to do."
	}
	var order []string
	count := map[string]uint64{}
	at := e.Given.Start &^ (e.pageSize() - 1)
	statuses := Statuses(e.st.Bytes)
	for _, status := range statuses {
		what := e.pageStatus(status, at)
		if count[what] == 0 {
			order = append(order, what)
		}
		count[what]++
		at += e.pageSize()
	}
	var parts []string
	for _, what := range order {
		parts = append(parts, fmt.Sprintf("%s: %s", amount.Of(count[what], "page"), what))
	}
	text := strings.Join(parts, "; ") + "."
	if kept := uint64(len(statuses)); kept < e.st.Done {
		text = fmt.Sprintf("Of the first %d pages: %s", kept, text)
	}
	if left := e.st.Value; left > 0 {
		text += fmt.Sprintf(" According to the call, %s not moved.", pagesWere(left))
	}
	return text + e.movedPagesText()
}

// pageStatus says what an answer means for the page at addr.
func (e *evidence) pageStatus(status int32, addr uint64) string {
	m, mapped := e.before.MappingAt(addr)
	state := e.before.PageAt(addr, e.pageSize()).State
	name := StatusText(status)
	switch {
	case status >= 0:
		return "in node " + name
	case status == Unanswered:
		return "no answer, since the call ended before"
	case name == "EACCES":
		return "mapped more than once, so that only `all` moves it (EACCES)"
	case name == "EBUSY":
		return "in use by the kernel at the moment (EBUSY)"
	}
	what := "the kernel answers"
	switch {
	case name != "EFAULT" && name != "ENOENT":
	case !mapped:
		what = "nothing is mapped there"
	case lent(m):
		what = "lent by the kernel"
	case state == vmspace.Zero:
		what = "the zero page, which everybody shares"
	case state == vmspace.None:
		what = "not in the page table"
	case state == vmspace.Swapped || state == vmspace.Guard:
		what = state.String()
	}
	return fmt.Sprintf("%s (%s)", what, name)
}
