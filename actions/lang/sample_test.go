package lang

import (
	"strings"
	"testing"
)

// The whole table of the language as it is specified, to prove that it can be expressed.

func set(list string) []Word {
	var out []Word
	for _, w := range strings.Fields(list) {
		out = append(out, Word{Name: w, Help: "about " + w})
	}
	return out
}

var (
	rangeParam = Param{Name: "range", Kind: KindRange}
	placeParam = Param{Name: "place", Kind: KindPlace}
	fileParam  = Param{Name: "file", Kind: KindFile}
	sizeParam  = Param{Name: "size", Kind: KindQuantity}
	cmpParam   = Param{Name: "comparison", Kind: KindCompare, Optional: true}
	textParam  = Param{Name: "text", Kind: KindText}
	bitsParam  = Param{Name: "bits", Kind: KindOption, Key: "flags", Of: KindBits, Optional: true}
)

func opt(p Param) Param { p.Optional = true; return p }

var sample = []Verb{
	{Name: "mmap", Summary: "maps memory", Binds: true, Params: []Param{
		{Name: "size", Kind: KindQuantity, Default: "4p", Help: "how much to map"},
		{Name: "prot", Kind: KindProt, Default: "rw"},
		{Name: "flag", Kind: KindFlags, Optional: true, Default: "private anon", Words: set(`private shared shared_validate anon
			fixed fixed_noreplace populate locked noreserve growsdown stack hugetlb hugetlb_2m hugetlb_1g 32bit denywrite nonblock sync`)},
		{Name: "file", Kind: KindOption, Key: "file", Of: KindFile, Optional: true, Help: "the file to map"},
		{Name: "fd", Kind: KindOption, Key: "fd", Of: KindNumber, Optional: true},
		{Name: "offset", Kind: KindOption, Key: "offset", Of: KindQuantity, Optional: true},
		{Name: "addr", Kind: KindOption, Key: "addr", Of: KindPlace, Optional: true},
		bitsParam,
	}},
	{Name: "munmap", Params: []Param{rangeParam}},
	{Name: "mprotect", Params: []Param{rangeParam, {Name: "prot", Kind: KindProt}}},
	{Name: "mremap", Params: []Param{rangeParam, sizeParam,
		{Name: "flag", Kind: KindFlags, Optional: true, Words: set("maymove dontunmap")},
		{Name: "fixed", Kind: KindOption, Key: "fixed", Of: KindPlace, Optional: true}, bitsParam}},
	{Name: "madvise", Params: []Param{rangeParam, {Name: "advice", Kind: KindConstant, Max: 1<<32 - 1, Words: set(`dontneed free willneed cold pageout
		remove hugepage nohugepage collapse mergeable unmergeable dontfork dofork wipeonfork keeponfork dontdump dodump populate_read
		populate_write dontneed_locked guard_install guard_remove normal random sequential`)}}},
	{Name: "msync", Params: []Param{rangeParam, {Name: "mode", Kind: KindChoice, Optional: true, Words: set("sync async")},
		{Name: "flag", Kind: KindFlags, Optional: true, Words: set("invalidate")}, bitsParam}},
	{Name: "mlock", Params: []Param{rangeParam, {Name: "flag", Kind: KindFlags, Optional: true, Words: set("onfault")}}},
	{Name: "munlock", Params: []Param{rangeParam}},
	{Name: "mlockall", Params: []Param{{Name: "flag", Kind: KindFlags, Optional: true, Words: set("current future onfault")}}},
	{Name: "munlockall"},
	{Name: "mincore", Params: []Param{rangeParam}},
	{Name: "mbind", Params: []Param{rangeParam, {Name: "mode", Kind: KindChoice, Words: set("default bind")}, {Name: "nodes", Kind: KindNodes, Optional: true},
		{Name: "flag", Kind: KindFlags, Optional: true, Words: set("move")}}},
	{Name: "move_pages", Params: []Param{rangeParam, {Name: "node", Kind: KindOption, Key: "node", Of: KindNumber, Optional: true},
		{Name: "flag", Kind: KindFlags, Optional: true, Words: set("all")}}},
	{Name: "mseal", Params: []Param{rangeParam}},
	{Name: "setrlimit", Params: []Param{{Name: "resource", Kind: KindChoice, Words: set("as data stack memlock")}, {Name: "soft", Kind: KindLimit}, {Name: "hard", Kind: KindLimit, Optional: true}}},
	{Name: "prctl ksm", Params: []Param{{Name: "switch", Kind: KindChoice, Words: set("on off")}}},
	{Name: "brk", Params: []Param{{Name: "to", Kind: KindShift}}},
	{Name: "read", Params: []Param{placeParam, opt(sizeParam)}},
	{Name: "write", Params: []Param{placeParam, {Name: "value", Kind: KindValue}}},
	{Name: "touch", Params: []Param{rangeParam, {Name: "access", Kind: KindChoice, Optional: true, Words: set("read write")}}},
	{Name: "fill", Params: []Param{rangeParam, {Name: "byte", Kind: KindByte}}},
	{Name: "exec", Params: []Param{placeParam}},
	{Name: "fork"},
	{Name: "exit", Params: []Param{{Name: "status", Kind: KindNumber, Optional: true}}},
	{Name: "kill", Params: []Param{{Name: "signal", Kind: KindSignal, Optional: true}}},
	{Name: "wait"},
	{Name: "use", Params: []Param{{Name: "process", Kind: KindProcess}}},
	{Name: "file", Params: []Param{fileParam, {Name: "content", Kind: KindContent}}},
	{Name: "fwrite", Params: []Param{fileParam, {Name: "offset", Kind: KindQuantity}, textParam}},
	{Name: "truncate", Params: []Param{fileParam, sizeParam}},
	{Name: "cat", Params: []Param{fileParam, {Name: "offset", Kind: KindQuantity, Optional: true, Default: "0"}, opt(sizeParam)}},
	{Name: "rm", Params: []Param{fileParam}},
	{Name: "expect result", Params: []Param{{Name: "result", Kind: KindResult}}},
	{Name: "expect page", Params: []Param{rangeParam,
		{Name: "state", Kind: KindChoice, Words: set("none zero anon cow file shared swapped guard special unknown")},
		{Name: "attr", Kind: KindFlags, Optional: true, Words: set("huge ksm locked lazyfree uffd-wp soft-dirty dirty referenced")}}},
	{Name: "expect perms", Params: []Param{placeParam, {Name: "perms", Kind: KindPerms}}},
	{Name: "expect mapped", Params: []Param{rangeParam}},
	{Name: "expect unmapped", Params: []Param{rangeParam}},
	{Name: "expect vmas", Params: []Param{rangeParam, {Name: "count", Kind: KindNumber, Min: 0, Max: 1 << 31}}},
	{Name: "expect bytes", Params: []Param{placeParam, {Name: "value", Kind: KindValue}}},
	{Name: "expect same-frame", Params: []Param{{Name: "one", Kind: KindPlace, Remote: true}, {Name: "other", Kind: KindPlace, Remote: true}}},
	{Name: "expect other-frame", Params: []Param{{Name: "one", Kind: KindPlace, Remote: true}, {Name: "other", Kind: KindPlace, Remote: true}}},
	{Name: "expect faults", Params: []Param{{Name: "minor", Kind: KindOption, Key: "minor", Of: KindNumber},
		{Name: "major", Kind: KindOption, Key: "major", Of: KindNumber, Optional: true}}},
	{Name: "expect file", Params: []Param{fileParam, {Name: "offset", Kind: KindQuantity}, textParam}},
	{Name: "expect exited", Params: []Param{{Name: "process", Kind: KindProcess}, {Name: "status", Kind: KindNumber}}},
	{Name: "expect signaled", Params: []Param{{Name: "process", Kind: KindProcess}, {Name: "signal", Kind: KindSignal}}},
	{Name: "expect rss", Params: []Param{opt(rangeParam), cmpParam, sizeParam}},
	{Name: "expect vmas-of", Params: []Param{rangeParam, cmpParam, {Name: "count", Kind: KindNumber, Min: 0, Max: 1 << 31}}},
	{Name: "expect shared", Params: []Param{{Name: "one", Kind: KindProcess}, {Name: "other", Kind: KindProcess}, cmpParam, {Name: "share", Kind: KindPercent}}},
	{Name: "expect mincore", Params: []Param{{Name: "vector", Kind: KindVector}}},
	{Name: "expect move_pages", Params: []Param{{Name: "statuses", Kind: KindStatuses}}},
	{Name: "expect value", Params: []Param{{Name: "value", Kind: KindBits}}},
	{Name: "needs", Params: []Param{{Name: "feature", Kind: KindFlags}}},
	{Name: "snapshot"},
}

