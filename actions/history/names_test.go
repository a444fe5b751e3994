package history

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// plainNames are the same as Names, as simple as can be.
type plainNames map[string]map[string]Binding

func (n plainNames) clone() plainNames {
	out := plainNames{}
	for label, of := range n {
		out[label] = maps.Clone(of)
	}
	return out
}

func (n plainNames) nextFree() string {
	for i := 0; ; i++ {
		name := letters(i)
		if !slices.ContainsFunc(slices.Collect(maps.Values(n)), func(of map[string]Binding) bool { _, ok := of[name]; return ok }) {
			return name
		}
	}
}

func (n plainNames) of(label string, addr uint64) (name string, b Binding, ok bool) {
	for k, c := range n[label] {
		if c.Contains(addr) && (!ok || c.Step > b.Step || c.Step == b.Step && k < name) {
			name, b, ok = k, c, true
		}
	}
	return name, b, ok
}

// since is what Names.Since tells.
func (n plainNames) since(older plainNames) (changed []Change, kept bool) {
	kept = true
	for _, label := range slices.Sorted(maps.Keys(n)) {
		for _, name := range slices.Sorted(maps.Keys(n[label])) {
			if was, ok := older[label][name]; !ok || was != n[label][name] {
				changed = append(changed, Change{label, Bound{Name: name, Binding: n[label][name]}})
			}
		}
	}
	for label, of := range older {
		for name := range of {
			_, ok := n[label][name]
			kept = kept && ok
		}
	}
	return changed, kept
}

type namesPair struct {
	names Names
	plain plainNames
}

var namesLabels = []string{"p1", "p2", "p10", "p3"}

// check holds everything that can be asked of one version against the plain names.
func (p namesPair) check(t *rapid.T) {
	for _, label := range namesLabels {
		if got := maps.Collect(p.names.All(label)); len(got) != len(p.plain[label]) || !maps.Equal(got, p.plain[label]) {
			t.Fatalf("%s has %v, want %v", label, got, p.plain[label])
		}
		if n := p.names.Len(label); n != len(p.plain[label]) {
			t.Fatalf("%s: %d names, want %d", label, n, len(p.plain[label]))
		}
		for name, want := range p.plain[label] {
			if b, ok := p.names.Get(label, name); !ok || b != want {
				t.Fatalf("%s %s is %v, want %v", label, name, b, want)
			}
		}
		if _, ok := p.names.Get(label, "nobody"); ok {
			t.Fatal("nobody is there")
		}
		for addr := range uint64(70) {
			name, b, ok := p.names.Of(label, addr)
			if n, c, found := p.plain.of(label, addr); name != n || b != c || ok != found {
				t.Fatalf("%s %d: %s %v %v, want %s %v %v", label, addr, name, b, ok, n, c, found)
			}
		}
	}
	if got, want := p.names.NextFree(), p.plain.nextFree(); got != want {
		t.Fatalf("the next free name is %s, want %s", got, want)
	}
}

// checkSince compares any two versions.
func (p namesPair) checkSince(t *rapid.T, older namesPair) {
	got, kept := p.names.Since(older.names)
	if want, all := p.plain.since(older.plain); kept != all || !slices.Equal(got, want) {
		t.Fatalf("since\n%v\nthere came %v %v, want %v %v", older.plain, got, kept, want, all)
	}
}

func drawName(t *rapid.T, p namesPair) string {
	switch rapid.IntRange(0, 9).Draw(t, "kind of name") {
	case 0:
		return fmt.Sprint("x", rapid.IntRange(0, 300).Draw(t, "x"))
	case 1, 2:
		return letters(rapid.IntRange(0, 900).Draw(t, "letters"))
	case 3:
		if all := slices.Sorted(maps.Keys(p.plain["p1"])); len(all) > 0 {
			return rapid.SampledFrom(all).Draw(t, "again")
		}
	}
	return p.names.NextFree()
}

