package procfs

import (
	"bytes"
	"errors"
	"fmt"

	"cowscope/vmspace"
)

// Rules of this file: pure, total, and frugal. Whatever the bytes are, the answer is mappings or an
// error with a line number, never a panic; nothing is allocated per mapping but the paths, and a
// path that is the same as the one before is kept once. The format is proc_pid_maps(5); the writer
// is show_map_vma in fs/proc/task_mmu.c.

// errTorn says that the text speaks of two moments: it comes in pieces, and a mapping that grew in
// between is told twice.
var ErrTorn = errors.New("overlaps or precedes the line before")

// ParseMaps appends to dst the mappings that the text of /proc/PID/maps lists.
func ParseMaps(dst []vmspace.Mapping, text []byte) ([]vmspace.Mapping, error) {
	path := pathInterner{}
	for line := 1; len(text) > 0; line++ {
		row := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			row, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		dst = append(dst, vmspace.Mapping{})
		m := &dst[len(dst)-1]
		if what := parseMapsLine(m, row, &path); what != "" {
			return dst[:len(dst)-1], fmt.Errorf("maps line %d: %s: %.80q", line, what, row)
		}
		if n := len(dst); n > 1 && dst[n-2].End > m.Start {
			return dst[:n-1], fmt.Errorf("maps line %d: %w: %.80q", line, ErrTorn, row)
		}
	}
	return dst, nil
}

// parseMapsLine reads one line into m. It answers with what is wrong, "" if nothing is.
func parseMapsLine(m *vmspace.Mapping, row []byte, path *pathInterner) string {
	var ok bool
	if m.Start, row, ok = hexUntil(row, '-'); !ok {
		return "bad start address"
	}
	if m.End, row, ok = hexUntil(row, ' '); !ok {
		return "bad end address"
	}
	if m.End <= m.Start {
		return "ends before it starts"
	}
	if m.Perms, ok = vmspace.ParsePerms(row[:min(4, len(row))]); !ok || len(row) < 5 || row[4] != ' ' {
		return "bad permissions"
	}
	row = row[5:]
	if m.Offset, row, ok = hexUntil(row, ' '); !ok {
		return "bad offset"
	}
	var major, minor uint64
	if major, row, ok = hexUntil(row, ':'); !ok || major > 1<<32-1 {
		return "bad device"
	}
	if minor, row, ok = hexUntil(row, ' '); !ok || minor > 1<<32-1 {
		return "bad device"
	}
	m.Major, m.Minor = uint32(major), uint32(minor)
	i := 0
	for ; i < len(row) && row[i] != ' '; i++ {
		d := row[i] - '0'
		if d > 9 || m.Inode > (1<<64-1-uint64(d))/10 {
			return "bad inode"
		}
		m.Inode = m.Inode*10 + uint64(d)
	}
	if i == 0 {
		return "bad inode"
	}
	// The path starts after the padding to column 74. Blanks are padding: the kernel prints no path
	// that begins with one, as every path begins with a slash or a bracket.
	for i < len(row) && row[i] == ' ' {
		i++
	}
	m.Path = path.get(row[i:])
	return ""
}

// hexUntil reads hexadecimal digits up to the byte sep, and gives what follows it.
func hexUntil(b []byte, sep byte) (v uint64, rest []byte, ok bool) {
	for i, c := range b {
		switch {
		case c == sep:
			return v, b[i+1:], i > 0
		case i == 16:
			return 0, nil, false
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, nil, false
		}
	}
	return 0, nil, false
}

// pathInterner turns the bytes of a path into a string, and gives the same string again for the
// same bytes as the time before: mappings of one file stand together. It keeps no hold on the text.
type pathInterner struct {
	raw  []byte // as it stood in the text
	path string
}

func (p *pathInterner) get(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	if !bytes.Equal(p.raw, raw) {
		p.raw, p.path = append(p.raw[:0], raw...), unescapePath(raw)
	}
	return p.path
}

// unescapePath undoes what the kernel does to a path: a newline is written as \012 and nothing else
// is escaped, not even the backslash (seq_file_path(m, file, "\n") in fs/proc/task_mmu.c). A file
// whose name holds those four characters themselves cannot be told from one with a newline.
func unescapePath(raw []byte) string {
	return string(bytes.ReplaceAll(raw, []byte(`\012`), []byte("\n")))
}
