// Package kernel says what the kernel allows a process, and what it does where kernels and
// processors differ: read from /proc, or tried on a page of this process.
package kernel

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Rules of this file: limits and settings are read from /proc when an explanation asks for one,
// each file once for a step, and never else. What cannot be read is not known, and no reason is
// built on it. The parse functions are pure.

// Settings answers with what the kernel allows a process at this moment.
type Settings struct {
	PID   int
	texts map[string]string // of the files read so far, by path
}

// Rows of /proc/PID/limits, by what getrlimit(2) calls them.
const (
	LimitAS      = "Max address space"
	LimitData    = "Max data size"
	LimitMemlock = "Max locked memory"
	LimitNproc   = "Max processes"
	LimitStack   = "Max stack size"
)

// Bits of CapEff (capabilities(7)).
const (
	CapIPCLock     = 14
	CapSysRawIO    = 17
	CapSysAdmin    = 21
	CapSysResource = 24
)

// Fields of /proc/PID/stat, 0 where they are hidden (proc_pid_stat(5)).
const (
	StatStartData = 45
	StatEndData   = 46
	StatStartBrk  = 47
)

// Contents is a file's text, "" where it cannot be read.
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

func (l *Settings) ofProcess(file string) string {
	return l.Contents(fmt.Sprintf("/proc/%d/%s", l.PID, file))
}

// Limit is a soft limit of the process; one that is unlimited, or not known, holds nothing back.
func (l *Settings) Limit(name string) uint64 { return parseLimit(l.ofProcess("limits"), name) }

// Status is a number of /proc/PID/status, in bytes where it counts memory.
func (l *Settings) Status(name string) (uint64, bool) { return ParseField(l.ofProcess("status"), name) }

// Stat is a field of /proc/PID/stat, counted as proc_pid_stat(5) does.
func (l *Settings) Stat(n int) (uint64, bool) { return parseStat(l.ofProcess("stat"), n) }

// Meminfo is a number of /proc/meminfo, in bytes where it counts memory.
func (l *Settings) Meminfo(name string) (uint64, bool) {
	return ParseField(l.Contents("/proc/meminfo"), name)
}

// Number is a number that a file of /proc/sys or /sys holds alone.
func (l *Settings) Number(path string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(l.Contents(path)), 10, 64)
	return n, err == nil
}

// May says whether the process has an effective capability.
func (l *Settings) May(capability uint) bool {
	return parseCapabilities(l.ofProcess("status"))&(1<<capability) != 0
}

// parseLimit finds the soft limit in a row of /proc/PID/limits: a name of 25 columns, then soft
// limit, hard limit and unit.
func parseLimit(text, name string) uint64 {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+" ")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			break
		}
		if n, err := strconv.ParseUint(fields[0], 10, 64); err == nil {
			return n
		}
		break
	}
	return math.MaxUint64
}

// ParseField finds a number in lines such as "VmLck:	  16 kB".
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

// parseCapabilities reads CapEff, which is written in hexadecimal.
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

// parseStat finds field number n of /proc/PID/stat, counted as proc_pid_stat(5) does; the second, a
// name, may hold anything.
func parseStat(text string, n int) (uint64, bool) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if n < 3 || n-3 >= len(fields) {
		return 0, false
	}
	v, err := strconv.ParseUint(fields[n-3], 10, 64)
	return v, err == nil
}

// FieldsOf gives the words behind "name:" in a file such as /proc/PID/status; none where there is
// no such line.
func FieldsOf(text, name string) []string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Fields(rest)
		}
	}
	return nil
}

// PoolPage is the size of the pages that an mmap with these flags takes from a pool of huge pages,
// whole ones (mm/mmap.c, ksys_mmap_pgoff); 0 where it takes none.
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

// AddressBits is how many bits the user's addresses have, 47 on most x86-64.
func AddressBits() int {
	n := 0
	for top := UserTop(); top > 0; top >>= 1 {
		n++
	}
	return n
}
