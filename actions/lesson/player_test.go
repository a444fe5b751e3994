package lesson

import (
	"context"
	"strings"
	"testing"

	"cowscope/actions"
)

// reader is a learner at a player.
type reader struct {
	*testing.T
	*Player
}

// read begins a lesson.
func read(t *testing.T, text string) *reader {
	t.Helper()
	return reads(t, parse(t, text), nil)
}

func reads(t *testing.T, l *Lesson, progress *Progress) *reader {
	t.Helper()
	p, err := NewPlayer(context.Background(), l, l.Open(actions.Options{}), progress)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &reader{t, p}
}

// acts are what a learner can do, by the word that stories use.
var acts = map[string]func(*Player) error{
	"next":     func(p *Player) error { return p.Next(context.Background()) },
	"back":     (*Player).Back,
	"run":      func(p *Player) error { return p.Run(context.Background()) },
	"1":        func(p *Player) error { return p.Answer(0) },
	"2":        func(p *Player) error { return p.Answer(1) },
	"3":        func(p *Player) error { return p.Answer(2) },
	"9":        func(p *Player) error { return p.Answer(8) },
	"hint":     (*Player).Hint,
	"solution": func(p *Player) error { return p.Solution(context.Background()) },
	"skip":     func(p *Player) error { return p.Skip(context.Background()) },
	"again":    func(p *Player) error { return p.RestartStep(context.Background()) },
	"restart":  func(p *Player) error { return p.Restart(context.Background()) },
}

// do acts, words parted by blanks; a line in quotes is a command.
func (r *reader) do(story string) {
	r.Helper()
	for i, part := range strings.Split(story, `"`) {
		if i%2 == 1 {
			if _, err := r.Do(context.Background(), part); err != nil {
				r.Fatalf("%s: %v", part, err)
			}
			continue
		}
		for _, w := range strings.Fields(part) {
			if err := acts[w](r.Player); err != nil {
				r.Fatalf("%s: %v", w, err)
			}
		}
	}
}

// shows checks the place (step/front:next), the statuses of the step that is looked at, and
// something of the message.
func (r *reader) shows(place, statuses, message string) {
	r.Helper()
	s := r.State()
	var got []string
	for _, it := range s.Steps[s.Step].Items {
		if it.Kind != Prose {
			got = append(got, string(it.Status))
		}
	}
	at := string(rune('0'+s.Step)) + "/" + string(rune('0'+s.Front)) + ":" + string(rune('0'+s.Next))
	if s.Next < 0 {
		at = at[:4] + "-"
	}
	if at != place || strings.Join(got, " ") != statuses {
		r.Errorf("%s %v, want %s %s (%q)", at, got, place, statuses, s.Message.Text)
	}
	if message == "" && s.Message.Text != "" || !strings.Contains(s.Message.Text, message) {
		r.Errorf("it says %q, want something of %q", s.Message.Text, message)
	}
}

// commands lists what ran in the session, expectations left out.
func (r *reader) commands() string {
	var out []string
	for _, st := range r.Session().History() {
		if st.Command != "" && !st.Check {
			out = append(out, st.Command)
		}
	}
	return strings.Join(out, "; ")
}

const story = head + `
Intro.

## Map

Prose alone first.

## Ask

` + "```cow" + `
a = mmap 2p rw private anon
expect page a none
` + "```" + `
Guess.
` + "```predict" + `
What happens?
access: write a 1
happens: zero-fill
why: Because.
` + "```" + `
` + "```predict" + `
What is there?
run: read a
- nothing
  expect bytes a 0
- a one
  expect bytes a 1
` + "```" + `

## Try

` + "```goal" + `
expect page a+1p anon
expect bytes a+1p 5
` + "```" + `
` + "```hint" + `
Write.
` + "```" + `
` + "```hint" + `
Write a 5.
` + "```" + `
` + "```solution" + `
write a+1p 5
` + "```" + `
` + "```cow" + `
fork
@p2 write a 9
@p2 expect bytes a 9
expect bytes a 1
` + "```" + `

## End

` + "```cow" + `
read a+1p
expect bytes a+1p 5
` + "```" + `
`

// The whole way of a learner who does all as it is meant.
func TestPlayThrough(t *testing.T) {
	r := read(t, story)
	r.shows("0/0:-", "", "")
	r.do("run")
	r.shows("0/0:-", "", "Nothing is left to run")
	r.do("next next")
	r.shows("2/2:0", "pending pending pending", "")
	if s := r.State(); s.Done != 2 || !s.Steps[1].Done || s.Fresh != 1 {
		t.Errorf("%+v", s)
	}
	r.do("next")
	r.shows("2/2:0", "pending pending pending", "have not run")
	r.do("1")
	r.shows("2/2:0", "pending pending pending", "no question")
	r.do("run")
	r.shows("2/2:2", "done pending pending", "")
	r.do("run")
	r.shows("2/2:2", "done pending pending", "Choose an answer")
	r.do("9")
	r.shows("2/2:2", "done pending pending", "answers 1 to 4")
	it := r.State().Steps[2].Items[2]
	choice := -1
	for i, text := range it.Offered {
		if strings.Contains(text, "fresh frame of zeros") {
			choice = i
		}
	}
	if len(it.Offered) != 4 || choice < 0 || it.Chosen != -1 || it.Correct != -1 {
		t.Fatalf("%q", it.Offered)
	}
	r.do("1")
	if err := r.Answer(choice); err != nil {
		t.Fatal(err)
	}
	r.do("run")
	r.shows("2/2:3", "done right pending", "")
	if it := r.State().Steps[2].Items[2]; it.Correct != choice || it.Why != "Because." || r.Session().History()[it.Last].Command != "write a 1" {
		t.Errorf("%+v", it)
	}
	r.do("1 run")
	r.shows("2/2:-", "done right wrong", "")
	if it := r.State().Steps[2].Items[3]; it.Correct != 1 || it.Chosen != 0 || !r.State().Steps[2].Done {
		t.Errorf("%+v", it)
	}
}

