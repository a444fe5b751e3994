package history

import (
	"fmt"
	"slices"
	"testing"

	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// The newest steps are there, the first one, and those that somebody keeps; what is there is what
// was put there, in order; a follower misses nothing; and what is there has its room.
func TestLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := Room{Steps: rapid.IntRange(fewest, 64).Draw(t, "steps"), Bytes: 1 << 20, Forget: rapid.Bool().Draw(t, "forget")}
		l, kept := NewLog(room), map[int]bool{}
		var all, told, late []*Step
		l.Follow(0, func(st *Step) { told = append(told, st) })
		for range rapid.IntRange(1, 3000).Draw(t, "made") {
			st := &Step{}
			l.Add(st)
			all = append(all, st)
			if n := len(all) - 1; n%97 == 5 {
				kept[n] = true
				l.Keep(n)
			}
			if len(all) == 50 {
				l.Follow(48, func(st *Step) { late = append(late, st) })
			}
		}
		steps := l.Steps()
		there := map[int]bool{}
		for i, st := range steps {
			if st != all[st.N] {
				t.Fatalf("step %d is another one", st.N)
			}
			if i > 0 && st.N <= steps[i-1].N {
				t.Fatalf("step %d after %d", st.N, steps[i-1].N)
			}
			there[st.N] = true
		}
		for n := range all {
			must := n > len(all)-1-room.Steps || kept[n] || n == 0 && !room.Forget
			if must && !there[n] {
				t.Fatalf("step %d of %d is not there", n, len(all))
			}
		}
		if most := 2*room.Steps + 2*len(kept) + 12; len(steps) > most {
			t.Fatalf("%d steps of %d, with room for %d", len(steps), len(all), room.Steps)
		}
		if !slices.Equal(told, all) || len(all) >= 50 && !slices.Equal(late, all[48:]) {
			t.Fatalf("followers were told of %d and of %d steps of %d", len(told), len(late), len(all))
		}
		recent := l.Recent()
		for i := range recent {
			if recent[i].N != len(all)-len(recent)+i {
				t.Fatalf("step %d among the %d recent ones of %d", recent[i].N, len(recent), len(all))
			}
		}
		if len(recent) < min(room.Steps, len(all)) || l.Last() != all[len(all)-1] || l.made != len(all) {
			t.Fatalf("%d are recent, the last is %d, %d were made of %d", len(recent), l.Last().N, l.made, len(all))
		}
		gone := 0
		for i := range steps {
			gone += Missing(steps, i)
		}
		if gone+len(steps) != len(all) {
			t.Fatalf("%d are there and %d are missing of %d", len(steps), gone, len(all))
		}
		n := rapid.IntRange(0, len(all)+1).Draw(t, "at")
		if i := At(steps, n); steps[i].N > n && i > 0 || i+1 < len(steps) && steps[i+1].N <= n {
			t.Fatalf("step %d is at %d, which is step %d", n, i, steps[i].N)
		}
	})
}

// How thin the history gets: one in four, then one in sixteen, and it does not grow any more.
func TestLogThins(t *testing.T) {
	l := NewLog(Room{Steps: 64, Bytes: 1 << 30})
	most := 0
	for range 100_000 {
		l.Add(&Step{})
		most = max(most, len(l.Steps()))
	}
	l.thin()
	var ns []int
	for _, st := range l.Steps() {
		ns = append(ns, st.N)
	}
	ages := map[string]int{}
	for i := 1; i < len(ns); i++ {
		switch age := l.made - 1 - ns[i]; {
		case age < 64:
			ages["newest"]++
		case age < 128:
			ages["older"]++
		case age < 256:
			ages["still older"]++
		}
	}
	if got := fmt.Sprint(ages); got != "map[newest:64 older:16 still older:8]" || ns[0] != 0 {
		t.Error(got, ns)
	}
	if most > 128 {
		t.Errorf("there were %d steps at a time", most)
	}
}

// Heavy steps: as many are there as have their room, but for the newest few, and light ones that
// come later bring all of the newest back.
func TestLogOfHeavySteps(t *testing.T) {
	l := NewLog(Room{Steps: 64, Bytes: 1 << 20})
	add := func(n, bytes int) {
		for range n {
			l.Add(&Step{Outcome: Outcome{Bytes: make([]byte, bytes)}})
			real := 0
			for _, st := range l.Steps() {
				real += len(st.Bytes)
			}
			if len(l.Steps()) > fewest+8 && real > l.room.Bytes+bytes {
				t.Fatalf("%d steps take %d bytes", len(l.Steps()), real)
			}
		}
	}
	add(500, 40<<10)
	if n := len(l.Recent()); n < fewest || n > 32 {
		t.Errorf("%d steps of 40 KiB each are all there", n)
	}
	add(20, 1<<20)
	if n := len(l.Steps()); n < fewest || n > fewest+8 {
		t.Errorf("%d steps of 1 MiB are there", n)
	}
	add(200, 10)
	if n := len(l.Recent()); n < 64 {
		t.Errorf("%d light steps are all there", n)
	}
}

// A step is weighed with the pictures that it alone holds: the one before it, too, where the step
// that left it is gone.
func TestLogWeighsPictures(t *testing.T) {
	picture := func(n uint64) *vmspace.Snapshot {
		runs := make([]vmspace.Run, 2000)
		for i := range runs {
			runs[i] = vmspace.Run{Start: uint64(i+1) << 12, Pages: 1, Frame: n + uint64(2*i)}
		}
		return &vmspace.Snapshot{Processes: []*vmspace.Process{{Member: vmspace.Member{Label: "p1"}, Pages: vmspace.NewList(runs)}}}
	}
	l := NewLog(Room{Steps: 64, Bytes: 4 << 20})
	last := picture(0)
	l.Add(&Step{After: last})
	for n := range uint64(300) {
		next := picture(n + 1)
		l.Add(&Step{Before: last, After: next})
		last = next
	}
	pictures := map[*vmspace.Snapshot]bool{}
	for _, st := range l.Steps() {
		pictures[st.Before], pictures[st.After] = true, true
	}
	if real := len(pictures) * 2000 * 56; real > 5<<20 || len(l.Recent()) < fewest {
		t.Errorf("%d pictures of 112 KiB are there", len(pictures))
	}
}
