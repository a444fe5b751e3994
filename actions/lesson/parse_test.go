package lesson

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"cowscope/actions/lang"
)

const head = "---\ntitle: T\nsummary: S\nlevel: beginner\nminutes: 5\nlanguage: en\n---\n" // 7 lines

// parse reads a lesson that is well formed.
func parse(t *testing.T, text string) *Lesson {
	t.Helper()
	l, err := Parse("test.md", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Mistakes are told with their place and with what would be right, all of them and in order.
func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":        {"", "f:1: the head is missing; a lesson begins with a line ---, a line for each of title, summary, level, minutes, language, and --- again"},
		"no head":      {"# T\n", "f:1: the head is missing; a lesson begins with a line ---, a line for each of title, summary, level, minutes, language, and --- again"},
		"open head":    {"---\ntitle: T\n", "f:1: the head has no end; close it with a line ---\nf:2: the lesson has no step; ## and a heading begin one"},
		"missing keys": {"---\ntitle: T\nminutes: 5\n---\n## A\nb\n", "f:4: the head has no summary:, level:, language:; there have to be title, summary, level, minutes, language"},
		"bad values": {"---\ntitle: T\nsummary: S\nlevel: easy\nminutes: 05\nlanguage: English\nneeds: frames guards\n---\n## A\nb\n",
			"f:4:8: \"easy\" is wrong for level:; it is one of beginner, intermediate, advanced\n" +
				"f:5:10: \"05\" is wrong for minutes:; it is a whole number, from 1 to 240\n" +
				"f:6:11: \"English\" is wrong for language:; it is a language tag, such as en or zh-CN\n" +
				"f:7:8: \"frames guards\" is wrong for needs:; no feature \"guards\"; did you mean guard?"},
		"bad keys": {"---\ntitle: T\ntitle: T\nsumary: S\nsummary:\nlevel = x\n\nminutes: 9: 8\nauthor: me\n---\n## A\nb\n",
			"f:3:1: title: is there twice; once is enough\n" +
				"f:4:1: no key \"sumary\"; did you mean summary?\n" +
				"f:5:9: summary: has no value; leave out the line, or give it one\n" +
				"f:6:1: \"level = x\" is not a key with a value; write key: value\n" +
				"f:7: a blank line in the head; leave it out\n" +
				"f:8:10: the value of minutes: is not plain text in YAML, as which forges read it; it must begin with a letter or a digit, and contain neither a colon nor a # with a blank beside it\n" +
				"f:9:1: no key \"author\"; there are title, summary, level, minutes, language, needs\n" +
				"f:10: the head has no level:, language:; there have to be title, summary, level, minutes, language"},
		"titles": {head + "# Other\n# T\n## A\nb\n# T\n",
			"f:8:1: \"Other\" is not the title of the head; make it \"T\", or leave the line out\n" +
				"f:9:1: the title is there twice; steps begin with ##\n" +
				"f:12:1: the title stands behind the first step; # stands once, before all else; steps begin with ##"},
		"no step":      {head + "only this\n", "f:8: the lesson has no step; ## and a heading begin one"},
		"empty steps":  {head + "## A\n\n##\nb\n## C", "f:8: the step \"A\" is empty; write what it is about, or leave it out\nf:10:1: the step has no heading; write ## and what the step is about\nf:12: the step \"C\" is empty; write what it is about, or leave it out"},
		"open fence":   {head + "## A\n  ````cow\nfork\n```\n", "f:9:3: the block that begins here has no end; close it with a line ````"},
		"fence words":  {head + "## A\n```Cow\n```\n~~~ predit\n~~~\n```cow now\nfork\n```\n", "f:9:4: no block \"Cow\"; did you mean cow?\nf:11:5: no block \"predit\"; did you mean predict?\nf:13:8: nothing may stand behind cow; put what it means into the block"},
		"early block":  {head + "```cow\nfork\n```\n## A\nb\n", "f:8:1: a cow block stands before the first step; begin a step with ## above it"},
		"empty blocks": {head + "## A\n```cow\n# nothing\n```\n```goal\n```\n```hint\n\n```\n```solution\nexpect page a anon\n```\n", "f:9: the cow block is empty; write commands into it, one a line\nf:12: the goal expects nothing; write what has to hold: expect page a anon\nf:14: the hint is empty; write what helps\nf:17: the solution does nothing; write the commands that reach the goal"},
		"commands": {head + "## A\n```cow\nmmap 4p rw private anon\n  mmpa 4p\nneeds frames\n```\n",
			"f:11:3: no verb mmpa; did you mean mmap?\n|   mmpa 4p\n|   ^^^^\n" +
				"f:12:1: needs stands in the head of a lesson; write needs: and the features between the lines of ---\n| needs frames\n| ^^^^^"},
		"goals": {head + "## A\n```hint\nh\n```\n```solution\nfork\n```\n```goal\nfork\n```\n```solution\nfork\nuse p2\n```\n```solution\nfork\n```\n",
			"f:9: a hint without a goal; it stands behind the goal, in the same step\n" +
				"f:12: a solution without a goal; it stands behind the goal, in the same step\n" +
				"f:16:1: fork is a command, and a goal holds expectations only; what the lesson does itself stands in a cow block\n" +
				"f:20:1: a solution that changes the current process; name the process in each command, as in @p2 write a 1: a learner who finds another way stays in p1\n" +
				"f:22: the goal has a solution already; one is enough"},
		"another's goal": {head + "## A\n```goal\nexpect result ok\n```\n## B\n```hint\nh\n```\n", "f:13: a hint without a goal; it stands behind the goal, in the same step"},
		"predict lines": {head + "## A\n```predict\nQ\nrun: forc\nstray\nrun: expect result ok\n- \n  fork\n- b\n  expect page\nwhy: x\nmore\nwhy: y\n```\n",
			"f:11:6: no verb forc; did you mean fork?\n| run: forc\n|      ^^^^\n" +
				"f:12:1: \"stray\" belongs to nothing here; the question stands first; then run:, access:, happens:, then:, why: and answers that begin with - \n" +
				"f:13:6: an expectation is not a command to run; it stands under the answer that it decides\n" +
				"f:14:3: the answer has no text; write what can be chosen behind - \n" +
				"f:15:3: fork is a command, and only expectations decide an answer; commands stand behind run:\n" +
				"f:17:14: expect page needs RANGE; a place, then how much of it if not all: a, a+1p 2p, 0x7f0000 1p\n|   expect page\n|              ^\n" +
				"f:20:1: why: is there twice; write more lines under the first"},
		"predict accesses": {head + "## A\n```predict\nQ\naccess: fork\nhappens: magic\nhappens:\nrun: # x\naccess: read a\n```\n",
			"f:11:9: fork does not access memory; use read, write, touch, fill or exec; other commands stand behind run:\n" +
				"f:12:10: nothing that happens is called \"magic\"; there are none, zero-map, zero-fill, map, copy, reuse, swap-in, SIGSEGV/MAPERR, SIGSEGV/ACCERR, SIGSEGV/PKUERR, SIGBUS/ADRERR, SIGBUS/MCEERR_AR, grow\n" +
				"f:13:9: happens: says nothing; write happens: copy, or leave it out\n" +
				"f:14:6: run: has no command; write run: write a 1\n" +
				"f:15:1: the block asks about two accesses; make two blocks"},
		"predict repeated": {head + "## A\n```predict\nQ\naccess: repeat 2 read a\n```\n", "f:11:9: the block asks about one access, and this is repeated; repeat it in a cow block above"},
		"then": {head + "## A\n```predict\nQ\naccess: read a\nthen: fork\nthen:\nthen: expect pag a none\n```\n",
			"f:12:7: fork is a command, and only expectations stand behind then:; commands stand behind run:, or in a cow block below\n" +
				"f:13:6: then: has no command; write then: expect faults minor=1\n" +
				"f:14:14: no verb expect pag; did you mean page?\n| then: expect pag a none\n|              ^^^"},
		"headless": {head + "## A\n```cow\nexpect page text file\nexpect faults minor=1\nexpect value 0\nfork\nexpect result ok\n```\n```goal\nexpect result ok\n```\n```solution\nexpect result ok\nfork\n```\n",
			"f:11:1: expect faults before any command of the block; the last command may be one of the learner's; write it behind the command that it is about, or in a predict block behind then:\n" +
				"f:12:1: expect value before any command of the block; the last command may be one of the learner's; write it behind the command that it is about, or in a predict block behind then:\n" +
				"f:20:1: expect result before any command"},
		"predict 1": {head + "## A\n```predict\n```\n", "f:9: the predict block asks nothing; its first lines are the question"},
		"predict 2": {head + "## A\n```predict\nQ\n```\n", "f:9: nothing runs in the predict block; write run: and a command, or access: and an access"},
		"predict 3": {head + "## A\n```predict\nQ\nrun: fork\naccess: read a\n```\n", "f:9: run: beside access:; what comes before the access stands in a cow block above"},
		"predict 4": {head + "## A\n```predict\nQ\naccess: read a\n- b\n  expect result ok\n```\n", "f:9: answers beside access:; the answers to an access are what can happen at it; leave them out, or write run:"},
		"predict 5": {head + "## A\n```predict\nQ\nrun: fork\nhappens: copy\n- b\n- c\n```\n", "f:9: happens: without access:; it says what happens at an access\nf:13: nothing decides whether this answer is right; write an expect under it, such as expect bytes a 2\nf:14: nothing decides"},
		"predict 6": {head + "## A\n```predict\nQ\nrun: fork\n- b\n  expect result ok\n```\n", "f:9: there is nothing to choose from; write two or more answers, each behind - and with an expect under it"},
		"hostile":   {head + "## A\nred \x1b[31m\nbad \xff\xfe\nc1 \u009b31m\nbell\r\a\r\n\u202eevil\nx\u2028y\nnul \x00\nfine \ufffd \u200d\t\n", "f:9:5: control character 0x1b; a lesson is plain text; tabs and line ends are all it may hold beside it\nf:10:5: byte 0xff is not valid UTF-8; save the file as UTF-8\nf:11:4: control character 0x9b; a lesson is plain text; tabs and line ends are all it may hold beside it\nf:12:5: control character 0x0d; a lesson is plain text; tabs and line ends are all it may hold beside it\nf:13:1: invisible character U+202E; it changes the order or the lines of the text; leave it out\nf:14:2: invisible character U+2028; it changes the order or the lines of the text; leave it out\nf:15:5: control character 0x00; a lesson is plain text; tabs and line ends are all it may hold beside it"},
		"long line": {head + "## A\n" + strings.Repeat("x", maxLine+1), "f:9: this line has 16385 bytes; a line holds at most 16384"},
		"long file": {head + strings.Repeat("x\n", maxFile/2), "f:1: the file is too large for a lesson; it holds at most 1048576 bytes"},
		"two":       {head + "## A\n\x1b ```\n```cow\nforc \x1b\n```\n", "f:9:1: control character 0x1b; a lesson is plain text; tabs and line ends are all it may hold beside it\nf:11:6: control character 0x1b;"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Parse("f", strings.NewReader(c.text))
			var es Errors
			if l != nil || !errors.As(err, &es) {
				t.Fatalf("%v, %v", l, err)
			}
			got, want := strings.Split(err.Error(), "\n"), strings.Split(c.want, "\n")
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) || want[i] == "" && got[i] != "" {
					t.Fatalf("got\n%s\nwant\n%s", err, c.want)
				}
			}
			if strings.ContainsAny(err.Error(), "\x1b\x00\a\u009b\u202e") {
				t.Errorf("%q", err)
			}
		})
	}
}

