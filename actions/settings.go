package actions

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Rules of this file: limits and settings are read from /proc when an explanation asks for one, each file once for a step, and never
// else. What cannot be read is not known, and no reason is built on it. The parse functions are pure.

// settings answers with what the kernel allows a process at this moment.
type settings struct {
	pid   int
	texts map[string]string // of the files read so far, by path
}

// Rows of /proc/PID/limits, by what getrlimit(2) calls them.
const (
	rlimitAS      = "Max address space"
	rlimitData    = "Max data size"
	rlimitMemlock = "Max locked memory"
	rlimitNproc   = "Max processes"
	rlimitStack   = "Max stack size"
)

// Bits of CapEff (capabilities(7)).
const (
	capIPCLock  = 14
	capSysRawIO = 17
)

// contents is a file's text, "" where it cannot be read.
func (l *settings) contents(path string) string {
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

func (l *settings) ofProcess(file string) string {
	return l.contents(fmt.Sprintf("/proc/%d/%s", l.pid, file))
}

// rlimit is a soft limit of the process; one that is unlimited, or not known, holds nothing back.
func (l *settings) rlimit(name string) uint64 { return parseLimit(l.ofProcess("limits"), name) }

// status is a number of /proc/PID/status, in bytes where it counts memory.
func (l *settings) status(name string) (uint64, bool) { return parseField(l.ofProcess("status"), name) }

// meminfo is a number of /proc/meminfo, in bytes where it counts memory.
func (l *settings) meminfo(name string) (uint64, bool) {
	return parseField(l.contents("/proc/meminfo"), name)
}

// setting is a number that a file of /proc/sys or /sys holds alone.
func (l *settings) setting(path string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(l.contents(path)), 10, 64)
	return n, err == nil
}

// may says whether the process has an effective capability.
func (l *settings) may(capability uint) bool {
	return parseCapabilities(l.ofProcess("status"))&(1<<capability) != 0
}

// parseLimit finds the soft limit in a row of /proc/PID/limits: a name of 25 columns, then soft limit, hard limit and unit.
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

// parseField finds a number in lines such as "VmLck:	  16 kB".
func parseField(text, name string) (uint64, bool) {
	fields := fieldsOf(text, name)
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
	fields := fieldsOf(status, "CapEff")
	if len(fields) == 0 {
		return 0
	}
	set, err := strconv.ParseUint(fields[0], 16, 64)
	if err != nil {
		return 0
	}
	return set
}

// parseStat finds field number n of /proc/PID/stat, counted as proc_pid_stat(5) does; the second, a name, may hold anything.
func parseStat(text string, n int) (uint64, bool) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if n < 3 || n-3 >= len(fields) {
		return 0, false
	}
	v, err := strconv.ParseUint(fields[n-3], 10, 64)
	return v, err == nil
}

func fieldsOf(text, name string) []string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Fields(rest)
		}
	}
	return nil
}
