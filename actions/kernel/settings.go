// Package kernel finds out what the kernel allows a process, and what it does where kernels and
// processors differ: it reads /proc, or tries a call on a page of this process.
package kernel

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Rules of this file: limits and settings are read from /proc only when an explanation needs one,
// each file once per step. A value that cannot be read is unknown, and no reason is based on it.
// The parse functions are pure.

// Settings reads what the kernel allows a process at the moment.
type Settings struct {
	PID   int
	texts map[string]string // of the files read so far, by path
}

// Rows of /proc/PID/limits, named after the resources of getrlimit(2).
const (
	LimitAS      = "Max address space"
	LimitData    = "Max data size"
	LimitMemlock = "Max locked memory"
	LimitNofile  = "Max open files"
	LimitNproc   = "Max processes"
	LimitStack   = "Max stack size"
)

// LimitRows maps the resource names of getrlimit(2) to rows.
var LimitRows = map[string]string{"RLIMIT_AS": LimitAS, "RLIMIT_DATA": LimitData, "RLIMIT_STACK": LimitStack, "RLIMIT_MEMLOCK": LimitMemlock}

// Bits of CapEff (capabilities(7)).
const (
	CapIPCLock     = 14
	CapSysRawIO    = 17
	CapSysAdmin    = 21
	CapSysNice     = 23
	CapSysResource = 24
)

// Fields of /proc/PID/stat, which are 0 if hidden (proc_pid_stat(5)).
const (
	StatStartData = 45
	StatEndData   = 46
	StatStartBrk  = 47
)

// Contents is the text of a file, "" if it cannot be read.
func (l *Settings) Contents(path string) string {
	if t, ok := l.texts[path]; ok {
		return t
	}
	b, err := os.ReadFile(path)
	if err != nil {
		b = nil
	}
	if l.texts == nil {
		l.texts = map[string]string{}
	}
	l.texts[path] = string(b)
	return string(b)
}

// OfProcess is the text of a file in /proc/PID.
func (l *Settings) OfProcess(file string) string {
	return l.Contents(fmt.Sprintf("/proc/%d/%s", l.PID, file))
}

// Limit is a soft limit of the process; an unknown one counts as unlimited.
func (l *Settings) Limit(name string) uint64 {
	soft, _ := parseLimit(l.OfProcess("limits"), name)
	return soft
}

// HardLimit is a hard limit of the process, up to which it may raise the soft one.
func (l *Settings) HardLimit(name string) uint64 {
	_, hard := parseLimit(l.OfProcess("limits"), name)
	return hard
}

// Status is a number in /proc/PID/status, in bytes if it is a size.
func (l *Settings) Status(name string) (uint64, bool) { return ParseField(l.OfProcess("status"), name) }

// Stat is a field of /proc/PID/stat, counted as proc_pid_stat(5) does.
func (l *Settings) Stat(n int) (uint64, bool) { return parseStat(l.OfProcess("stat"), n) }

// Meminfo is a number in /proc/meminfo, in bytes if it is a size.
func (l *Settings) Meminfo(name string) (uint64, bool) {
	return ParseField(l.Contents("/proc/meminfo"), name)
}

// Number is the number in a file of /proc/sys or /sys that contains nothing else.
func (l *Settings) Number(path string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(l.Contents(path)), 10, 64)
	return n, err == nil
}

// May reports whether the process has an effective capability.
func (l *Settings) May(capability uint) bool {
	return parseCapabilities(l.OfProcess("status"))&(1<<capability) != 0
}

// parseLimit returns both limits in a row of /proc/PID/limits: a name of 25 columns, then soft
// limit, hard limit and unit.
func parseLimit(text, name string) (soft, hard uint64) {
	soft, hard = math.MaxUint64, math.MaxUint64
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+" ")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		for i, limit := range []*uint64{&soft, &hard} {
			if i < len(fields) {
				if n, err := strconv.ParseUint(fields[i], 10, 64); err == nil {
					*limit = n
				}
			}
		}
		break
	}
	return soft, hard
}

// ParseField returns the number in a line such as "VmLck:   16 kB".
func ParseField(text, name string) (uint64, bool) {
	fields := FieldsOf(text, name)
	if len(fields) == 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return 0, false
	}
	if len(fields) > 1 && fields[1] == "kB" {
		n <<= 10
	}
	return n, true
}

// parseCapabilities parses CapEff, which is hexadecimal.
func parseCapabilities(status string) uint64 {
	fields := FieldsOf(status, "CapEff")
	if len(fields) == 0 {
		return 0
	}
	set, err := strconv.ParseUint(fields[0], 16, 64)
	if err != nil {
		return 0
	}
	return set
}

// parseStat returns field number n of /proc/PID/stat, counted as in proc_pid_stat(5); the second
// field, a name, may contain any bytes.
func parseStat(text string, n int) (uint64, bool) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if n < 3 || n-3 >= len(fields) {
		return 0, false
	}
	v, err := strconv.ParseUint(fields[n-3], 10, 64)
	return v, err == nil
}

// FieldsOf returns the words after "name:" in a file such as /proc/PID/status; none if there is no
// such line.
func FieldsOf(text, name string) []string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Fields(rest)
		}
	}
	return nil
}

// Policy returns the memory policy of the mapping at addr, from the text of /proc/PID/numa_maps
// (numa(7)).
func Policy(numaMaps string, addr uint64) (policy string, found bool) {
	for line := range strings.Lines(numaMaps) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if start, err := strconv.ParseUint(fields[0], 16, 64); err != nil || start > addr {
			continue
		}
		words := fields[1:2]
		for _, w := range fields[2:] { // the policy can have several words, such as prefer (many):0
			if w == "heap" || w == "stack" || w == "huge" || strings.Contains(w, "=") {
				break
			}
			words = append(words, w)
		}
		policy = strings.Join(words, " ")
	}
	return policy, policy != ""
}

// PoolPage is the size in bytes of the huge pages that an mmap with these flags takes from a pool
// (mm/mmap.c, ksys_mmap_pgoff); 0 if it takes none.
func (l *Settings) PoolPage(flags uint64) uint64 {
	switch log := flags >> 26 & 0x3f; {
	case flags&0x40000 == 0:
		return 0
	case log > 0:
		return 1 << log
	}
	n, _ := l.Meminfo("Hugepagesize")
	return n
}

// AddressBits is the number of bits of a user address, 47 on most x86-64.
func AddressBits() int {
	n := 0
	for top := UserTop(); top > 0; top >>= 1 {
		n++
	}
	return n
}
