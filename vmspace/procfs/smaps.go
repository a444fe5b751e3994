package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"cowscope/vmspace"
)

// Rules of this file: unknown lines are skipped, so that the smaps of a newer kernel still parses.
// The format is proc_pid_smaps(5): for each mapping its line of maps, then lines "Key:   number
// kB", then VmFlags.

// Taken returns the mappings parsed since the previous call.
func (p *SmapsParser) Taken() []vmspace.Mapping {
	c := slices.Clone(p.maps)
	p.maps = p.maps[:0]
	return c
}

// SmapsParser parses the text in pieces that end with a line. Equal lists of flags share memory,
// and counters are allocated in blocks: nothing is allocated per mapping except new paths.
type SmapsParser struct {
	maps  []vmspace.Mapping
	end   uint64 // of the last mapping
	line  int
	path  pathInterner
	c     *vmspace.Counters // of the last mapping
	block []vmspace.Counters
	flags map[string][]string // by the text of VmFlags
}

// Reset begins a new text. The flags seen so far are kept.
func (p *SmapsParser) Reset() {
	*p = SmapsParser{maps: p.maps[:0], flags: p.flags, path: pathInterner{raw: p.path.raw[:0]}}
}

// Parse parses the next piece of text, which ends with a line.
func (p *SmapsParser) Parse(text []byte) error {
	for len(text) > 0 {
		row := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			row, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		p.line++
		if what := p.row(row); what != nil {
			return fmt.Errorf("smaps line %d: %w: %.80q", p.line, what, row)
		}
	}
	return nil
}

// The errors of a text, beside those of maps.
var (
	errNoMapping = errors.New("no mapping before it")
	errBadNumber = errors.New("bad number")
)

// row parses one line. Counters begin with capital letters; the hexadecimal digits of addresses are
// lower case.
func (p *SmapsParser) row(row []byte) error {
	counter := len(row) > 0 && 'A' <= row[0] && row[0] <= 'Z'
	if !counter {
		_, _, isMapping := hexUntil(row, '-')
		counter = !isMapping
	}
	if counter {
		if p.c == nil {
			return errNoMapping
		}
		if i := bytes.IndexByte(row, ':'); i >= 0 && !p.count(row[:i], row[i+1:]) {
			return errBadNumber
		}
		return nil
	}
	var m vmspace.Mapping
	if what := parseMapsLine(&m, row, &p.path); what != "" {
		return errors.New(what)
	}
	if p.end > m.Start {
		return ErrTorn
	}
	p.end = m.End
	if len(p.block) == 0 {
		p.block = make([]vmspace.Counters, min(128, max(8, p.line/16)))
	}
	p.c, p.block = &p.block[0], p.block[1:]
	m.Smaps = p.c
	p.maps = append(p.maps, m)
	return nil
}

// count stores one counter; it returns false if the number of a known counter cannot be parsed.
func (p *SmapsParser) count(key, value []byte) bool {
	var to, clean *uint64 // clean is a second sum, nil where there is none
	var sum uint64        // what the first stands at
	switch c := p.c; string(key) {
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
	case "KSM":
		to = &c.KSM
	case "Anonymous":
		to = &c.Anonymous
	case "Shared_Clean":
		to, sum = &c.Clean, c.Clean
	case "Private_Clean":
		to, sum, clean = &c.Private, c.Private, &c.Clean
	case "Private_Dirty":
		to, sum = &c.Private, c.Private
	case "VmFlags":
		c.VMFlags = p.flagsOf(value)
		return true
	case "ProtectionKey":
		n, rest, ok := Decimal(bytes.TrimLeft(value, " "))
		c.ProtectionKey = uint32(n)
		return ok && n <= mostKey && len(bytes.TrimSpace(rest)) == 0
	default:
		return true
	}
	n, rest, ok := Decimal(bytes.TrimLeft(value, " "))
	if !ok || n > 1<<53 || string(bytes.TrimSpace(rest)) != "kB" {
		return false
	}
	*to = sum + n<<10
	if clean != nil {
		*clean += n << 10
	}
	return true
}

// mostKey is above any possible protection key: x86 has 16 keys, arm64 8, powerpc 32.
const mostKey = 1<<16 - 1

// flagsOf splits the words of VmFlags.
func (p *SmapsParser) flagsOf(value []byte) []string {
	if known, ok := p.flags[string(value)]; ok {
		return known
	}
	var words []string
	for f := range bytes.FieldsSeq(value) {
		words = append(words, flagWord(f))
	}
	if p.flags == nil {
		p.flags = map[string][]string{}
	}
	p.flags[string(value)] = words
	return words
}

// knownFlags are the usual words of VmFlags, so that they cost no allocation (show_smap_vma_flags
// in fs/proc/task_mmu.c).
var knownFlags = func() map[string]string {
	m := map[string]string{}
	for _, f := range []string{"rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "pf", "lo", "io", "sr", "rr", "dc", "de",
		"ac", "nr", "ht", "sf", "ar", "wf", "dd", "sd", "mm", "hg", "nh", "mg", "um", "uw", "ui", "mt", "bt", "ss", "sl", "dp"} {
		m[f] = f
	}
	return m
}()

// flagWord is a flag as a string; an unknown flag is kept as it is.
func flagWord(b []byte) string {
	if s, ok := knownFlags[string(b)]; ok {
		return s
	}
	return string(b)
}

// Decimal parses digits, and returns what follows them.
func Decimal(b []byte) (v uint64, rest []byte, ok bool) {
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
