package saved

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace/printable"
)

// Rules of this file: the first mistake ends the reading, and everything before it is kept. Memory
// is counted while it grows, so that no file takes more than the limits.

// Recording is a session that was read.
type Recording struct {
	Header
	Steps []*history.Step // oldest first, sharing unchanged parts
	Lines []int           // for each step its line in the script, 0 if there is none
}

// Error says in which line of a file there is a mistake.
type Error struct {
	Line int // from 1
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// limits are the limits of a file.
type limits struct {
	line   int // bytes of a line
	memory int // bytes of memory, estimated
}

var fileLimits = limits{line: 64 << 20, memory: 2 << 30}

// Memory costs in bytes, estimated.
const (
	stepCost = 1 << 10
	itemCost = 96
	// nameCost includes the share of the lists that are rebuilt if there are many names
	// (history.Names).
	nameCost   = 512
	labelCost  = 8 // of each process with names in a step
	changeCost = 160
	chunkItems = 512 // at most this many items are copied if one of them changes
	spineShare = 16  // and one byte per this many items for the list of chunks
	manyChunks = 64  // with this many splices the whole list is rebuilt
)

// Open reads a file.
func Open(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, printable.Error(err)
	}
	defer f.Close()
	rec, err := Read(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", printable.Name(path), err)
	}
	return rec, err
}

// Read reads a session. If there is a mistake, an *Error names its line, and the recording contains
// the steps before it; the recording is nil if there are none.
func Read(from io.Reader) (*Recording, error) { return read(from, fileLimits) }

func read(from io.Reader, lim limits) (*Recording, error) {
	rec := &Recording{}
	g, err := actions.Grammar()
	r := &reader{in: bufio.NewReaderSize(from, 64<<10), lim: lim, texts: map[string]string{}, grammar: g}
	if err == nil {
		err = r.header()
	}
	rec.Header = r.head
	for more := true; more && err == nil; {
		more, err = r.next(rec)
	}
	if err == nil && len(rec.Steps) == 0 {
		err = errors.New("there is no step in it")
	}
	if err != nil {
		err = &Error{max(r.line, 1), printable.Error(err)}
	}
	if len(rec.Steps) == 0 {
		rec = nil
	}
	return rec, err
}

// reader reads a session line by line.
type reader struct {
	in    *bufio.Reader
	lim   limits
	head  Header
	line  int // the current line number
	buf   []byte
	spent int
	texts map[string]string

	grammar *lang.Grammar
}

func (r *reader) header() error {
	b, err := r.read(4 << 10)
	if errors.Is(err, errLong) || err == nil && b == nil {
		return errForeign
	}
	if err != nil {
		return err
	}
	// The format and version are checked before everything else.
	var claim struct {
		Cowscope string
		Version  int
		Program  string
	}
	if json.Unmarshal(b, &claim) != nil || claim.Cowscope != kind {
		return errForeign
	}
	if claim.Version != version {
		return Header{Cowscope: kind, Version: claim.Version, Program: claim.Program}.check()
	}
	if err := json.Unmarshal(b, &r.head); err != nil {
		return jsonError(err)
	}
	return r.head.check()
}

var errLong = errors.New("the line is too long")

// next reads a step; more is false at the end.
func (r *reader) next(rec *Recording) (more bool, err error) {
	b, err := r.read(r.lim.line)
	if err != nil || b == nil {
		return false, err
	}
	if err := r.spend(len(b)*2 + stepCost); err != nil {
		return false, err
	}
	var j stepJSON
	if err := json.Unmarshal(b, &j); err != nil {
		if b[len(b)-1] != '\n' {
			return false, errors.New("the file ends in the middle of a step")
		}
		return false, jsonError(err)
	}
	var before *history.Step
	if n := len(rec.Steps); n > 0 {
		before = rec.Steps[n-1]
	}
	st, err := r.step(&j, before)
	if err != nil {
		return false, err
	}
	rec.Steps, rec.Lines = append(rec.Steps, st), append(rec.Lines, max(j.Line, 0))
	return true, nil
}

// read returns the next line of at most most bytes, with its newline, or nil at the end; it is
// valid until the next call.
func (r *reader) read(most int) ([]byte, error) {
	r.line++
	r.buf = r.buf[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.buf)+len(part) > most {
			return nil, fmt.Errorf("%w: %d bytes", errLong, most)
		}
		r.buf = append(r.buf, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case len(r.buf) == 0:
			return nil, nil
		default:
			return r.buf, nil
		}
	}
}

// spend counts memory.
func (r *reader) spend(n int) error {
	if r.spent += n; r.spent > r.lim.memory {
		return fmt.Errorf("the session needs more than %d MiB of memory from here on", r.lim.memory>>20)
	}
	return nil
}

// spendSplices counts the memory for applying n splices to a list.
func (r *reader) spendSplices(n, length int) error {
	if n > manyChunks {
		return r.spend(length * itemCost)
	}
	return r.spend(n * (min(length, chunkItems)*itemCost + length/spineShare))
}

// intern stores equal texts once.
func (r *reader) intern(s string) string {
	if t, ok := r.texts[s]; ok {
		return t
	}
	r.texts[s] = s
	return s
}

// jsonError words an error about JSON in terms of this program.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("this is not JSON: %v", syntax)
	case errors.As(err, &kind):
		return fmt.Errorf("%s: %s where %s belongs", kind.Field, kind.Value, kind.Type)
	}
	return err
}
