package verb

import (
	"encoding/binary"
	"fmt"

	"cowscope/actions/lang"
	"cowscope/actions/subject"
)

var sysMbind = number(237, 235)

// policies are the MPOL_ modes of mbind(2) (include/uapi/linux/mempolicy.h).
var policies = []Constant{
	{"default", "MPOL_DEFAULT", 0, "as the policy of the process says"},
	{"preferred", "MPOL_PREFERRED", 1, "from this node if it has room"},
	{"bind", "MPOL_BIND", 2, "from these nodes only"},
	{"interleave", "MPOL_INTERLEAVE", 3, "from these nodes in turn"},
	{"local", "MPOL_LOCAL", 4, "from the node of the CPU that touches it first"},
	{"preferred_many", "MPOL_PREFERRED_MANY", 5, "from these nodes if they have room (since Linux 5.15)"},
	{"weighted_interleave", "MPOL_WEIGHTED_INTERLEAVE", 6, "from these nodes in turn, by their weights (since Linux 6.9)"},
}

// mpolMove is MPOL_MF_MOVE.
const mpolMove = 2

var mbindAction = Action{
	Verb: lang.Verb{Name: "mbind", Summary: "set the NUMA nodes that the pages of a range come from", Params: []lang.Param{ParamRange,
		{Name: "mode", Kind: lang.KindChoice, Default: "bind", Words: words(policies), Show: "MODE", Help: "how a node is chosen"},
		{Name: "nodes", Kind: lang.KindNodes, Optional: true, Default: "0", Help: "which nodes: 0, 0,2 or 0-3"},
		{Name: "move", Kind: lang.KindFlags, Optional: true, Words: []lang.Word{{Name: "move", Help: "pages that lie elsewhere are moved there"}}}}},
	Calls: []uintptr{sysMbind},
	Flags: policies,
	Run:   runMbind,
}

// runMbind passes the node numbers as a bit mask in memory that is lent to the subject for the
// call; without node numbers the kernel gets no mask.
func runMbind(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	flags, shown := uint64(0), "0"
	if c.Cmd.Has("move") {
		flags, shown = mpolMove, "MPOL_MF_MOVE"
	}
	c.focus(r)
	nodes, given := c.Cmd.Nodes("nodes")
	if !given {
		c.Call = fmt.Sprintf("mbind(0x%x, %d, %s, NULL, 0, %s)", r.Start, r.Len(), c.Args.Names, shown)
		_, _, err = c.syscall(sysMbind, r.Start, r.Len(), c.Args.Flags, 0, 0, flags)
		return err
	}
	mask := maskOf(nodes)
	bits := uint64(8*len(mask)) + 1 // the kernel takes one less (get_nodes in mm/mempolicy.c)
	c.Call = fmt.Sprintf("mbind(0x%x, %d, %s, [%s], %d, %s)", r.Start, r.Len(), c.Args.Names, nodes.Text, bits, shown)
	return c.lend(r, mask, func(loan *subject.Loan) error {
		_, _, err := c.syscall(sysMbind, r.Start, r.Len(), c.Args.Flags, loan.Addr, bits, flags)
		return err
	})
}

// maskOf has a bit for each node, in whole words up to the largest node.
func maskOf(nodes lang.Nodes) (mask []byte) {
	words := nodes.Bits[:]
	for len(words) > 1 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	for _, w := range words {
		mask = binary.LittleEndian.AppendUint64(mask, w)
	}
	return mask
}
