package saved

import (
	"bufio"
	"errors"
	"io"

	"cowscope/actions/output"
)

// File is a file that a session is saved to. It stays as it was until the first line is written.
type File struct{ *output.File }

// Create makes the file for a session, or opens one that holds a session already, to be
// overwritten, by the rules of package output. No path is no file.
func Create(path string) (*File, error) {
	f, err := output.Kind{By: "--save", What: "a saved session", Mine: isSession}.Open(path)
	if f == nil {
		return nil, err
	}
	return &File{f}, nil
}

// isSession says whether a file begins as a session does, of this version or another.
func isSession(head io.Reader) bool {
	r := &reader{in: bufio.NewReader(head)}
	return !errors.Is(r.header(), errForeign)
}

// Close closes the file, if there is one. One that was made for a session that never began is
// removed.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	return f.File.Close()
}