// A goal is held against every command of the learner, and its hints come one at a time.
func TestGoal(t *testing.T) {
	r := read(t, story)
	r.do("next next run 1 run 2 run next run")
	r.shows("3/3:0", "pending pending", "your turn")
	if it := r.State().Steps[3].Items[0]; len(it.Unmet) != 2 || it.Unmet[0].Got != "a+1p is none" || it.Unmet[0].Line == 0 || len(it.Seen()) != 0 {
		t.Errorf("%+v", it)
	}
	r.do("hint hint")
	if it := r.State().Steps[3].Items[0]; len(it.Seen()) != 2 || it.Seen()[1] != "Write a 5." {
		t.Errorf("%+v", it)
	}
	r.do("hint")
	r.shows("3/3:0", "pending pending", "no more hints")
	r.do(`"write a+1p 4"`)
	r.shows("3/3:0", "pending pending", "")
	if it := r.State().Steps[3].Items[0]; len(it.Unmet) != 1 || it.Unmet[0].Want != "05" || it.Unmet[0].Got != "04" {
		t.Errorf("%+v", it.Unmet)
	}
	r.do(`"write a+1p 5"`)
	r.shows("3/3:1", "reached pending", "")
	r.do("hint")
	r.shows("3/3:1", "reached pending", "no goal")
	r.do("run next run")
	r.shows("4/4:-", "done", "")
	r.do("next")
	r.shows("4/4:-", "done", "last step")
	if s := r.State(); s.Done != 5 {
		t.Errorf("%d steps are done", s.Done)
	}
	if got, want := r.commands(), "a = mmap 2p rw private anon; write a 1; read a; write a+1p 4; write a+1p 5; fork; @p2 write a 9; read a+1p"; got != want {
		t.Errorf("ran\n%s\nwant\n%s", got, want)
	}
}

// What a learner repeats counts as often as it runs: also where the first time ends the lesson.
func TestRepeatedByTheLearner(t *testing.T) {
	r := read(t, story)
	r.do("next next run 1 run 2 run next run")
	r.do(`"repeat 3 write a+1p 5"`)
	r.shows("3/3:1", "reached pending", "")
	if got := r.commands(); !strings.HasSuffix(got, "; write a+1p 5; write a+1p 5; write a+1p 5") {
		t.Error(got)
	}
	r.do(`"repeat 3 kill"`)
	r.shows("3/3:1", "reached pending", "p1 is gone")
}

// Looking back runs nothing, and nothing runs again on the way forward.
func TestBack(t *testing.T) {
	r := read(t, story)
	r.do("next next run")
	before := r.commands()
	r.do("back back back back")
	r.shows("0/2:2", "", "")
	r.do("next next")
	r.shows("2/2:2", "done pending pending", "")
	r.do("back run")
	r.shows("1/2:2", "", "behind you")
	r.do("2 hint solution")
	r.shows("1/2:2", "", "behind you")
	if got := r.commands(); got != before {
		t.Errorf("ran %s", got)
	}
}

// Who skips sees what a learner would have done, and nothing counts as done.
func TestSkip(t *testing.T) {
	r := read(t, story)
	r.do("next next skip")
	r.shows("2/2:-", "skipped skipped skipped", "")
	if it := r.State().Steps[2].Items[3]; it.Correct != 1 || it.Chosen != -1 {
		t.Errorf("%+v", it)
	}
	r.do("next skip")
	r.shows("3/3:-", "skipped skipped", "")
	r.do("next skip")
	r.shows("4/4:-", "skipped", "")
	if s := r.State(); s.Done != 2 {
		t.Errorf("%d steps are done", s.Done)
	}
	if got, want := r.commands(), "a = mmap 2p rw private anon; write a 1; read a; write a+1p 5; fork; @p2 write a 9; read a+1p"; got != want {
		t.Errorf("ran\n%s\nwant\n%s", got, want)
	}
}

// A step is begun again in a fresh subject, which stands where the step begins.
func TestRestartStep(t *testing.T) {
	r := read(t, story)
	r.do("next next run 1 run 2 run next solution")
	r.shows("3/3:1", "solved pending", "")
	r.do("run again")
	r.shows("3/3:0", "pending pending", "")
	if s := r.State(); s.Fresh != 2 || s.Steps[2].Items[3].Status != Right || s.Steps[2].Items[3].Last == 0 || !s.Steps[2].Done {
		t.Errorf("%+v", s)
	}
	if got, want := r.commands(), "a = mmap 2p rw private anon; write a 1; read a"; got != want {
		t.Errorf("ran\n%s\nwant\n%s", got, want)
	}
	r.do("solution run next run back again solution run next run")
	r.shows("4/4:-", "done", "")
	r.do("restart")
	r.shows("0/0:-", "", "")
	if s := r.State(); s.Steps[2].Items[0].Status != Pending || s.Done != 5 || r.commands() != "" {
		t.Errorf("%+v", s)
	}
	if err := r.GoTo(context.Background(), 4); err != nil {
		t.Fatal(err)
	}
	r.shows("4/4:0", "pending", "")
	if s := r.State(); s.Steps[3].Items[0].Status != Skipped {
		t.Errorf("%+v", s.Steps[3])
	}
	r.do("run")
	r.shows("4/4:-", "done", "")
	if err := r.GoTo(context.Background(), 5); err != nil {
		t.Fatal(err)
	}
	r.shows("4/4:-", "done", "steps 1 to 5")
}
