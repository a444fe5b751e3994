package prose

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cowscope/actions/lesson"

	"pgregory.net/rapid"
)

// maxDrawn bounds the work of laying out what a lesson may hold. Memory that was taken is counted,
// not time: it is the same on a busy machine.
const maxDrawn = 300 << 20

// drawn lays out the texts of a lesson, if it is one, and gives the bytes that were allocated for
// it.
func drawn(t interface{ Fatalf(string, ...any) }, text string) (bytes uint64, refused error) {
	src := "---\ntitle: T\nsummary: S\nlevel: beginner\nminutes: 5\nlanguage: en\n---\n## A\n" + text
	type answer struct {
		bytes   uint64
		refused error
	}
	done := make(chan answer, 1)
	lay := func(s string) {
		for _, line := range Markdown(s, 40) {
			for _, sp := range line {
				if strings.ContainsAny(sp.Text, "\n\x1b") {
					t.Fatalf("%q is drawn", sp.Text)
				}
			}
			if line.width() > 40 {
				t.Fatalf("a line of %d columns: %+v", line.width(), line)
			}
		}
	}
	go func() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l, err := lesson.Parse("f", strings.NewReader(src))
		if err == nil {
			for _, st := range l.Steps {
				for _, it := range st.Items {
					lay(it.Text)
					lay(it.Why)
					for _, h := range it.Hints {
						lay(h)
					}
				}
			}
		}
		runtime.ReadMemStats(&after)
		done <- answer{after.TotalAlloc - before.TotalAlloc, err}
	}()
	select {
	case a := <-done:
		return a.bytes, a.refused
	case <-time.After(time.Minute): // the test fails rather than hangs
		t.Fatalf("not laid out within a minute: %.60q, %d bytes", text, len(text))
		return
	}
}

// What stands in a lesson is laid out at once, or it is no lesson.
func TestHostileMarkdown(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	texts := map[string]string{
		"short rows": strings.Repeat("|a", 400) + "\n" + strings.Repeat("|-", 400) + "\n" + strings.Repeat("b\n", 400),
		"rows":       "|a|\n|-|\n" + strings.Repeat("|b|\n", 2500),
		"wide":       strings.Repeat("|a", 2500) + "\n" + strings.Repeat("|-", 2500) + "\n",
		"emphasis":   strings.Repeat("*a ", 1600) + strings.Repeat("b* ", 1600),
		"links":      strings.Repeat("[", 2000) + "a" + strings.Repeat("](b)", 2000),
		"images":     strings.Repeat("![", 1300) + "a" + strings.Repeat("](b)", 1300),
	}
	for _, unit := range []string{"- ", "> ", "> - ", "1. ", "+ * - ", ">", "*", "**a", "*a_", "[", "![", "[a](", "[a](b)", "[a][b]", "[a]: b ", "`", "`a", "|", "|-",
		"<", "<a ", "<!--", "<?", "<div>", "http://a.b ", "a@b.c ", "~~a ", "&", "\\", "x", "世", "\t", ": ", "### ", "[^a]"} {
		for _, n := range []int{2000, 8000, 10000} {
			many := n / len(unit)
			name := strconv.Quote(unit) + " " + strconv.Itoa(n)
			texts[name+" in a line"] = strings.Repeat(unit, many) + "a"
			texts[name+" in a line, closed"] = strings.Repeat(unit, many/2) + "a" + strings.Repeat("*](b)", n/10)
			texts[name+" in lines"] = strings.Repeat(unit+"\n", many)
			texts[name+" behind text"] = strings.Repeat("a"+unit+"\n", many)
			texts[name+" in blocks"] = strings.Repeat(unit+"a\n\n", many)
			texts[name+" in a hint"] = "```goal\nexpect result ok\n```\n```hint\n" + strings.Repeat(unit, many) + "a\n```"
		}
	}
	accepted := 0
	for name, text := range texts {
		b, err := drawn(t, text+"\n")
		if b > maxDrawn {
			t.Errorf("%s: %d MB to lay it out", name, b>>20)
		}
		if err == nil {
			accepted++
		}
	}
	if accepted < len(texts)/4 {
		t.Errorf("%d of %d are lessons: the limits are too narrow to say anything about laying out", accepted, len(texts))
	}
}

// The same for whatever comes up when pieces of Markdown are put together.
func TestRandomMarkdown(t *testing.T) {
	piece := rapid.SampledFrom([]string{"- ", "> ", "1. ", "* ", "  ", "    ", "\t", "\n", "\n\n", "a", "word ", "*", "**", "_", "~~", "[", "]", "(", ")", "![", "](b)", "`", "``", "```", "```\n", "~~~\n",
		"|", "|-", "|a|b|\n|-|-|\n", "<", ">", "<!--", "-->", "<div>", "</div>", "<pre>", "</pre>", "&amp;", "\\", ": ", "#", "### ", "---\n", "===\n", "[a]: b\n", "http://a.b", "- [ ] ", "世"})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "stretches") {
			unit := strings.Join(rapid.SliceOfN(piece, 1, 4).Draw(t, "unit"), "")
			b.WriteString(strings.Repeat(unit, rapid.IntRange(1, 1+2000/len(unit)).Draw(t, "times")))
		}
		if n, err := drawn(t, b.String()+"\n"); n > maxDrawn {
			var es lesson.Errors
			t.Fatalf("%d MB to lay out %.200q (a lesson: %v)", n>>20, b.String(), !errors.As(err, &es))
		}
	})
}
