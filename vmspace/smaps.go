package vmspace

import (
	"bytes"
	"fmt"
)

// Rules of this file: what is known is read, what is not known is stepped over, so that a newer kernel's smaps still parses.
// The format is proc_pid_smaps(5): for each mapping its line of maps, then lines "Key:   number kB", then VmFlags.

// parseSmaps appends to dst the mappings that the text of /proc/PID/smaps lists, with their counters.
func parseSmaps(dst []Mapping, text []byte) ([]Mapping, error) {
	path := pathInterner{}
	var c *Counters
	for line := 1; len(text) > 0; line++ {
		row := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			row, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		_, _, isMapping := hexUntil(row, '-')
		key, value, isCounter := bytes.Cut(row, []byte(":"))
		switch {
		case !isMapping && c == nil:
			return dst, fmt.Errorf("smaps line %d: no mapping before it: %.80q", line, row)
		case !isMapping:
			if isCounter && !c.set(key, bytes.TrimSpace(value)) {
				return dst, fmt.Errorf("smaps line %d: bad number: %.80q", line, row)
			}
		default:
			var m Mapping
			if what := parseMapsLine(&m, row, &path); what != "" {
				return dst, fmt.Errorf("smaps line %d: %s: %.80q", line, what, row)
			}
			if n := len(dst); n > 0 && dst[n-1].End > m.Start {
				return dst, fmt.Errorf("smaps line %d: %w: %.80q", line, errTorn, row)
			}
			c = &Counters{}
			m.Smaps = c
			dst = append(dst, m)
		}
	}
	return dst, nil
}

// set keeps one counter line; it is false where a number that is wanted cannot be read.
func (c *Counters) set(key, value []byte) bool {
	var to *uint64
	switch string(key) {
	case "Rss":
		to = &c.Rss
	case "Pss":
		to = &c.Pss
	case "Swap":
		to = &c.Swap
	case "Locked":
		to = &c.Locked
	case "LazyFree":
		to = &c.LazyFree
	case "AnonHugePages":
		to = &c.AnonHuge
	case "VmFlags":
		for f := range bytes.FieldsSeq(value) {
			c.VMFlags = append(c.VMFlags, flagWord(f))
		}
		return true
	default:
		return true
	}
	n, rest, ok := decimal(value)
	if !ok || n > 1<<53 || !bytes.Equal(bytes.TrimSpace(rest), []byte("kB")) {
		return false
	}
	*to = n << 10
	return true
}

// knownFlags are the usual words of VmFlags, so that a flag costs no allocation (show_smap_vma_flags in fs/proc/task_mmu.c).
var knownFlags = func() map[string]string {
	m := map[string]string{}
	for _, f := range []string{"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "pf", "lo", "io", "sr", "rr", "dc", "de",
		"ac", "nr", "ht", "sf", "ar", "wf", "dd", "sd", "mm", "hg", "nh", "mg", "um", "uw", "ui", "mt", "bt", "ss", "sl", "dp"} {
		m[f] = f
	}
	return m
}()

// flagWord is a flag as a string; one that is not known is kept as it came.
func flagWord(b []byte) string {
	if s, ok := knownFlags[string(b)]; ok {
		return s
	}
	return string(b)
}

// decimal reads digits, and gives what follows them.
func decimal(b []byte) (v uint64, rest []byte, ok bool) {
	for i, c := range b {
		d := uint64(c - '0')
		if c < '0' || c > '9' {
			return v, b[i:], i > 0
		}
		if v > (1<<64-1-d)/10 {
			return 0, nil, false
		}
		v = v*10 + d
	}
	return v, nil, len(b) > 0
}
