package saved

import (
	"bufio"
	"errors"
	"io"

	"cowscope/actions/output"
)

// File is a file that a session is saved to. Its content stays until the first line is written.
type File struct{ *output.File }

// Create creates the file for a session, or opens an existing saved session to be overwritten, by
// the rules of package output. An empty path gives a nil File.
func Create(path string) (*File, error) {
	f, err := output.Kind{By: "--save", What: "a saved session", Mine: isSession}.Open(path)
	if f == nil {
		return nil, err
	}
	return &File{f}, nil
}

// isSession reports whether a file begins as a saved session does, of this or another version.
func isSession(head io.Reader) bool {
	r := &reader{in: bufio.NewReader(head)}
	return !errors.Is(r.header(), errForeign)
}

// Close closes the file, if there is one. A new file is removed if its session never began.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	return f.File.Close()
}
