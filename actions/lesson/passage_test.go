package lesson

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/feature"
)

// has is a machine with these features.
func has(features ...string) func(string) bool {
	return func(f string) bool { return slices.Contains(features, f) }
}

// Passages are left out whole where a feature is missing, and everything keeps its place.
func TestPassages(t *testing.T) {
	const text = head + `
Intro.
<!-- needs arm64 -->
Of A64.
<!-- end -->

## One

before
<!-- an ordinary comment -->
<!--needs amd64-->
of x86

` + "```cow" + `
fork
` + "```" + `
  <!-- end -->
<!-- needs arm64   frames -->
` + "~~~c" + `
<!-- end -->
` + "~~~" + `
` + "```predict" + `
Q
access: read text
` + "```" + `
` + "```goal" + `
expect page a none
` + "```" + `
` + "```hint" + `
h
` + "```" + `
<!--	end	-->
    <!-- needs nothing: four blanks are code -->
after
`
	for _, src := range []string{text, strings.ReplaceAll(text, "\n", "\r\n")} {
		l := parse(t, src)
		lines := strings.Split(src, "\n")
		for _, c := range []struct {
			features []string
			want     string
			without  []string
		}{
			{[]string{"amd64", "arm64", "frames"}, "prose prose | prose prose cow prose predict goal prose", nil},
			{[]string{"amd64"}, "prose | prose prose cow prose", []string{"arm64"}},
			{[]string{"arm64"}, "prose prose | prose prose", []string{"amd64", "frames"}},
			{[]string{"frames"}, "prose | prose prose", []string{"arm64", "amd64"}},
			{nil, "prose | prose prose", []string{"arm64", "amd64"}},
		} {
			here, without := l.On(has(c.features...))
			var got []string
			for _, st := range here.Steps {
				var kinds []string
				for _, it := range st.Items {
					kinds = append(kinds, string(it.Kind))
					if first := strings.TrimSuffix(lines[it.Line-1], "\r"); it.Kind == Prose && first != strings.Split(it.Text, "\n")[0] {
						t.Errorf("line %d is %q, not %q", it.Line, first, it.Text)
					}
				}
				got = append(got, strings.Join(kinds, " "))
			}
			if s := strings.Join(got, " | "); s != c.want || !slices.Equal(without, c.without) {
				t.Errorf("with %v: %s, without %v; want %s, without %v", c.features, s, without, c.want, c.without)
			}
		}
		all, _ := l.On(func(string) bool { return true })
		if n, m := len(all.Steps[1].Items), len(l.Steps[1].Items); n != m || n != 7 {
			t.Errorf("%d items of %d", n, m) // what was left out for one machine is there for another
		}
		if goal := l.Steps[1].Items[5]; len(goal.Hints) != 1 || !slices.Equal(goal.Needs, []string{"arm64", "frames"}) {
			t.Errorf("%+v", goal)
		}
		if code := l.Steps[1].Items[3].Text; code != "~~~c\n<!-- end -->\n~~~" {
			t.Errorf("a mark in code: %q", code)
		}
		for _, it := range l.Steps[1].Items {
			if strings.Contains(it.Text, "needs amd64") {
				t.Errorf("a mark is prose: %q", it.Text)
			}
		}
	}
}

