//go:build linux || darwin

package lesson

import (
	"errors"
	"os"
	"syscall"
)

// lock waits until nobody else holds the lock of that file, and takes it. It is free again when it is given back, or its holder dies
// (flock(2)).
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "flock", Path: path, Err: err}, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
