package feature

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"cowscope/vmspace/observe"

	"golang.org/x/sys/unix"
)

// Rules of this file: the set-up of the machine is read from /proc and /sys, and never changed.
// Reading a text and interpreting it are separate functions.

// setting reads a small file.
func setting(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

func numa(*machine) string {
	text, err := setting("/sys/devices/system/node/has_memory")
	switch {
	case err != nil:
		return "the kernel was built without NUMA: " + oneLine(err)
	case strings.ContainsAny(text, "-,"): // 0-3 or 0,2
		return ""
	}
	return "all memory lies in node " + text
}

func swap(*machine) string {
	text, err := setting("/proc/swaps")
	if errors.Is(err, os.ErrNotExist) {
		return "the kernel was built without swap"
	}
	if err != nil {
		return oneLine(err)
	}
	return swapOf(text)
}

// swapOf interprets /proc/swaps: a heading, and a line for each active area.
func swapOf(text string) string {
	if strings.Count(text, "\n") > 0 {
		return ""
	}
	return "no swap is on; as root, swapon a file, a device or a zram"
}

// zram finds out whether root could create a device. Reading hot_add would create one
// (Documentation/ABI/testing/sysfs-class-zram), so only its permission is checked. Writing
// to hot_remove must be permitted, which it is not if /sys is mounted read-only.
func (m *machine) zram() string {
	const dir = "/sys/class/zram-control/"
	for _, f := range []struct {
		name string
		mode uint32
	}{{"hot_add", unix.R_OK}, {"hot_remove", unix.W_OK}} {
		switch err := unix.Faccessat(unix.AT_FDCWD, dir+f.name, f.mode, unix.AT_EACCESS); {
		case err == unix.ENOENT:
			return "there is no " + dir + f.name + "; as root, modprobe zram"
		case err == unix.EACCES:
			return "only root may set one up; run as root"
		case err != nil:
			return answers("access to "+dir+f.name, err)
		}
	}
	// The capability for swapon(2) is the same as for frame numbers.
	return m.readerSays(func(f observe.Features) bool { return f.Frames }, "swapon needs CAP_SYS_ADMIN in the first user namespace")
}

// reservable maps 1 TiB without touching it.
func reservable(*machine) string {
	why := borrow(1<<40, rw, anon|unix.MAP_NORESERVE, func(area) string { return "" })
	if why == "" {
		return ""
	}
	as := unix.Rlimit{Cur: unix.RLIM_INFINITY}
	unix.Getrlimit(unix.RLIMIT_AS, &as)
	mode, _ := setting("/proc/sys/vm/overcommit_memory")
	return why + reserveOf(mode, as.Cur)
}

// reserveOf returns what prevents a process from reserving much. In mode 2 MAP_NORESERVE has no
// effect (proc_sys_vm(5)).
func reserveOf(mode string, limit uint64) (why string) {
	if limit != unix.RLIM_INFINITY {
		why += fmt.Sprintf("; RLIMIT_AS is %d bytes; raise it with ulimit -v", limit)
	}
	if mode == "2" {
		why += "; vm.overcommit_memory is 2; as root, sysctl vm.overcommit_memory=0"
	}
	return why
}

const thpDir = "/sys/kernel/mm/transparent_hugepage/"

func thp(*machine) string {
	enabled, err := setting(thpDir + "enabled")
	if err != nil {
		return "the kernel was built without transparent huge pages: there is no " + thpDir + "enabled"
	}
	// Since 6.8 each size has a setting of its own beside the global one. If it is missing, the
	// global one decides.
	size, _ := setting(thpDir + "hpage_pmd_size")
	n, _ := strconv.Atoi(size)
	own, err := setting(fmt.Sprintf("%shugepages-%dkB/enabled", thpDir, n>>10))
	if err != nil {
		own = "[inherit]"
	}
	off, err := unix.PrctlRetInt(unix.PR_GET_THP_DISABLE, 0, 0, 0, 0)
	return thpOf(enabled, own, err == nil && off != 0)
}

// thp2m checks huge pages of the size that one entry of the page middle directory maps: as many
// pages as a page has entries of 8 bytes.
func thp2m(*machine) string {
	if size := pageSize * pageSize / 8; size != 2<<20 {
		return fmt.Sprintf("pages have %d KiB here, and huge ones %d MiB", pageSize>>10, size>>20)
	}
	return ""
}

// thpOf interprets the settings, in which the active word is in brackets
// (Documentation/admin-guide/mm/transhuge.rst).
func thpOf(enabled, own string, disabled bool) string {
	switch {
	case disabled:
		return "switched off for this process and its children: prctl(PR_SET_THP_DISABLE)"
	case strings.Contains(own, "[never]"):
		return "switched off for this size; as root, echo inherit > " + thpDir + "hugepages-*/enabled"
	case strings.Contains(own, "[inherit]") && strings.Contains(enabled, "[never]"):
		return "switched off; as root, echo madvise > " + thpDir + "enabled"
	}
	return ""
}

func ksm(*machine) string {
	if err := knows(unix.MADV_MERGEABLE); err != nil {
		return answers("madvise(MADV_MERGEABLE)", err) + ": the kernel was built without CONFIG_KSM"
	}
	const path = "/sys/kernel/mm/ksm/run"
	switch run, err := setting(path); {
	case err != nil:
		return oneLine(err)
	case run != "1":
		return "ksmd does not run; as root, echo 1 > " + path
	}
	return ""
}

// hugetlb maps huge pages without a reservation, which takes nothing from the pool, and reads the
// state of the pool.
func hugetlb(*machine) string {
	text, err := setting("/proc/meminfo")
	if err != nil {
		return oneLine(err)
	}
	size, reason := poolOf(text)
	if size == 0 {
		return reason
	}
	if why := borrow(size, rw, anon|unix.MAP_HUGETLB|unix.MAP_NORESERVE, func(area) string { return "" }); why != "" {
		return why
	}
	return reason
}

// poolOf interprets /proc/meminfo: the default size of huge pages, and why none is available.
func poolOf(meminfo string) (size uintptr, reason string) {
	number := func(key string) int {
		n, _ := strconv.Atoi(strings.TrimSuffix(field(meminfo, key), " kB"))
		return n
	}
	size = uintptr(number("Hugepagesize")) << 10
	switch {
	case size == 0:
		return 0, "the kernel was built without CONFIG_HUGETLBFS"
	case number("HugePages_Free") <= number("HugePages_Rsvd"):
		return size, fmt.Sprintf("no huge page of %d KiB is free; as root, sysctl vm.nr_hugepages=8", size>>10)
	}
	return size, ""
}

// field is the value in a line "Key: value".
func field(text, key string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && k == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// compiler looks for cc, the C compiler of POSIX.
func compiler(*machine) string {
	if _, err := exec.LookPath("cc"); err != nil {
		return "cc is not in PATH; a package such as gcc or clang brings it"
	}
	return ""
}
