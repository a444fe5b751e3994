package lang

import (
	"slices"
	"strconv"
	"strings"
)

// Comparisons: how an amount is to stand to what a line says, and shares in percent.

// comparisons are the words of kind Comparison.
var comparisons = []Word{
	{"<", "less than that"},
	{"<=", "at most that"},
	{">", "more than that"},
	{">=", "at least that"},
}

func parseComparison(t token) (string, *fault) {
	if slices.ContainsFunc(comparisons, func(w Word) bool { return w.Name == t.raw }) {
		return t.raw, nil
	}
	hint := kinds[KindCompare].fits
	if rest := strings.TrimLeft(t.raw, "<>="); rest != "" && len(rest) < len(t.raw) {
		hint = "put a blank before " + say(rest)
	}
	return "", t.fault(say(t.raw)+" is not a comparison", hint)
}

// Compare says whether got stands to want as the comparison says; without one, "", it is to be the
// same.
func Compare(got uint64, comparison string, want uint64) bool {
	switch comparison {
	case "<":
		return got < want
	case "<=":
		return got <= want
	case ">":
		return got > want
	case ">=":
		return got >= want
	}
	return got == want
}

func parsePercent(t token) (int64, *fault) {
	digits, percent := strings.CutSuffix(t.raw, "%")
	n, err := strconv.ParseUint(digits, 10, 64)
	switch {
	case err == nil && !percent && n <= 100:
		return 0, t.fault(say(t.raw)+" is not a percentage", "did you mean "+digits+"%?")
	case strings.Contains(t.raw, ".") || err != nil || digits != strconv.FormatUint(n, 10):
		return 0, t.fault(say(t.raw)+" is not a percentage", kinds[KindPercent].fits)
	case n > 100:
		return 0, t.fault(say(t.raw)+" is more than all", "0% to 100%")
	}
	return int64(n), nil
}
