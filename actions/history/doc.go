// Package history is what happened, as plain data.
//
//	session ──┐                          ┌──► screen
//	recording ┼──►  []*Step  ────────────┼──► transcript, JSON
//	…         ┘    Outcome  Result       ├──► file (package saved)
//	               Names  File  Trait    └──► lessons, expectations
//	               vmspace.Snapshot, Change
//
// Producers and consumers of steps have nothing else in common. A step holds no function and no
// live object: it can be written to a file, read on another system, and compared with another step.
// A Result has cases, and a change of pages has its two states: no consumer parses text to find out
// what happened.
package history
