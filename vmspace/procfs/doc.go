// Package procfs parses what Linux writes to the files of /proc/PID: maps, smaps, stat and status.
// Whatever the bytes are, the answer is a value or an error that says where the text is wrong,
// never a panic.
package procfs
