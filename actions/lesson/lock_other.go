//go:build !linux && !darwin

package lesson

// lock does nothing: where there is no flock, the last who writes wins.
func lock(string) (unlock func(), err error) { return func() {}, nil }
