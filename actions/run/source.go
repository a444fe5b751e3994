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
	if path == "" || n <= 0 {
		return ""
	}
	if *s == nil || len(*s) >= mostFiles {
		*s = sources{}
	}
	lines, known := (*s)[path]
	if !known {
		lines = read(path)
		(*s)[path] = lines
	}
	if n > len(lines) {
		return ""
	}
	return printable.Line(strings.TrimSpace(lines[n-1]))
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
		lines = append(lines, in.Text())
	}
	return lines
}
