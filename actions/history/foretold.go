package history

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/vmspace"
)

// The predictions that a step allows, and the prediction that was made for it.

// Predict returns the possible outcomes of an access to addr by a process after the step.
func (st *Step) Predict(label string, addr uint64, a vmspace.Access) vmspace.Prediction {
	p := st.After.Process(label)
	if p == nil {
		return vmspace.Prediction{Why: label + " is gone"}
	}
	f := st.Facts
	f.Keys, f.Limits = st.KeysOf(label), st.LimitsOf(label)
	if m, ok := p.MappingAt(addr); ok {
		if e, ok := st.FileOf(m); ok {
			f.FileSize = int64(e.Size)
		}
	}
	return vmspace.Predict(p, addr, a, f)
}

// Foretold compares what happened with the prediction, in words; "" if nothing was predicted, or
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
		what = "" // the answer contains it
	}
	switch {
	case !slices.Contains(st.Predicted, st.Happened):
		return fmt.Sprintf("%s and not %s as predicted", st.Happened, strings.Join(words, " or "))
	case len(words) == 1:
		return what + "as predicted"
	}
	return what + "predicted " + strings.Join(words, " or ")
}
