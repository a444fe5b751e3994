package feature

import (
	"os"
	"slices"

	"cowscope/vmspace/fault"
)

// perfFaults takes a page fault in cowscope itself, and looks for it among those that are told.
func perfFaults(*machine) string {
	rings, err := fault.Open(func() []int { return []int{os.Getpid()} })
	if err != nil {
		return oneLine(err)
	}
	defer rings.Close()
	return borrowPage(func(a area) string {
		events, _ := rings.Drain(nil)
		if !slices.ContainsFunc(events, func(e fault.Event) bool { return uintptr(e.Addr)&^(pageSize-1) == a.addr() }) {
			return "perf_event_open works, but a page fault is not told"
		}
		return ""
	})
}
