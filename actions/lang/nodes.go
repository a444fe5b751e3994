package lang

import (
	"strconv"
	"strings"
)

// Node numbers, as the kernel writes them in /sys/devices/system/node: 0, 0,2 or 0-3.

// Nodes are node numbers of NUMA.
type Nodes struct {
	Bits [(MaxNode + 1) / 64]uint64 // a bit for each
	Text string                     // as it was written
}

func (n Nodes) String() string { return n.Text }

// MaxNode is the largest node number that a kernel can be built for (CONFIG_NODES_SHIFT is at most
// 10).
const MaxNode = 1023

func parseNodes(t token) (Nodes, *fault) {
	n := Nodes{Text: t.raw}
	at := 0
	for part := range strings.SplitSeq(t.raw, ",") {
		first, last, isRange := strings.Cut(part, "-")
		lo, okLo := nodeNumber(first)
		hi, okHi := lo, true
		if isRange {
			hi, okHi = nodeNumber(last)
		}
		switch {
		case t.quoted() || !okLo || !okHi:
			return n, t.fault(say(t.raw)+" are not node numbers", kinds[KindNodes].fits)
		case lo > MaxNode || hi > MaxNode:
			return n, t.part(at, at+len(part), "no kernel has a node "+say(part), "the largest number is "+strconv.Itoa(MaxNode))
		case hi < lo:
			return n, t.part(at, at+len(part), say(part)+" goes downwards", "did you mean "+last+"-"+first+"?")
		}
		for k := lo; k <= hi; k++ {
			n.Bits[k/64] |= 1 << (k % 64)
		}
		at += len(part) + 1
	}
	return n, nil
}

func nodeNumber(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	if len(s) > 9 {
		return MaxNode + 1, true
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
