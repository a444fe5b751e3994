package watch

import (
	"slices"
	"testing"
	"time"

	"cowscope/vmspace/observe"
)

// The figures say no less than what was measured, and nothing before it was.
func TestSpending(t *testing.T) {
	var s spending
	now := time.Now()
	for _, c := range []struct {
		after, cpu, longest time.Duration
		want                []string
	}{
		{0, 0, 0, nil},
		{measureFor - 1, time.Second, 0, nil},
		{measureFor, measureFor / 200, 0, []string{"cpu <1%"}},
		{2 * measureFor, measureFor/200 + measureFor*12/1000, 100 * time.Microsecond, []string{"cpu 1%", "lock ≤0.1 ms"}},
		{3*measureFor - 1, time.Hour, 101 * time.Microsecond, []string{"cpu 1%", "lock ≤0.2 ms"}},
		{3 * measureFor, measureFor/200 + measureFor*12/1000 + 2*measureFor, 1, []string{"cpu 200%", "lock ≤0.2 ms"}},
	} {
		s.add(observe.Cost{Longest: c.longest})
		s.measure(now.Add(c.after), c.cpu)
		if got := s.texts(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
