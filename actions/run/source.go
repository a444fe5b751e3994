package run

import (
	"bufio"
	"io"
	"os"
	"strings"

	"cowscope/vmspace/printable"
)

// sources keeps the lines of source files, by path.
type sources map[string][]string

// Of a file no more is read: sources come from strangers.
const (
	mostSource = 4 << 20 // bytes
	mostFiles  = 256
)

// line is line n of a file, without the blanks around it; "" where it cannot be read.
func (s *sources) line(path string, n int) string {
	lines, _ := s.around(path, n, 0)
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimSpace(lines[0])
}

// around is line n of a file and up to so many before and after it, and the number of the first of
// them; none where it cannot be read.
func (s *sources) around(path string, n, beside int) (lines []string, from int) {
	if path == "" || n <= 0 {
		return nil, 0
	}
	if *s == nil || len(*s) >= mostFiles {
		*s = sources{}
	}
	all, known := (*s)[path]
	if !known {
		all = read(path)
		(*s)[path] = all
	}
	if n > len(all) {
		return nil, 0
	}
	from = max(n-beside, 1)
	return all[from-1 : min(n+beside, len(all))], from
}

func read(path string) (lines []string) {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	in := bufio.NewScanner(io.LimitReader(f, mostSource))
	for in.Scan() {
		lines = append(lines, printable.Line(strings.ReplaceAll(strings.TrimRight(in.Text(), " \t\r"), "\t", "    ")))
	}
	return lines
}