// Very many mistakes are not all told.
func TestManyMistakes(t *testing.T) {
	_, err := Parse("f", strings.NewReader(head+"## A\n```cow\n"+strings.Repeat("forc\n", 200000)+"```\n"))
	var es Errors
	if !errors.As(err, &es) || len(es) != maxErrors+1 || es[maxErrors].Error() != "f:109: more mistakes follow; mend these first" {
		t.Errorf("%d: %v", len(es), es[len(es)-1])
	}
	var syn *lang.SyntaxError
	if !errors.As(err, &syn) || syn.Hint != "did you mean fork?" {
		t.Errorf("no mistake of the language: %v", syn)
	}
}

// A long file is read in a moment, whatever is repeated in it.
func TestLongFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	const room = maxFile / 4
	for before, c := range map[string]struct{ again, after, want string }{
		"```predict\n": {"x\n", "run: fork\n- a\n  expect result ok\n- b\n  expect result EAGAIN\nwhy: z\n```\n", "bytes"},
		"```predict\nQ\nrun: fork\n- a\n  expect result ok\n- b\n": {"  expect result ok\n", "```\n", ""},
		"```cow\n":                         {"fork\n", "```\n", ""},
		"```goal\nexpect result ok\n```\n": {"```hint\nx\n```\n", "", "paragraphs"},
		"b\n":                              {"## A\n~~~\n~~~\n", "", ""},
		"c\n":                              {"\n", "c\n", "bytes"},
		"d\n":                              {"```\nx\n```\n", "", ""},
	} {
		_, err := Parse("f", strings.NewReader(head+"## A\n"+before+strings.Repeat(c.again, room/len(c.again))+c.after))
		if err != nil && (c.want == "" || !strings.Contains(err.Error(), "more than") || !strings.Contains(err.Error(), c.want)) || err == nil && c.want != "" {
			t.Errorf("%q: %.200s", before, err)
		}
	}
}

