//go:build !linux

package scratch

import (
	"errors"
	"os"

	"cowscope/actions/history"
)

// Sessions need Linux; on other systems the package only compiles.

// Nameless is for Linux.
func Nameless(string) (*os.File, error)            { return nil, errors.ErrUnsupported }
func openPath(string) (*os.File, func(), error)    { return nil, nil, errors.ErrUnsupported }
func realPath(*os.File) (string, error)            { return "", errors.ErrUnsupported }
func memfd(string, uint) (*os.File, error)         { return nil, errors.ErrUnsupported }
func seal(*os.File, history.Seals) error           { return errors.ErrUnsupported }
func truncate(*os.File, uint64) error              { return errors.ErrUnsupported }
func pwrite(*os.File, []byte, uint64) (int, error) { return 0, errors.ErrUnsupported }
func pread(*os.File, []byte, uint64) (int, error)  { return 0, errors.ErrUnsupported }
func fallocate(*os.File, uint32, uint64, uint64) error {
	return errors.ErrUnsupported
}
func used(*os.File) uint64                    { return 0 }
func identify(*os.File) (history.File, error) { return history.File{}, errors.ErrUnsupported }
