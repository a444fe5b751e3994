//go:build !linux

package symbol

import (
	"errors"
	"os"

	"cowscope/vmspace"
)

func openMapped(int, vmspace.Mapping) (*os.File, identity, error) {
	return nil, identity{}, errors.New("finding a mapped file needs Linux")
}

func openFile(string, *vmspace.Mapping) (*os.File, identity, error) {
	return nil, identity{}, errors.New("finding a mapped file needs Linux")
}

func ownVDSO() []byte { return nil }
