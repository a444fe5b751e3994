// Package saved keeps the history of a session in a file, step by step as it happens, and reads it
// again: to walk through it on any system, to print it, or to run it again.
//
//	Session ─► Step ─► Writer ─► one line of JSON, whole or not at all ─► file
//	                                                                       │
//	screen, --list, --json  ◄── []*history.Step, as the session had them ◄─┴─ Read
//	another Session         ◄── Rerun
//
// A line contains the changes of a step to the snapshot, as splices of its lists; now and then it
// contains the whole snapshot. So the file grows with the changes, and the steps that are read
// share unchanged parts, as those of a live session do.
//
// The file is not trusted: every value is checked before it is used, sizes and totals are bounded,
// and the first mistake ends the reading with an error that names its line. The steps before it are
// kept.
//
// Format is the complete description of the file.
package saved

import _ "embed"

// Format describes the file for people.
//
//go:embed format.md
var Format string