// The names say what a map of maps says, all versions of a history and of its branches at any time.
func TestNamesModel(t *testing.T) {
	longest := 0
	rapid.Check(t, func(t *rapid.T) {
		all := []namesPair{{plain: plainNames{}}}
		step := 0
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			now := all[len(all)-1]
			switch rapid.IntRange(0, 7).Draw(t, "round") {
			case 0:
				now = rapid.SampledFrom(all).Draw(t, "another branch")
			case 1:
				from, to := rapid.SampledFrom(namesLabels).Draw(t, "parent"), rapid.SampledFrom(namesLabels).Draw(t, "child")
				plain := now.plain.clone()
				for name := range plain[to] { // a child is new: what it has, it has from its parent
					if _, ok := plain[from][name]; !ok {
						to = from
						break
					}
				}
				plain[to] = maps.Clone(plain[from])
				now = namesPair{now.names.Inherit(from, to), plain}
			}
			label := rapid.SampledFrom(namesLabels).Draw(t, "process")
			plain, names := now.plain.clone(), now.names
			if plain[label] == nil {
				plain[label] = map[string]Binding{}
			}
			for range rapid.IntRange(0, 150).Draw(t, "names") {
				name := drawName(t, namesPair{names, plain})
				start := rapid.Uint64Range(0, 64).Draw(t, "start")
				b := Binding{Step: step}
				b.Start, b.End = start, start+rapid.Uint64Range(0, 6).Draw(t, "length")
				step += rapid.IntRange(0, 1).Draw(t, "later")
				names = names.With(label, name, b)
				plain[label][name] = b
			}
			longest = max(longest, names.Len(label))
			all = append(all, namesPair{names, plain})
		}
		for _, p := range all {
			p.check(t)
			p.checkSince(t, all[rapid.IntRange(0, len(all)-1).Draw(t, "older")])
		}
	})
	if longest < 4*chainFull && !testing.Short() { // which makes too few checks for it
		t.Errorf("there were never more than %d names", longest)
	}
}

// Between two steps next to each other, Since says what the step bound, at every length of the
// chain and at every merge.
func TestNamesSinceStep(t *testing.T) {
	var n Names
	for i := range 40 * chainFull {
		name := n.NextFree()
		if i%5 == 4 {
			name = letters(i / 3) // again
		}
		now := n.With("p1", name, rangeBinding(i))
		changed, kept := now.Since(n)
		if len(changed) != 1 || changed[0].Name != name || changed[0].Step != i || !kept {
			t.Fatalf("step %d bound %s: %v %v", i, name, changed, kept)
		}
		if changed, kept := n.Since(now); len(changed) > 1 || kept != (n.Len("p1") == now.Len("p1")) {
			t.Fatalf("back from step %d: %v %v", i, changed, kept)
		}
		if changed, kept := now.Since(now); len(changed) != 0 || !kept {
			t.Fatalf("step %d: %v %v", i, changed, kept)
		}
		n = now
	}
	if changed, kept := n.Since(Names{}); len(changed) != n.Len("p1") || !kept {
		t.Errorf("all names: %d %v", len(changed), kept)
	}
	if changed, kept := (Names{}).Since(n); len(changed) != 0 || kept {
		t.Errorf("a restart: %d %v", len(changed), kept)
	}
}

func TestNextFree(t *testing.T) {
	var n Names
	var got []string
	n = n.With("p1", "c", Binding{}).With("p1", "buf", Binding{}).With("p1", "ab", Binding{}).With("p1", "x1", Binding{})
	n = n.Inherit("p1", "p2")
	for i := range 28 {
		name := n.NextFree()
		got = append(got, name)
		n = n.With([]string{"p1", "p2"}[i%2], name, Binding{})
	}
	if want := "a b d e f g h i j k l m n o p q r s t u v w x y z aa ac ad"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", got, want)
	}
	n = n.With("p1", "a", Binding{Step: 1})
	if name := n.NextFree(); name != "ae" {
		t.Error(name)
	}
}

func rangeBinding(i int) Binding {
	start := uint64(1<<40 - (i+1)<<12)
	return Binding{Range: vmspace.Range{Start: start, End: start + 4096}, Step: i}
}

