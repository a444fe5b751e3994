package pane

import (
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// What does not fit the head of a process is what is asked for least: of one that lives on its own the
// faults, of a subject its sizes.
func TestProcessHead(t *testing.T) {
	p := &vmspace.Process{Member: vmspace.Member{Label: "p1", PID: 4321}, RSS: 9 << 20, MinorFlt: 1312}
	s := &Scene{Step: &history.Step{}, Snap: &vmspace.Snapshot{PageSize: 4 << 10, Processes: []*vmspace.Process{p}}, Current: "p1",
		Sizes: func(*vmspace.Process) vmspace.Sizes { return vmspace.Sizes{Known: true, PSS: 7 << 20, USS: 5 << 20} }}
	for _, c := range []struct {
		watched bool
		w       int
		want    string
	}{
		{false, 40, "● p1 · pid 4321 · rss 9M · faults 1312"},
		{true, 40, "● p1 · rss 9M · pss 7M · uss 5M"},
		{true, 46, "● p1 · rss 9M · pss 7M · uss 5M · faults 1312"},
		{true, 14, "● p1 · rss 9M"},
		{true, 80, "● p1 · pid 4321 · rss 9M · pss 7M · uss 5M · faults 1312"},
	} {
		s.Watched = c.watched
		if got := processHead(s, p, c.w); got != c.want {
			t.Errorf("%d columns, watched %v: %s", c.w, c.watched, got)
		}
		if s.Watched = !c.watched; c.w == 80 && !strings.Contains(processHead(s, p, c.w), c.want[len("● p1"):]) {
			t.Error("the order differs where all fits")
		}
	}
}
