package procfs

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Descendants are the processes that pid has started, those that they have started, and so on, each
// with its parent, parents first. Of one whose parent has died nothing tells any more whose it was.
func Descendants(pid int) []Descendant {
	var out []Descendant
	seen := map[int]bool{pid: true}
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		for _, child := range children(next[0]) {
			if !seen[child] {
				seen[child] = true
				out = append(out, Descendant{child, next[0]})
				next = append(next, child)
			}
		}
	}
	return out
}

// Descendant is a process of a family.
type Descendant struct{ PID, Parent int }

// children are the processes whose parent is pid, in the order in which they were started. The
// kernel lists them by the thread that started them (proc_pid_task_children in fs/proc/array.c);
// where it was built without such lists, every process is asked for its parent.
func children(pid int) (out []int) {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		for f := range bytes.FieldsSeq(text) {
			if child, err := strconv.Atoi(string(f)); err == nil {
				out = append(out, child)
			}
		}
	}
	if len(lists) > 0 {
		return out
	}
	all, _ := os.ReadDir("/proc")
	for _, e := range all {
		if child, err := strconv.Atoi(e.Name()); err == nil && Parent(child) == pid {
			out = append(out, child)
		}
	}
	slices.Sort(out)
	return out
}

// Parent is the parent of a process; 0 where there is no such process, or none that can be seen.
func Parent(pid int) int {
	text := procText(pid, "stat")
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(string(fields[1]))
	return parent
}

// Name is what the kernel calls a process, which the process can change; "" where there is none.
func Name(pid int) string {
	return string(bytes.TrimSuffix(procText(pid, "comm"), []byte("\n")))
}
