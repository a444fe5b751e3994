package lesson

import (
	"context"
	"slices"
	"testing"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Whatever an access can do here is among the answers, and so are some that it cannot do, always in
// the same order.
func TestAccessChoices(t *testing.T) {
	s, err := real()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := performer{s, func(*history.Step) {}}
	for _, line := range []string{"file data 2p", "a = mmap 4p rw private anon", "b = mmap 2p rw private file=data", "c = mmap 3p rw shared file=data", "mprotect a+3p 1p r"} {
		if _, err := s.Do(context.Background(), line); err != nil {
			t.Fatal(err)
		}
	}
	g, err := actions.Grammar()
	if err != nil {
		t.Fatal(err)
	}
	p := &parser{g: g, l: &Lesson{}, wrong: map[int]bool{}}
	for _, line := range []string{"read a", "write a 1", "write a 2", "touch a+1p 1p", "write a+3p 1", "exec a", "read b", "write b 1", "read c", "write c 1", "read c+2p", "read 0x10", "fork", "@p2 write a 1", "@p2 fill a+1p 1p 3"} {
		c, ok := p.command(source{1, 1, line})
		if !ok {
			t.Fatal(p.errs)
		}
		if c.verb == "fork" {
			if _, err := s.Do(context.Background(), line); err != nil {
				t.Fatal(err)
			}
			continue
		}
		cs, err := r.choices(context.Background(), &Item{Kind: Predict, Access: true, Commands: []Command{c}})
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.Do(context.Background(), line)
		if err != nil || st.Happened == "" {
			t.Fatal(line, st, err)
		}
		var whats []vmspace.Happening
		at := -1
		for _, c := range cs {
			i := slices.IndexFunc(vmspace.Happenings[:], func(h struct {
				Name     vmspace.Happening
				Sentence string
			}) bool {
				return h.Name == c.what
			})
			if i <= at || c.text != vmspace.Happenings[i].Sentence {
				t.Errorf("%s: %s stands wrong in %v", line, c.what, cs)
			}
			at = i
			whats = append(whats, c.what)
		}
		if !slices.Contains(whats, st.Happened) || len(whats) < 3 || len(whats) > 5 {
			t.Errorf("%s: offered %v, and %s happened", line, whats, st.Happened)
		}
		right, err := r.right(context.Background(), cs, st.Happened)
		if err != nil || len(right) != 1 || whats[right[0]] != st.Happened {
			t.Errorf("%s: right are %v of %v, %v", line, right, whats, err)
		}
	}
}
