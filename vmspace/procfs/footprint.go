package procfs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Memory is the memory of some processes together, in bytes.
type Memory struct {
	Own    uint64 // anonymous memory and pages of files, swapped memory, and page tables
	Shmem  uint64 // resident pages of shared memory
	Pooled uint64 // pages of the pool of huge pages (hugetlb)
}

// Footprint adds up the memory of processes. Memory that several of them share counts once for
// each; exact counts it once (proportional set sizes, which cost a walk through all page tables). A
// process that no longer exists counts nothing. Shared memory that is in no page table is not
// included: no file of /proc reports it, except to root.
func Footprint(pids []int, exact bool) Memory {
	var total Memory
	for _, pid := range pids {
		status := procText(pid, "status")
		total.Own += sizeOf(status, "VmPTE:")
		if exact { // walks the page tables
			if rollup := procText(pid, "smaps_rollup"); rollup != nil {
				shmem := sizeOf(rollup, "Pss_Shmem:")
				pss := sizeOf(rollup, "Pss:")
				total.Own += pss - min(pss, shmem) + sizeOf(rollup, "SwapPss:")
				total.Shmem += shmem
				total.Pooled += sizeOf(rollup, "Private_Hugetlb:")
				continue
			}
		}
		total.Own += sizeOf(status, "RssAnon:") + sizeOf(status, "RssFile:") + sizeOf(status, "VmSwap:")
		total.Shmem += sizeOf(status, "RssShmem:")
		total.Pooled += sizeOf(status, "HugetlbPages:")
	}
	return total
}

// PageTables is the size of the page tables of a process, in bytes.
func PageTables(pid int) uint64 { return sizeOf(procText(pid, "status"), "VmPTE:") }

// ResidentShmem is the size of the resident shared memory of a process, in bytes.
func ResidentShmem(pid int) uint64 {
	status := procText(pid, "status")
	return sizeOf(status, "RssShmem:") + sizeOf(status, "HugetlbPages:")
}

// Faults returns the fault counters of a process, including the children that it waited for.
func Faults(pid int) (minor, major uint64) {
	text := procText(pid, "stat")
	// The fields from the third on (proc_pid_stat(5)).
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	number := func(n int) uint64 {
		if n-3 >= len(fields) {
			return 0
		}
		v, _ := strconv.ParseUint(string(fields[n-3]), 10, 64)
		return v
	}
	return number(10) + number(11), number(12) + number(13)
}

func procText(pid int, file string) []byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return nil
	}
	return b
}

// sizeOf returns the value of a line such as "VmRSS:        1234 kB", in bytes; 0 if there is none.
func sizeOf(text []byte, key string) uint64 {
	n, _ := strconv.ParseUint(string(bytes.TrimSpace(bytes.TrimSuffix(fieldOf(text, key), []byte("kB")))), 10, 64)
	return n << 10
}
