package lesson

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// A lesson is the same in every language: its steps, its blocks, and all that runs or is claimed.
// Only words differ.

func TestLanguages(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 2 {
		t.Fatalf("there are %d languages", len(list))
	}
	for language, entries := range list {
		if language == "en" {
			continue
		}
		if got, want := namesOf(entries), namesOf(list["en"]); got != want {
			t.Errorf("%s has\n%s\nand en\n%s", language, got, want)
		}
		for _, e := range entries {
			t.Run(language+"/"+e.Name, func(t *testing.T) {
				en, err := Embedded("en", e.Name)
				if err != nil {
					t.Fatal(err)
				}
				other, err := Embedded(language, e.Name)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range differences(en, other) {
					t.Error(d)
				}
			})
		}
	}
}

func namesOf(entries []Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return strings.Join(out, " ")
}

// differences tells what two versions of a lesson do not have in common and should, and which words
// they share and should not.
func differences(a, b *Lesson) []string {
	var out []string
	bonesA, bonesB := bones(a), bones(b)
	for i := range max(len(bonesA), len(bonesB)) {
		if x, y := at(bonesA, i), at(bonesB, i); x != y {
			out = append(out, fmt.Sprintf("%q, and in %s %q", x, b.Language, y))
			break // what follows is out of step
		}
	}
	wordsA := proseOf(a)
	for _, l := range proseOf(b) {
		if slices.Contains(wordsA, l) {
			out = append(out, fmt.Sprintf("not translated: %q", l))
		}
	}
	return out
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "the end"
}

// bones are a lesson without its words.
func bones(l *Lesson) []string {
	out := []string{fmt.Sprintf("level %s, %d minutes, needs %v", l.Level, l.Minutes, l.Needs)}
	add := func(what string, cs []Command) {
		for _, c := range cs {
			out = append(out, what+" "+strings.Join(strings.Fields(c.Text), " "))
		}
	}
	for i, st := range l.Steps {
		out = append(out, fmt.Sprintf("step %d", i))
		for _, it := range st.Items {
			out = append(out, string(it.Kind))
			if len(it.Needs) > 0 {
				out = append(out, "only with "+strings.Join(it.Needs, " "))
			}
			if it.Kind == Prose {
				_, code := parted(it.Text)
				out = append(out, code...)
			}
			add("command", it.Commands)
			if it.Kind == Predict {
				out = append(out, fmt.Sprintf("access %v, happens %v", it.Access, it.Happens))
			}
			for _, a := range it.Answers {
				out = append(out, "answer")
				add("claim", a.Claims)
			}
			add("then", it.Then)
			if it.Kind == Goal {
				out = append(out, fmt.Sprintf("%d hints", len(it.Hints)))
			}
			add("solution", it.Solution)
		}
	}
	return out
}

// parted parts Markdown into the lines of its text and those of its fenced blocks.
func parted(markdown string) (text, code []string) {
	inside := false
	var f fence
	for _, l := range strings.Split(markdown, "\n") {
		open, opens := openFence(l)
		switch {
		case inside:
			inside = !f.closes(l)
			code = append(code, l)
		case opens:
			f, inside = open, true
			code = append(code, l)
		default:
			text = append(text, l)
		}
	}
	return text, code
}

// proseOf are the lines that a learner reads as text, those without a letter left out.
func proseOf(l *Lesson) []string {
	all := []string{l.Title, l.Summary}
	for _, st := range l.Steps {
		all = append(all, st.Heading)
		for _, it := range st.Items {
			all = append(all, it.Text, it.Why)
			all = append(all, it.Hints...)
			for _, a := range it.Answers {
				all = append(all, a.Text)
			}
		}
	}
	text, _ := parted(strings.Join(all, "\n"))
	return slices.DeleteFunc(text, func(l string) bool { return !strings.ContainsFunc(l, unicode.IsLetter) })
}

// Each thing that must not differ is missed when it does, and a text that was forgotten too.
func TestDifferences(t *testing.T) {
	const lesson = `---
title: T
summary: Two words.
level: beginner
minutes: 5
language: en
needs: amd64
---

Hello.

## One

` + "```c\nint x;\n```\n" + `
Look.

` + "```cow\na = mmap 1p rw private anon\nexpect page a none\n```\n" + `
` + "```predict\nWhat?\nrun: read a\n- zero\n  expect page a zero\n- anon\n  expect page a anon\nthen: expect faults minor=1\nwhy: So.\n```\n" + `
` + "```predict\nAnd now?\naccess: write a 1\nhappens: zero-fill\nwhy: Thus.\n```\n" + `
<!-- needs arm64 -->
On Arm.
<!-- end -->

## Two

` + "```goal\nexpect bytes a 2\n```\n```hint\nTry.\n```\n```solution\nwrite a 2\n```\n"
	foreign := strings.NewReplacer("title: T", "title: 标题", "Two words.", "两个字。", "language: en", "language: zh-CN", "Hello.", "你好。",
		"## One", "## 一", "Look.", "请看。", "What?", "什么？", "- zero", "- 零", "- anon", "- 匿名", "So.", "所以。", "And now?", "现在呢？",
		"Thus.", "因此。", "On Arm.", "在 Arm 上。", "## Two", "## 二", "Try.", "试试。").Replace(lesson)
	en := parse(t, lesson)
	if d := differences(en, parse(t, foreign)); len(d) > 0 {
		t.Errorf("%q", d)
	}
	for _, c := range []struct{ from, to, want string }{
		{"<!-- needs arm64 -->", "<!-- needs frames -->", "only with frames"},
		{"<!-- needs arm64 -->\n在 Arm 上。\n<!-- end -->", "在 Arm 上。", `"only with arm64"`},
		{"level: beginner", "level: advanced", "level advanced"},
		{"minutes: 5", "minutes: 6", "6 minutes"},
		{"needs: amd64\n", "", "needs []"},
		{"## 一", "## 一\n\n零。\n\n## 又", "step 2"},
		{"int x;", "int y;", "int y;"},
		{"mmap 1p", "mmap 2p", "mmap 2p"},
		{"expect page a none\n", "", `"predict"`},
		{"expect page a zero", "expect page a 1p zero", "claim expect page a 1p zero"},
		{"minor=1", "minor=2", "then expect faults minor=2"},
		{"zero-fill", "copy", "happens [copy]"},
		{"access: write a 1", "access: write a 2", "write a 2"},
		{"```hint\n试试。\n```\n", "", "0 hints"},
		{"write a 2", "fill a 2", "solution fill a 2"},
		{"你好。", "Hello.", "not translated"},
		{"两个字。", "Two words.", "not translated"},
		{"- 零", "- zero", "not translated"},
		{"因此。", "Thus.", "not translated"},
		{"试试。", "Try.", "not translated"},
		{"## 二", "## Two", "not translated"},
	} {
		text := strings.Replace(foreign, c.from, c.to, 1)
		if d := strings.Join(differences(en, parse(t, text)), "; "); text == foreign || !strings.Contains(d, c.want) {
			t.Errorf("%q in place of %q: %s", c.to, c.from, d)
		}
	}
}
