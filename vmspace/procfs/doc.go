// Package procfs parses the texts of /proc/PID: maps, smaps, stat and status. For any input it
// returns a value or an error that names the wrong place of the text; it never panics.
package procfs
