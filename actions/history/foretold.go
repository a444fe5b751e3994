package history

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/vmspace"
)

// What a step predicts, and what it says of what was predicted for it.

// Predict says what an access to addr by a process would lead to after the step.
func (st *Step) Predict(label string, addr uint64, a vmspace.Access) vmspace.Prediction {
	p := st.After.Process(label)
	if p == nil {
		return vmspace.Prediction{Why: label + " is gone"}
	}
	f := st.Facts
	f.Keys = st.KeysOf(label)
	if m, ok := p.MappingAt(addr); ok {
		if e, ok := st.FileOf(m); ok {
			f.FileSize = int64(e.Size)
		}
	}
	return vmspace.Predict(p, addr, a, f)
}

// Foretold holds what happened against what was predicted, in words; "" where nothing was, or where
// nothing shows what happened.
func (st *Step) Foretold() string {
	if len(st.Predicted) == 0 || st.Happened == "" {
		return ""
	}
	words := make([]string, len(st.Predicted))
	for i, p := range st.Predicted {
		words[i] = string(p)
	}
	what := string(st.Happened) + ", "
	if what == string(vmspace.NoFault)+", " || string(st.Happened) == st.Result.String() {
		what = "" // the answer says it already
	}
	switch {
	case !slices.Contains(st.Predicted, st.Happened):
		return fmt.Sprintf("%s and not %s as predicted", st.Happened, strings.Join(words, " or "))
	case len(words) == 1:
		return what + "as predicted"
	}
	return what + "predicted " + strings.Join(words, " or ")
}

// FileOf is the scratch file that a mapping shows.
func (st *Step) FileOf(m vmspace.Mapping) (File, bool) {
	if m.Inode != 0 {
		for _, e := range st.Files {
			if e.Inode == m.Inode && e.Major == m.Major && e.Minor == m.Minor {
				return e, true
			}
		}
	}
	return File{}, false
}
