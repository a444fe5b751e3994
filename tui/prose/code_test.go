package prose

import (
	"strings"
	"testing"

	"cowscope/tui/cell"

	"pgregory.net/rapid"
)

// shownLines are lines as the screen has them.
func shownLines(lines []Line) []string {
	var out []string
	for _, l := range lines {
		s := ""
		for _, sp := range l {
			s += sp.Text
		}
		out = append(out, s)
	}
	return out
}

func TestCodeLines(t *testing.T) {
	for _, c := range []struct {
		name, code string
		w          int
		want       string
	}{
		{"fits", "int x;", 20, "  int x;"},
		{"an aligned comment", "  a = b;     /* c */", 30, "    a = b;     /* c */"},
		{"fits exactly", "0123456789", 12, "  0123456789"},
		{"at a blank", "  p = mmap(NULL, size, PROT_READ);", 26, "    p = mmap(NULL, size,\n    ↪ PROT_READ);"},
		{"a blank at the very edge", "int a = 123; int b;", 14, "  int a = 123;\n  ↪ int b;"},
		{"behind an operator", "MAP_PRIVATE|MAP_ANONYMOUS", 20, "  MAP_PRIVATE|\n  ↪ MAP_ANONYMOUS"},
		{"behind a comma", "f(aaaaaa,bbbbb,cccccccc)", 20, "  f(aaaaaa,bbbbb,\n  ↪ cccccccc)"},
		{"not in an arrow", "abcdefghijk->lmnopq", 15, "  abcdefghijk->\n  ↪ lmnopq"},
		{"not behind a sign", "callable(abc,-12345)", 17, "  callable(abc,\n  ↪ -12345)"},
		{"a blank too early", "a bcdefghijklmnopqrstuv", 16, "  a bcdefghijklm\n  ↪ nopqrstuv"},
		{"twice", "    one two three four five six", 18, "      one two\n      ↪ three four\n      ↪ five six"},
		{"wide ones are whole", "x = 1; /* 写时复制是一种技术 */", 17, "  x = 1; /*\n  ↪ 写时复制是一\n  ↪ 种技术 */"},
		{"and hard against the edge", "s = u8\"写时复制是一种技术\";", 17, "  s = u8\"写时复制\n  ↪ 是一种技术\";"},
		{"blanks at the fold", "int x;          /* counted */", 18, "  int x;\n  ↪ /* counted */"},
		{"deep", strings.Repeat(" ", 20) + "one two", 26, strings.Repeat(" ", 22) + "one\n" + strings.Repeat(" ", 16) + "↪ two"},
		{"tabs", "\tif (x)\n\t\treturn;", 40, "          if (x)\n                  return;"},
		{"a blank line", "a;\n\nb;", 20, "  a;\n  \n  b;"},
		{"narrow", "    int x;", 6, "    in\nt x;"},
	} {
		if got := strings.Join(shownLines(codeLines(c.code, c.w)), "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	if l := codeLines("one two three", 12)[1]; l[1].Style != cell.Dim || l[2].Style != cell.Accent {
		t.Errorf("the mark's style is %v", l)
	}
	if got := codeLines("\n\n", 20); got != nil {
		t.Errorf("of nothing there is %v", got)
	}
}

// Whatever the code and the width, no line is too wide and no character is lost.
func TestFoldLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringOf(rapid.RuneFrom([]rune("ab1_ (),;|-><=*/\t\"写时,e\u0301\x1b\u200d👍"))).Draw(t, "line")
		w := rapid.IntRange(2, 60).Draw(t, "width")
		pieces, lead := fold(line, w)
		all := ""
		for _, g := range glyphsOf(line) {
			all += g.text
		}
		if got := strings.Join(pieces, ""); got != all {
			t.Fatalf("%q became %q", all, got)
		}
		for i, p := range pieces {
			room := w
			if i > 0 {
				room -= lead
			}
			if n := cell.Width(strings.TrimRight(p, " ")); n > room {
				t.Fatalf("%q has %d columns, and there are %d", p, n, room)
			}
			if i > 0 && (p == "" || p[0] == ' ') {
				t.Fatalf("%q is no piece", p)
			}
		}
		for _, l := range shownLines(codeLines(line, w)) {
			if cell.Width(l) > w {
				t.Fatalf("%q has %d columns, and there are %d", l, cell.Width(l), w)
			}
		}
	})
}