// Mistakes of passages are told on every machine.
func TestPassageMistakes(t *testing.T) {
	const cow, goal = "```cow\nfork\n```\n", "```goal\nexpect page a none\n```\n"
	for name, c := range map[string]struct{ text, want string }{
		"unknown feature": {"b\n<!-- needs  arm65 frames -->\nc\n<!-- end -->\n", "f:10:13: no feature \"arm65\"; did you mean arm64?"},
		"no feature":      {"b\n<!-- needs -->\nc\n<!-- end -->\n", "f:10:6: the passage names no feature; write <!-- needs FEATURE -->, with names that cowscope doctor lists"},
		"no end":          {"b\n <!-- needs arm64 -->\nc\n", "f:10:7: the passage that begins here has no end; close it with a line <!-- end -->"},
		"no begin":        {"b\n<!-- end -->\n", "f:10:6: no passage ends here; <!-- needs FEATURE --> begins one"},
		"nested":          {"b\n<!-- needs arm64 -->\n<!-- needs amd64 -->\nc\n<!-- end -->\n", "f:11:6: a passage begins inside that of line 10; close that one first, with <!-- end -->; one may need several features"},
		"two ends":        {"b\n<!-- needs arm64 -->\nc\n<!-- end -->\n<!-- end -->\n", "f:13:6: no passage ends here"},
		"more behind end": {"b\n<!-- needs arm64 -->\nc\n<!-- end arm64 -->\n", "f:12:10: nothing may stand behind end; write <!-- end -->"},
		"not alone":       {"b\n<!-- needs arm64 --> c\n<!-- end\n-->\n", "f:10:6: the comment that says needs is not alone on its line; write <!-- needs FEATURE --> or <!-- end -->, and nothing beside it\nf:11:6: the comment that says end is not alone"},
		"slips":           {"b\n<!-- need arm64 -->\nc\n<!-- END -->\n<!-- needs: arm64 -->\n", "f:10:6: no passage begins or ends with \"need\"; did you mean needs?\nf:12:6: no passage begins or ends with \"END\"; did you mean end?\nf:13:6: no passage begins or ends with \"needs:\"; did you mean needs?"},
		"a step":          {"b\n<!-- needs arm64 -->\n## B\nc\n<!-- end -->\n", "f:11:1: a heading stands in the passage of line 10; close that first, with <!-- end -->: steps are the same on every machine"},
		"nothing else":    {"<!-- needs arm64 -->\nc\n<!-- end -->\n## B\nc\n", "f:8: the step \"A\" holds passages for some machines only; write something for all of them outside"},
		"nothing at all":  {"<!-- needs arm64 -->\n<!-- end -->\n## B\nc\n", "f:8: the step \"A\" is empty"},
		"in a block":      {"```cow\n<!-- needs arm64 -->\nfork\n<!-- end -->\n```\n", "f:10:1: a passage begins or ends inside a block; it holds whole blocks: write the block once for each machine\nf:12:1: a passage begins or ends inside a block"},
		"in a question":   {"```predict\nQ\n<!-- needs arm64 -->\naccess: read text\n```\n", "f:11:1: a passage begins or ends inside a block"},
		"around a fence":  {"b\n<!-- needs arm64 -->\n```cow\nfork\n<!-- end -->\n", "f:10:6: the passage that begins here has no end; close it with a line <!-- end -->\nf:11:1: the block that begins here has no end"},
		"in what is not here": {"b\n<!-- needs arm64 -->\n```cow\nforc\n```\n<!-- end -->\n<!-- needs amd64 -->\n```cow\nforc\n```\n<!-- end -->\n",
			"f:12:1: no verb forc; did you mean fork?\n| forc\n| ^^^^\nf:17:1: no verb forc; did you mean fork?\n| forc\n| ^^^^"},
		"hint of another":     {"b\n<!-- needs arm64 -->\n" + goal + "<!-- end -->\n```hint\nh\n```\n", "f:15: the goal of this hint, in line 11, is not there for the same machines; write both inside one passage, or both outside"},
		"solution of another": {goal + "<!-- needs arm64 -->\n```solution\nfork\n```\n<!-- end -->\n", "f:13: the goal of this solution, in line 9, is not there for the same machines"},
		"solution of a twin":  {"b\n<!-- needs arm64 -->\n" + goal + "<!-- end -->\n<!-- needs arm64 -->\n```solution\nfork\n```\n<!-- end -->\n", "f:16: the goal of this solution, in line 11, is not there for the same machines"},
		"ordinary":            {"b\n<!-- note -->\n<!-- endnotes: below -->\n<!-- Needed: nothing\n-->\n<!---->\n<!-- -->\n" + cow + "forc\n```cow\nforc\n```\n", "f:21:1: no verb forc"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", strings.NewReader(head+"## A\n"+c.text))
			if err == nil {
				t.Fatal("no mistake")
			}
			got, want := strings.Split(err.Error(), "\n"), strings.Split(c.want, "\n")
			for i := range want {
				if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
					t.Fatalf("got\n%s\nwant\n%s", err, c.want)
				}
			}
			if n := strings.Count(c.want, "f:"); strings.Count(err.Error(), "f:") != n {
				t.Errorf("got\n%s\nwant %d mistakes", err, n)
			}
		})
	}
	for _, intro := range []string{"<!-- needs arm64 -->\nc\n<!-- end -->\n", "# T\n<!-- needs arm64 -->\nc\n<!-- end -->\n"} {
		_, err := Parse("f", strings.NewReader(head+intro+"## A\nb\n"))
		if err == nil || !strings.HasPrefix(err.Error(), `f:8: the step "T" holds passages for some machines only`) {
			t.Errorf("%q: %v", intro, err)
		}
	}
	_, err := Parse("f", strings.NewReader(head+"b\n<!-- needs arm64 -->\n# T\n<!-- end -->\n## A\nb\n"))
	if err == nil || err.Error() != "f:10:1: a heading stands in the passage of line 9; close that first, with <!-- end -->: steps are the same on every machine" {
		t.Error(err)
	}
}

