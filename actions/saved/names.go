package saved

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"cowscope/actions"
)

// Names, by what a step changed of them. They are only ever added or bound anew, but for a restart, which forgets them all.

// namesChanged tells how was became now.
func namesChanged(was, now actions.Names) (forget bool, out list[nameJSON]) {
	if same(was, now) {
		return false, nil
	}
	for label, of := range was {
		if forget = forget || !kept(of, now[label]); forget {
			break
		}
	}
	if forget {
		was = nil
	}
	for _, label := range slices.Sorted(maps.Keys(now)) {
		of, old := now[label], was[label]
		if same(old, of) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			if b := of[name]; old[name] != b {
				out = append(out, nameJSON{labelJSON(label), name, hex(b.Start), hex(b.End), b.Step})
			}
		}
	}
	return forget, out
}

// same says whether a and b are one map, which steps share while nothing in it changes.
func same[M ~map[K]V, K comparable, V any](a, b M) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// kept says whether now has every name that was had.
func kept(was, now map[string]actions.Binding) bool {
	if same(was, now) {
		return true
	}
	for name := range was {
		if _, ok := now[name]; !ok {
			return false
		}
	}
	return true
}

// names are those after the step. A process whose names did not change shares them with the step before.
func (r *reader) names(st, before *actions.Step, j *stepJSON) error {
	was := before.Names
	if j.Forget {
		was = nil
	}
	st.Names = was
	if len(j.Names) == 0 {
		return nil
	}
	st.Names = maps.Clone(was)
	if st.Names == nil {
		st.Names = actions.Names{}
	}
	fresh := map[string]bool{}
	for _, n := range j.Names {
		label := r.intern(string(n.Process))
		of := st.Names[label]
		if !fresh[label] {
			fresh[label] = true
			if of = maps.Clone(of); of == nil {
				of = map[string]actions.Binding{}
			}
			if err := r.spend(len(of)*nameCost + len(st.Names)*nameCost); err != nil {
				return err
			}
			st.Names[label] = of
		}
		b := actions.Binding{Step: n.Step}
		b.Start, b.End = uint64(n.Start), uint64(n.End)
		of[r.intern(n.Name)] = b
	}
	for label, of := range st.Names {
		if len(of) > mostNames || len(st.Names) > 16*mostProcesses {
			return fmt.Errorf("%s has %d names, of %d processes", label, len(of), len(st.Names))
		}
	}
	return nil
}
