package procfs

import (
	"bytes"
	"errors"
	"fmt"

	"cowscope/vmspace"
)

// Rules of this file: pure. For any input the result is mappings or an error with a line number,
// never a panic. Nothing is allocated per mapping except paths, and equal consecutive paths share a
// string. The format is proc_pid_maps(5); the writer is show_map_vma in fs/proc/task_mmu.c.

// ErrTorn says that parts of the text are from different moments: the kernel prints it in pieces,
// and a mapping that grew in between is listed twice.
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

// parseMapsLine parses one line into m. It returns what is wrong, "" if nothing is.
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
	// The path starts after the padding to column 74. Blanks are padding: every path begins with a
	// slash or a bracket.
	for i < len(row) && row[i] == ' ' {
		i++
	}
	m.Path = path.get(row[i:])
	return ""
}

// hexUntil parses hexadecimal digits up to the byte sep, and returns what follows it.
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

// pathInterner converts the bytes of a path to a string, and reuses the previous string if the
// bytes are equal, because mappings of one file are adjacent. It does not retain the text.
type pathInterner struct {
	raw  []byte // as in the text
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

// unescapePath reverts the kernel's escaping of a path: a newline is written as \012 and nothing
// else is escaped, not even the backslash (seq_file_path(m, file, "
// ") in fs/proc/task_mmu.c). A file whose name contains these four characters is indistinguishable
// from one with a newline.
func unescapePath(raw []byte) string {
	return string(bytes.ReplaceAll(raw, []byte(`\012`), []byte("\n")))
}