// passages is a lesson with a passage for what is here and one for what is not: each would fail
// where it must not run.
func passages(t *testing.T) (text, without string) {
	here, without := "amd64", "arm64"
	if ok, _, err := feature.Available(here); err != nil {
		t.Fatal(err)
	} else if !ok {
		here, without = without, here
	}
	return fmt.Sprintf(head+`
## A

For all.

<!-- needs ptrace %s -->
Here.
`+"```cow\na = mmap 1p rw private anon\nexpect page a none\n```"+`
<!-- end -->
<!-- needs ptrace %s -->
Elsewhere.
`+"```cow\na = mmap 2p r private anon\nexpect page a anon\n```\n```predict\nQ\naccess: read text\n```"+`
<!-- end -->

## B

`+"```goal\nexpect page a anon\n```\n```solution\nwrite a 1\n```\n", here, without), without
}

// What is not for this machine does not run, and that is said.
func TestPassagesAreChecked(t *testing.T) {
	text, without := passages(t)
	v, err := Check(context.Background(), parse(t, text), real)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.Line("x"), "x: ok: 2 commands, 3 claims; left out: what needs "+without; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	v, err = Check(context.Background(), parse(t, strings.Replace(text, "expect page a none", "expect page a anon", 1)), real)
	if err != nil || len(v.Problems) != 1 || v.Problems[0].Line != 17 {
		t.Errorf("%v, %v", v.Problems, err)
	}
}

// A learner sees what is for this machine, and the steps that are done are those of the file.
func TestPassagesArePlayed(t *testing.T) {
	text, _ := passages(t)
	progress := ProgressAt(filepath.Join(t.TempDir(), "p.json"))
	r := reads(t, parse(t, text), progress)
	r.shows("0/0:2", "pending", "")
	if it := r.State().Steps[0].Items; it[1].Text != "Here." {
		t.Errorf("%+v", it)
	}
	r.do(`run next "write a 1"`)
	r.shows("1/1:-", "reached", "")
	if done, told := progress.Done(r.l.ID); told != "" || !slices.Equal(done, []int{0, 1}) || len(r.l.Steps) != 2 {
		t.Errorf("%v of %d steps are done, %q", done, len(r.l.Steps), told)
	}
}

// The lessons that come along are whole for each architecture: the same steps, and something to
// do for both.
func TestArchitectures(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for language, entries := range list {
		for _, e := range entries {
			l, err := Embedded(language, e.Name)
			if err != nil {
				t.Fatal(err)
			}
			shape := func(arch string) (out []string) {
				here, _ := l.On(func(f string) bool { return f == arch || f != "amd64" && f != "arm64" })
				for _, st := range here.Steps {
					kinds := ""
					for _, it := range st.Items {
						if it.Kind == Predict || it.Kind == Goal {
							kinds += string(it.Kind) + " "
						}
					}
					out = append(out, st.Heading+": "+kinds)
				}
				return out
			}
			if a, b := shape("amd64"), shape("arm64"); !slices.Equal(a, b) {
				t.Errorf("%s/%s: amd64 asks\n%s\nand arm64\n%s", language, e.Name, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		}
	}
}

// An error of a feature that is unknown to the machine comes from Parse, not from here.
func TestUnknownHere(t *testing.T) {
	l := parse(t, head+"## A\nb\n<!-- needs ptrace -->\nc\n<!-- end -->\n")
	l.Steps[0].Items[1].Needs = []string{"nonsense"}
	if _, err := Check(context.Background(), l, func() (Session, error) { return nil, errors.New("opened") }); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Error(err)
	}
}