func sampleGrammar(t testing.TB) *Grammar {
	t.Helper()
	g, err := NewGrammar(sample)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestUsage(t *testing.T) {
	g := sampleGrammar(t)
	for name, want := range map[string]string{
		"mmap":              "mmap Q PROT [FLAG…] [file=NAME] [fd=N] [offset=Q] [addr=PLACE] [flags=N]",
		"mprotect":          "mprotect RANGE PROT",
		"mremap":            "mremap RANGE Q [maymove] [dontunmap] [fixed=PLACE] [flags=N]",
		"madvise":           "madvise RANGE ADVICE",
		"msync":             "msync RANGE [sync|async] [invalidate] [flags=N]",
		"mlockall":          "mlockall [current] [future] [onfault]",
		"brk":               "brk +Q|-Q|PLACE",
		"setrlimit":         "setrlimit as|data|stack|memlock Q|unlimited [Q|unlimited]",
		"prctl ksm":         "prctl ksm on|off",
		"read":              "read PLACE [Q]",
		"cat":               "cat NAME [Q [Q]]",
		"file":              `file NAME Q|"text"`,
		"fwrite":            `fwrite NAME Q "text"`,
		"exit":              "exit [N]",
		"fork":              "fork",
		"expect page":       "expect page RANGE STATE [ATTR…]",
		"expect same-frame": "expect same-frame PLACE PLACE",
		"expect faults":     "expect faults minor=N [major=N]",
		"expect rss":        "expect rss [RANGE] [<|<=|>|>=] Q",
		"expect mincore":    "expect mincore VECTOR",
		"expect move_pages": "expect move_pages STATUSES",
		"move_pages":        "move_pages RANGE [node=N] [all]",
		"expect value":      "expect value N",
		"needs":             "needs FEATURE…",
	} {
		if got := g.Verb(name).Usage(); got != want {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
	}
}

// TestTableRefused: a table that could be read in two ways makes no grammar.
func TestTableRefused(t *testing.T) {
	q := func(name string, optional bool) Param {
		return Param{Name: name, Kind: KindQuantity, Optional: optional}
	}
	flags := Param{Name: "flag", Kind: KindFlags, Optional: true, Words: set("one two")}
	for _, c := range []struct {
		why   string
		table []Verb
	}{
		{"twice", []Verb{{Name: "a"}, {Name: "a"}}},
		{"one or two words", []Verb{{Name: "Map"}}},
		{"one or two words", []Verb{{Name: ""}}},
		{"one or two words", []Verb{{Name: "a b c"}}},
		{"one or two words", []Verb{{Name: "p1"}}},
		{"what repeats", []Verb{{Name: "repeat"}}},
		{"what repeats", []Verb{{Name: "repeat all"}}},
		{"choice of nothing", []Verb{{Name: "v", Params: []Param{{Name: "x", Kind: KindConstant}}}}},
		{"first word", []Verb{{Name: "expect"}, {Name: "expect page"}}},
		{"a name is needed", []Verb{{Name: "v", Params: []Param{q("x", false), q("x", false)}}}},
		{"no kind", []Verb{{Name: "v", Params: []Param{{Name: "x"}}}}},
		{"choice of nothing", []Verb{{Name: "v", Params: []Param{{Name: "x", Kind: KindChoice}}}}},
		{"behind flags", []Verb{{Name: "v", Params: []Param{flags, q("x", false)}}}},
		{"option cannot", []Verb{{Name: "v", Params: []Param{{Name: "x", Kind: KindOption, Key: "x", Of: KindRange}}}}},
		{"key", []Verb{{Name: "v", Params: []Param{{Name: "x", Kind: KindOption, Of: KindByte}}}}},
		{"word", []Verb{{Name: "v", Params: []Param{flags, {Name: "g", Kind: KindFlags, Words: set("one")}}}}},
		{"without a set", []Verb{{Name: "v", Params: []Param{flags, {Name: "g", Kind: KindFlags}}}}},
		{"word of the tail", []Verb{{Name: "v", Params: []Param{{Name: "s", Kind: KindSignal, Optional: true}, flags}}}},
		{"look alike", []Verb{{Name: "v", Params: []Param{q("x", true), q("y", false), q("z", true)}}}},
		{"look alike", []Verb{{Name: "v", Params: []Param{rangeParam, q("y", true)}}}},
		{"look alike", []Verb{{Name: "v", Params: []Param{q("x", true), {Name: "n", Kind: KindNumber, Optional: true}}}}},
		{"positional", []Verb{{Name: "v", Params: manyParams(13)}}},
	} {
		if _, err := NewGrammar(c.table); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v: error %v, want one about %q", c.table[0], err, c.why)
		}
	}
	if _, err := NewGrammar([]Verb{{Name: "show", Params: []Param{opt(rangeParam)}}}); err != nil {
		t.Error("an optional range alone:", err)
	}
}

func manyParams(n int) []Param {
	out := make([]Param, n)
	for i := range out {
		out[i] = Param{Name: strings.Repeat("x", i+1), Kind: KindText}
	}
	return out
}
