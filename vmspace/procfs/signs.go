package procfs

import "fmt"

// Signs is a text that is another one after most changes of a process's memory: its state, the
// faults that it has taken (proc_pid_stat(5)), and the sizes in /proc/PID/statm, of which the data
// grows and shrinks also with what may be written. To read it takes some microseconds and no lock
// of the process's memory. A page that the kernel merges or moves, and one that is advised upon,
// may leave no sign.
func Signs(pid int) string {
	st, _ := ParseStat(procText(pid, "stat"))
	return fmt.Sprintf("%d %d %d %d %s", st.StartTime, st.State, st.MinorFlt, st.MajorFlt, procText(pid, "statm"))
}
