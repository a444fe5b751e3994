package procfs

import (
	"bytes"
	"fmt"
	"os"
)

// StatusField is a field of /proc/PID/status of a process or a thread, such as "Tgid:"
// (proc_pid_status(5)); "" where it is not there.
func StatusField(pid int, key string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			return string(bytes.TrimSpace(rest))
		}
	}
	return ""
}
