//go:build race

package observe

// A race build's address space has terabytes of shadow memory, and reads of it are slow without
// PAGEMAP_SCAN: fewer random rounds.
func init() { rapidChecks = "8" }
