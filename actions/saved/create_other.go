//go:build !linux

package saved

import (
	"errors"
	"os"
)

// File is a file that a session is saved to; here there are no sessions.
type File struct{ *os.File }

func (*File) again() {}

// Close has nothing to close.
func (*File) Close() error { return nil }

// Create fails where a path is given: a session needs Linux.
func Create(path string) (*File, error) {
	if path == "" {
		return nil, nil
	}
	return nil, errors.New("--save needs a live session, and that needs Linux; replay reads a saved one here")
}
