// Package saved keeps a session's history in a file, step by step as it happens, and gives it back:
// to walk through on any system, to print, or to run again.
//
//	Session ─► Step ─► Writer ─► one line of JSON, whole or not at all ─► file
//	                                                                       │
//	screen, --list, --json  ◄── []*history.Step, as the session had them ◄─┴─ Read
//	another Session         ◄── Rerun
//
// A line holds what the step changed in the picture of the processes, as splices of its lists; now
// and then it holds the whole picture. So a file grows with what happens, and what is read shares
// what did not change, as the live session does.
//
// What is read is not trusted: every value is checked before it is used, sizes and totals are
// bounded, and the first thing that is wrong ends the reading with its line. The steps before it
// are kept.
//
// Format is the whole description of the file.
package saved

import _ "embed"

// Format describes the file for people.
//
//go:embed format.md
var Format string
