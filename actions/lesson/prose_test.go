package lesson

import (
	"errors"
	"strings"
	"testing"
)

// What would take too long to lay out is told with its place, wherever a text stands.
func TestTextLimits(t *testing.T) {
	const (
		deep  = "; nest them at most 8 deep"
		many  = "; make two steps of it"
		long  = "the texts of this step have more than 8192 bytes; make two steps of it; code in a fenced block does not count"
		cells = "the texts of this step have more than 500 paragraphs, items and cells" + many
	)
	nested := func(unit string, n int) string { return strings.Repeat(unit, n) + "a\n" }
	stair := ""
	for n := range 9 {
		stair += strings.Repeat("  ", n) + "- a\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"8 quotes":         {nested("> ", 8), ""},
		"9 quotes":         {nested("> ", 9), "9:17: more than 8 block quotes and lists stand in each other" + deep},
		"1,000 quotes":     {nested("> ", 1000), "9:17: more than 8 block quotes"},
		"quotes of naught": {strings.Repeat("> ", 1000) + "\n", "9:17: more than 8 block quotes"},
		"quotes unspaced":  {nested(">", 1000), "9:9: more than 8 block quotes"},
		"8 lists":          {nested("- ", 8), ""},
		"1,000 lists":      {nested("- ", 1000), "9:17: more than 8 block quotes"},
		"numbered lists":   {nested("1. ", 1000), "9:25: more than 8 block quotes"},
		"mixed":            {nested("> - ", 500), "9:17: more than 8 block quotes"},
		"mixed lists":      {nested("+ * 1) ", 400), "9:19: more than 8 block quotes"},
		"a stair of lists": {stair, "17:17: more than 8 block quotes"},
		"a rule":           {strings.Repeat("- ", 1000) + "\n", ""},
		"indented code":    {"    " + nested("> ", 1000), ""},
		"fenced code":      {"```\n" + nested("> ", 1000) + "```\n", ""},
		"fences in HTML":   {"<pre>\n```\nx\n```\n" + nested("> ", 1000) + "</pre>\n", "13:17: more than 8 block quotes"},
		"definitions":      {"a\n: " + nested("> ", 8), "10:17: more than 8 block quotes"},
		"a long paragraph": {strings.Repeat("a b\n", 2500), "2057:1: " + long},
		"a long line":      {strings.Repeat("[a](b)", 1500) + "\n", "9:8193: " + long},
		"8 KiB":            {strings.Repeat("x", maxText) + "\n", ""},
		"much code":        {"```text\n" + strings.Repeat("a b\n", 25000) + "```\n", ""},
		"items":            {strings.Repeat("- a\n", 1000), "258:3: " + cells},
		"headings":         {strings.Repeat("### a\n", 1000), "509:5: " + cells},
		"a wide table":     {strings.Repeat("|a", 600) + "\n" + strings.Repeat("|-", 600) + "\n", "9:1: " + cells},
		"short rows":       {strings.Repeat("|a", 30) + "\n" + strings.Repeat("|-", 30) + "\n" + strings.Repeat("b\n", 100), "9:1: " + cells},
		"a table":          {"|a|b|\n|-|-|\n" + strings.Repeat("|a|b|\n", 100), ""},
		"a second step":    {strings.Repeat("x", 8000) + "\n## B\n" + strings.Repeat("x", 8000) + "\n", ""},
		"two texts":        {strings.Repeat("x", 8000) + "\n```cow\nfork\n```\nabc\n" + strings.Repeat("x", 8000) + "\n", "14:189: " + long},
		"a question":       {"```predict\n" + nested("> ", 9) + "run: fork\n- a\n  expect result ok\n- b\n  expect result EAGAIN\n```\n", "10:17: more than 8 block quotes"},
		"a reason":         {"```predict\nQ\naccess: read a\nwhy: " + nested("> ", 9) + "```\n", "12:22: more than 8 block quotes"},
		"a hint":           {"```goal\nexpect result ok\n```\n  ```hint\n  c\n    " + nested("> ", 9) + "  ```\n", "14:21: more than 8 block quotes"},
		"the introduction": {"", ""},
	} {
		src := head + "## A\n" + c.text
		if name == "the introduction" {
			src, c.want = head+nested("> ", 9)+"## A\nb\n", "8:17: more than 8 block quotes"
		}
		if c.text == "" {
			c.text = "b\n"
		}
		_, err := Parse("f", strings.NewReader(src))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %.300v", name, err)
			}
			continue
		}
		var es Errors
		if !errors.As(err, &es) || len(es) != 1 || !strings.HasPrefix(es[0].Error(), "f:"+c.want) {
			t.Errorf("%s: %.300v, want f:%s", name, err, c.want)
		}
	}
}

// The bundled lessons keep far below the limits, in all languages: what an author writes by hand
// does not meet them.
func TestLessonsKeepBelowLimits(t *testing.T) {
	for _, language := range []string{"en", "zh-CN"} {
		for _, name := range Path() {
			l, err := Embedded(language, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, st := range l.Steps {
				n := 0
				for _, it := range st.Items {
					n += len(it.Text) + len(it.Why) + len(strings.Join(it.Hints, ""))
				}
				if n > maxText/4 {
					t.Errorf("%s: the step %q has %d bytes of text", l.File, st.Heading, n)
				}
			}
		}
	}
}
