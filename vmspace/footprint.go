package vmspace

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Footprint is how much memory some processes take together, in bytes: what is resident or swapped, and their page tables. What
// several share counts once for each of them; exact counts it once (proportional set sizes, which cost a walk through all page tables).
// A process that is gone takes nothing.
func Footprint(pids []int, exact bool) uint64 {
	total := uint64(0)
	for _, pid := range pids {
		status := procText(pid, "status")
		total += sizeOf(status, "VmPTE:")
		if exact { // walks the page tables
			if rollup := procText(pid, "smaps_rollup"); rollup != nil {
				total += sizeOf(rollup, "Pss:") + sizeOf(rollup, "SwapPss:")
				continue
			}
		}
		total += sizeOf(status, "VmRSS:") + sizeOf(status, "VmSwap:")
	}
	return total
}

func procText(pid int, file string) []byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return nil
	}
	return b
}

// sizeOf finds a line such as "VmRSS:	  1234 kB", in bytes; 0 without one.
func sizeOf(text []byte, key string) uint64 {
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			n, _ := strconv.ParseUint(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return n << 10
		}
	}
	return 0
}
