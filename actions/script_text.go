package actions

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"cowscope/actions/lang"
	"cowscope/actions/scratch"
	"cowscope/vmspace/amount"
)

// Rules of this file: a script is read twice, once to check it and once to run it, so that it is
// never in memory as a whole. A seekable text, such as a file, may have any length. Of any other,
// such as a pipe, a copy is kept: a short one in memory, a longer one in a nameless file, and at
// most maxCopy bytes.

const (
	maxLine    = 1 << 20  // bytes of a line
	maxCopy    = 64 << 20 // bytes of a copy
	copyInside = 64 << 10 // bytes of a copy that is kept in memory
)

// errCopy says that the copy would be too long.
var errCopy = fmt.Errorf("the script is longer than %s, and no more is kept of what cannot be read twice: write it to a file, and give its name",
	amount.Size(maxCopy))

// scriptText is a text that can be read twice.
type scriptText struct {
	at    io.ReaderAt
	start int64
	first io.Reader // for the first reading
	read  bool      // the first reading reached its end
	size  int64     // found by the first reading
}

// textOf makes r readable twice.
func textOf(r io.Reader) scriptText {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			if start, err := f.Seek(0, io.SeekCurrent); err == nil {
				return scriptText{at: f, start: start, first: f}
			}
		}
	}
	if s, ok := r.(interface {
		io.ReaderAt
		Len() int
		Size() int64
	}); ok { // such as strings.Reader
		return scriptText{at: s, start: s.Size() - int64(s.Len()), first: r}
	}
	c := new(textCopy)
	return scriptText{at: c, first: io.TeeReader(r, c)}
}

// close releases the copy.
func (t *scriptText) close() {
	if c, ok := t.at.(*textCopy); ok {
		c.close()
	}
}

// lines calls yield with each line and its number, from 1, until it returns an error. A lineError
// is a mistake in the text.
func (t *scriptText) lines(yield func(n int, line []byte) error) error {
	from := t.first
	if t.read {
		from = io.NewSectionReader(t.at, t.start, t.size)
	}
	in := &lineReader{from: from}
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		// A line that a read error cut short is dropped.
		return bufio.ScanLines(data, atEOF && in.err == io.EOF)
	})
	n := 0
	for s.Scan() {
		n++
		if err := yield(n, s.Bytes()); err != nil {
			return err
		}
	}
	if !t.read { // text that is appended later is not part of the script
		t.read, t.size = true, in.read
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return lineError{n + 1, fmt.Errorf("the line is longer than %s", amount.Size(maxLine))}
	case errors.Is(err, errCopy):
		return lineError{n + 1, err}
	default:
		return err
	}
}

// lineError is a mistake in a line.
type lineError struct {
	n int
	error
}

// lineReader counts the bytes read, and keeps the error that ended it.
type lineReader struct {
	from io.Reader
	read int64
	err  error
}

func (r *lineReader) Read(b []byte) (n int, err error) {
	n, err = r.from.Read(b)
	r.read, r.err = r.read+int64(n), err
	return n, err
}

// textCopy is the copy of a text so far.
type textCopy struct {
	inside bytes.Buffer
	file   *os.File // once the copy is too long for memory
	size   int
}

func (c *textCopy) Write(b []byte) (int, error) {
	if c.size+len(b) > maxCopy {
		return 0, errCopy
	}
	c.size += len(b)
	if c.file == nil && c.size <= copyInside {
		return c.inside.Write(b)
	}
	if c.file == nil {
		f, err := scratch.Nameless("script")
		if err != nil {
			return 0, fmt.Errorf("there is no place for a copy of the script: %w", err)
		}
		c.file = f
		if _, err := c.inside.WriteTo(f); err != nil {
			return 0, err
		}
	}
	return c.file.Write(b)
}

func (c *textCopy) ReadAt(b []byte, off int64) (int, error) {
	if c.file != nil {
		return c.file.ReadAt(b, off)
	}
	return bytes.NewReader(c.inside.Bytes()).ReadAt(b, off)
}

func (c *textCopy) close() {
	if c.file != nil {
		c.file.Close()
	}
}

// parsedLines caches commands by their lines, because scripts repeat lines, and short ones are read
// twice. It is cleared when it becomes too large.
type parsedLines struct {
	of    map[string]*lang.Command
	bytes int // of the lines
}

const (
	mostParsed      = 1024
	mostParsedBytes = 256 << 10
)

// parse is g.Parse with the cache.
func (p *parsedLines) parse(g *lang.Grammar, line []byte) (*lang.Command, error) {
	if cmd, ok := p.of[string(line)]; ok {
		return cmd, nil
	}
	text := string(line)
	cmd, err := g.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(p.of) >= mostParsed || p.bytes+len(text) > mostParsedBytes || p.of == nil {
		p.of, p.bytes = map[string]*lang.Command{}, 0
	}
	p.of[text] = cmd
	p.bytes += len(text)
	return cmd, nil
}