// What cannot be read is no mistake of the file.
func TestUnreadable(t *testing.T) {
	_, err := Parse("f\x1b", iotest.ErrReader(io.ErrUnexpectedEOF))
	var es Errors
	if errors.As(err, &es) || !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}

const full = head + `
# T #

Intro.

` + "```c\n## no step\n```" + `

## First *step* ##

    ` + "```cow" + `

1. in a list

   ` + "```cow" + `
   mmap 1p rw private anon # a
       write a 1
   ` + "```" + `

` + "~~~predict" + `
Question,
in two lines?

access:  @p1 write a 2
happens: none reuse
why: Because
of this.
` + "~~~" + `

## Second

` + "````predict" + `
Q
run: fork
- one
  expect result ok
  @p2 expect page a cow
- two

  expect result EAGAIN # no
` + "````" + `
` + "```goal" + `
expect page a none
` + "```" + `
between
` + "```hint" + `
# h1
` + "```" + `
` + "```hint" + `
h2
` + "```" + `
` + "```solution" + `
madvise a dontneed
` + "```" + `
end`

// Every part of a lesson keeps its place, and the place leads back to the text.
func TestPositions(t *testing.T) {
	for name, text := range map[string]string{"lf": full, "crlf": strings.ReplaceAll(full, "\n", "\r\n"), "bom": "\ufeff" + full} {
		l := parse(t, text)
		lines := strings.Split(strings.ReplaceAll(text, "\r", ""), "\n")
		back := func(cs []Command) {
			for _, c := range cs {
				if got := string([]rune(lines[c.Line-1])[c.Col-1:]); got != c.Text {
					t.Errorf("%s: %d:%d is %q, not %q", name, c.Line, c.Col, got, c.Text)
				}
			}
		}
		var shape []string
		for _, st := range l.Steps {
			shape = append(shape, "## "+st.Heading)
			for _, it := range st.Items {
				shape = append(shape, string(it.Kind))
				back(it.Commands)
				back(it.Solution)
				for _, a := range it.Answers {
					back(a.Claims)
				}
				if it.Kind == Prose && lines[it.Line-1] != strings.Split(it.Text, "\n")[0] {
					t.Errorf("%s: line %d is not %q", name, it.Line, it.Text)
				}
				if it.Kind != Prose && !strings.HasSuffix(lines[it.Line-1], string(it.Kind)) {
					t.Errorf("%s: line %d does not open a %s", name, it.Line, it.Kind)
				}
			}
		}
		want := []string{"## T", "prose", "## First *step*", "prose", "cow", "predict", "## Second", "predict", "goal", "prose", "prose"}
		if !reflect.DeepEqual(shape, want) {
			t.Errorf("%s: %q", name, shape)
		}
		access, choose, goal := l.Steps[1].Items[2], l.Steps[2].Items[0], l.Steps[2].Items[1]
		if access.Text != "Question,\nin two lines?" || !access.Access || access.Commands[0].Text != "@p1 write a 2" || len(access.Happens) != 2 || access.Why != "Because\nof this." {
			t.Errorf("%s: %+v", name, access)
		}
		if len(choose.Answers) != 2 || len(choose.Answers[0].Claims) != 2 || choose.Answers[1].Text != "two" {
			t.Errorf("%s: %+v", name, choose)
		}
		if !reflect.DeepEqual(goal.Hints, []string{"# h1", "h2"}) || len(goal.Solution) != 1 || goal.SolutionLine == 0 {
			t.Errorf("%s: %+v", name, goal)
		}
		if l.Title != "T" || l.Minutes != 5 || l.Level != "beginner" || l.File != "test.md" || !filepath.IsAbs(l.ID) {
			t.Errorf("%s: %+v", name, l)
		}
		if strings.Contains(l.Steps[0].Items[0].Text, "\r") || !strings.HasSuffix(l.Steps[0].Items[0].Text, "```c\n## no step\n```") {
			t.Errorf("%s: the introduction is %q", name, l.Steps[0].Items[0].Text)
		}
	}
}

