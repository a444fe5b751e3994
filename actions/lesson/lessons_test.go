package lesson

import (
	"slices"
	"strings"
	"testing"
)

// Every lesson that comes along is true on this kernel, and asks something.
func TestLessons(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list["en"]) < 3 {
		t.Fatalf("the lessons are %v", list)
	}
	for language, entries := range list {
		for _, e := range entries {
			t.Run(language+"/"+e.Name, func(t *testing.T) {
				l, err := Embedded(language, e.Name)
				if err != nil {
					t.Fatal(err)
				}
				if l.Language != language || l.ID != e.Name {
					t.Errorf("language %s, ID %s", l.Language, l.ID)
				}
				kinds := map[Kind]int{}
				for _, st := range l.Steps {
					for _, it := range st.Items {
						kinds[it.Kind]++
					}
				}
				for _, k := range []Kind{Prose, Cow, Predict, Goal} {
					if kinds[k] == 0 {
						t.Errorf("no %s", k)
					}
				}
				proves(t, l)
			})
		}
	}
}

// Learners may look around and try things between any two blocks; the lessons do not stumble over
// it.
func TestLessonsAmongFreePlay(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list["en"] {
		t.Run(e.Name, func(t *testing.T) {
			l, err := Embedded("en", e.Name)
			if err != nil {
				t.Fatal(err)
			}
			if why, err := l.Missing(); why != "" || err != nil {
				t.Skip(why, err)
			}
			r := reads(t, l, nil)
			for {
				s := r.State()
				if s.Next < 0 && s.Front == len(s.Steps)-1 {
					break
				}
				own := `"own = mmap 1p rw private anon" "write own 1" "mmap 0 rw private anon" "read 0x10" "munmap own"`
				if l.Program.Name == "" {
					own += ` "read text"`
				}
				r.do(own)
				act := "next"
				if s.Next >= 0 {
					act = map[Kind]string{Cow: "run", Predict: "1 run", Goal: "solution"}[s.Steps[s.Front].Items[s.Next].Kind]
				}
				if r.do(act); r.State().Message.Text != "" {
					t.Fatalf("step %d: %s", s.Front+1, r.State().Message.Text)
				}
			}
			if s := r.State(); s.Done != len(s.Steps) {
				for _, st := range s.Steps {
					t.Error(st.Heading, st.Done)
				}
			}
		})
	}
}

// A lesson that is not there is an error that leads on.
func TestNoLesson(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(namesOf(list["en"]))
	slices.Sort(names)
	for _, c := range []struct{ language, name, want string }{
		{"en", "one-pgae", `no lesson "one-pgae"; did you mean one-page?`},
		{"en", "zzz", `no lesson "zzz"; there are ` + strings.Join(names, ", ")},
		{"xx", "one-page", `no lesson "one-page": there are none in the language "xx"`},
		{"..", "assets", `no lesson "assets": there are none in the language ".."`},
		{"*", "\x1b[31m", `no lesson "\x1b[31m": there are none in the language "*"`},
	} {
		if l, err := Embedded(c.language, c.name); l != nil || err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// Every lesson stands on the path, and in the list in its order.
func TestListOrder(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for language, entries := range list {
		before := -1
		for _, e := range entries {
			place := slices.Index(Path(), e.Name)
			if place <= before {
				t.Errorf("%s/%s has place %d on the path, behind %d", language, e.Name, place, before)
			}
			before = place
			if e.Title == "" || e.Summary == "" || e.Minutes == 0 || e.Steps < 3 {
				t.Errorf("%+v", e)
			}
		}
	}
}