// historyOf is a version for each of n names.
func historyOf(n int) []Names {
	all := make([]Names, 1, n+1)
	for i := range n {
		last := all[i]
		all = append(all, last.With("p1", last.NextFree(), rangeBinding(i)))
	}
	return all
}

// A step of the history keeps no more than what it bound and its share of the merges.
func TestNamesMemory(t *testing.T) {
	const n = 60000
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	all := historyOf(n)
	took := int64(used() - before)
	if took > 32<<20 || took < n*48 {
		t.Errorf("%d names in a history take %d bytes, %d for each", n, took, took/n)
	}
	t.Logf("%d bytes for each name", took/n)
	if name, _, _ := all[n].Of("p1", rangeBinding(0).Start); name != "a" || all[n].Len("p1") != n || all[n/2].Len("p1") != n/2 {
		t.Error(name, all[n].Len("p1"), all[n/2].Len("p1"))
	}
	if layers := len(all[n].table("p1").layers); layers > 11 { // 32 << 11 > 60,000
		t.Errorf("%d layers", layers)
	}
}

// A look-up asks only about a few names, also where all of them were given to one range, within
// one, or within each other.
func TestOfLooksAtFew(t *testing.T) {
	const n = 20000
	for shape, b := range map[string]func(i int) vmspace.Range{
		"one range": func(int) vmspace.Range { return vmspace.Range{Start: 4096, End: 8192} },
		"nested":    func(i int) vmspace.Range { return vmspace.Range{Start: uint64(i), End: 1 << 40} },
		"around":    func(i int) vmspace.Range { return vmspace.Range{Start: n - uint64(i), End: 1 << 40} },
		"around, then others": func(i int) vmspace.Range {
			if i < n/2 {
				return vmspace.Range{Start: n - uint64(i), End: 1 << 40}
			}
			return vmspace.Range{Start: 1 << 41, End: 1 << 42}
		},
		"in a large one": func(i int) vmspace.Range {
			if i == 0 {
				return vmspace.Range{End: 1 << 40}
			}
			return vmspace.Range{Start: uint64(i) << 12, End: uint64(i+1) << 12}
		},
	} {
		names := Names{}
		for i := range n {
			names = names.With("p1", letters(i), Binding{Range: b(i), Step: i})
		}
		for _, addr := range []uint64{0, 4096, 8191, n << 11, n << 12, 1<<40 - 1} {
			s := search{t: names.table("p1"), addr: addr}
			s.all()
			name, last := "", -1
			for i := range n {
				if b(i).Contains(addr) {
					name, last = letters(i), i
				}
			}
			if got := s.last; (got == nil) != (last < 0) || got != nil && got.Name != name {
				t.Errorf("%s, %#x: %+v, want %s", shape, addr, got, name)
			}
			if s.looked > 600 {
				t.Errorf("%s, %#x: looked at %d names", shape, addr, s.looked)
			}
		}
	}
}

func BenchmarkNames(b *testing.B) {
	for _, n := range []int{1000, 60000} {
		names := historyOf(n)[n]
		b.Run(fmt.Sprint("with/", n), func(b *testing.B) {
			now, bound := names, 0
			for b.Loop() {
				if bound++; bound == n/4 {
					now, bound = names, 0
				}
				now = now.With("p1", now.NextFree(), rangeBinding(n+bound))
			}
		})
		b.Run(fmt.Sprint("of/", n), func(b *testing.B) {
			for i := 0; b.Loop(); i += 7919 {
				if _, _, ok := names.Of("p1", rangeBinding(i%n).Start); !ok {
					b.Fatal(i)
				}
			}
		})
		b.Run(fmt.Sprint("next/", n), func(b *testing.B) {
			for b.Loop() {
				names.NextFree()
			}
		})
		b.Run(fmt.Sprint("since/", n), func(b *testing.B) {
			now := names.With("p1", names.NextFree(), rangeBinding(n))
			for b.Loop() {
				now.Since(names)
			}
		})
	}
}