// Whatever the file, there is a lesson or there are errors with a place in it, and no control character comes through.
func FuzzParse(f *testing.F) {
	f.Add(full)
	f.Add(Template("x"))
	files, err := filepath.Glob("testdata/*.md")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	for _, s := range []string{"", "---", "---\n---\n##", head + "## \x1b\n```cow\n\xff", head + "## A\n~~~predict\n- \nwhy:\nrun:\n~~~", "\ufeff---\r\n---\r\n",
		head + "a\n## A\nb\n<!-- needs arm64 -->\n~~~cow\nfork\n~~~\n<!-- end -->\n<!-- needs amd64 frames -->\nc\n<!-- end -->\n## B\nb\n",
		head + "<!-- needs -->\n<!-- needs x\n<!-- end y -->\n# T\n## A\n<!--END-->\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse("f", strings.NewReader(text))
		if (l == nil) == (err == nil) {
			t.Fatal(l, err)
		}
		if err == nil {
			checkWhole(t, l, text)
			return
		}
		var es Errors
		if !errors.As(err, &es) {
			t.Fatal(err)
		}
		before, lines := 1, strings.Count(text, "\n")+1
		for _, e := range es {
			if e.Line < before || e.Line > lines || e.Col < 0 || e.Msg == "" {
				t.Fatalf("%+v behind line %d, of %d", e, before, lines)
			}
			before = e.Line
			if strings.ContainsFunc(strings.ReplaceAll(e.Error(), "\n", ""), func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }) {
				t.Fatalf("%q", e.Error())
			}
		}
	})
}

// checkWhole looks whether a lesson has what every lesson has.
func checkWhole(t *testing.T, l *Lesson, text string) {
	if l.Title == "" || len(l.Steps) == 0 {
		t.Fatalf("%+v", l)
	}
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	for _, st := range l.Steps {
		if st.Heading == "" || len(st.Items) == 0 {
			t.Fatalf("%+v", st)
		}
		if !slices.ContainsFunc(st.Items, func(it Item) bool { return len(it.Needs) == 0 }) {
			t.Fatalf("a step is empty on some machines: %+v", st)
		}
		for _, it := range st.Items {
			if it.Kind == Prose && (it.Text == "" || strings.ContainsAny(it.Text, "\x00\x1b\r\u009b")) {
				t.Fatalf("%q", it.Text)
			}
			for _, c := range it.Commands {
				if got := string([]rune(strings.TrimSuffix(lines[c.Line-1], "\r"))[c.Col-1:]); got != c.Text {
					t.Fatalf("%d:%d is %q, not %q", c.Line, c.Col, got, c.Text)
				}
			}
		}
	}
}
