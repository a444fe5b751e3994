package saved_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/saved"
)

// A session runs again as it was: the kernel answers the same, but for process ids and frames.
func TestRerun(t *testing.T) {
	s := open(t)
	for _, l := range everything {
		s.Do(context.Background(), l)
	}
	rec := load(t, save(t, s))
	again := open(t)
	diffs, err := saved.Rerun(context.Background(), rec, again, 1<<30)
	if err != nil || len(diffs) > 0 {
		t.Errorf("%v: %v", err, diffs)
	}
	for i, st := range again.History() {
		if want := s.History()[i]; st.Command != want.Command || st.Result != want.Result || st.Current != want.Current {
			t.Errorf("step %d: %s %s, was %s %s", i, st.Command, st.Result, want.Command, want.Result)
		}
	}
	part := open(t)
	if _, err := saved.Rerun(context.Background(), rec, part, 4); err != nil || len(part.History()) != 5 {
		t.Errorf("%v: %d steps", err, len(part.History()))
	}
}

// Addresses that are random may differ, and nothing is made of it; a command that names one may be
// answered otherwise.
func TestRerunWithRandomAddresses(t *testing.T) {
	s, err := actions.Open(actions.Options{ASLR: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run(t, s, "mmap 4p rw private anon", "write a 1", "brk +1p", "mremap a 8p maymove", "fork")
	rec := load(t, save(t, s))
	if diffs, err := saved.Rerun(context.Background(), rec, open(t), 1<<30); err != nil || len(diffs) > 0 {
		t.Errorf("%v: %v", err, diffs)
	}
}

// What a kernel answers otherwise is told, step by step.
func TestRerunTellsDifferences(t *testing.T) {
	s := open(t)
	run(t, s, "mmap 1p rw private anon", "write a 7", "read a 1", "mmap 0 rw private anon", `file data "abc"`, "cat data")
	text := string(save(t, s))
	for old, by := range map[string]string{
		`"result":"EINVAL"`: `"result":"ok"`, `"bytes":"07"`: `"bytes":"08"`, `"command":"write a 7"`: `"command":"write nowhere 7"`, `"value":"0x3"`: `"value":"0x4"`,
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in\n%s", old, text)
		}
		text = strings.Replace(text, old, by, 1)
	}
	diffs, err := saved.Rerun(context.Background(), load(t, []byte(text)), open(t), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, d := range diffs {
		got += fmt.Sprintln(d)
	}
	for _, want := range []string{"step 2, write nowhere 7: the command was run, and is not possible: nothing is called nowhere",
		"step 3, read a 1: the bytes were 08, and are 00", "step 4, mmap 0 rw private anon: the result was ok, and is EINVAL", "the value was = 4, and is = 3"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A session that was recorded elsewhere runs here.
func TestRerunStory(t *testing.T) {
	f, err := os.Open("testdata/story.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := saved.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	diffs, err := saved.Rerun(context.Background(), rec, open(t), 1<<30)
	if err != nil || len(diffs) > 0 {
		t.Errorf("%v: %v", err, diffs)
	}
}

// What is not the kernel's answer ends the rerun.
func TestRerunEnds(t *testing.T) {
	s := open(t)
	run(t, s, "mmap 1p rw private anon")
	rec := load(t, save(t, s))
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := saved.Rerun(ctx, rec, open(t), 9); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "step 1, mmap") {
		t.Error(err)
	}
}
