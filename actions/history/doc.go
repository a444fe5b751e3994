// Package history is what happened, as plain data.
//
//	session ──┐                          ┌──► screen
//	recording ┼──►  []*Step  ────────────┼──► transcript, JSON
//	…         ┘    Outcome  Result       ├──► file (package saved)
//	               Names  File  Keys     └──► lessons, expectations
//	               vmspace.Snapshot, Change
//
// Who makes steps and who shows them have nothing else in common. A step holds no function and
// nothing that lives: it can be written to a file, read on another system, and held against another
// one. A Result has cases, and a change of pages its two states: nobody takes a text apart to know
// what happened.
package history
