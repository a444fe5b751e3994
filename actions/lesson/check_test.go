package lesson

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cowscope/actions"
	"cowscope/actions/feature"
)

var update = flag.Bool("update", false, "rewrite what is found in the untrue lessons of testdata")

// real opens real sessions.
var real = (&Lesson{}).Open(actions.Options{})

// proves checks that a lesson is true here.
func proves(t *testing.T, l *Lesson) {
	t.Helper()
	v, err := Check(context.Background(), l, l.Open(actions.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if v.Skipped != "" {
		t.Skip(v.Skipped)
	}
	for _, p := range v.Problems {
		t.Error(p)
	}
	if v.Commands == 0 || v.Claims == 0 {
		t.Errorf("%d commands ran, %d claims were asked", v.Commands, v.Claims)
	}
}

// Each lesson of testdata is untrue in its own way, and says at its end what the check finds.
func TestUntrueLessons(t *testing.T) {
	files, err := filepath.Glob("testdata/*.md")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	const mark = "```problems\n"
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".md"), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text, want, _ := strings.Cut(string(b), mark)
			l, err := Parse("f", strings.NewReader(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			v, err := Check(context.Background(), l, l.Open(actions.Options{}))
			if err != nil || v.Skipped != "" {
				t.Fatal(v.Skipped, err)
			}
			got := ""
			for _, p := range v.Problems {
				got += strings.ReplaceAll(p.String(), " soft-dirty", "") + "\n" // where the kernel has it, it goes with every write
			}
			if *update {
				if err := os.WriteFile(name, []byte(text+mark+got+"```\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got == "" || got+"```\n" != want {
				t.Errorf("found\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Where a feature is missing the lesson is skipped, and no session is opened.
func TestSkipped(t *testing.T) {
	missing := "arm64"
	if ok, _, err := feature.Available(missing); err != nil {
		t.Fatal(err)
	} else if ok {
		missing = "amd64"
	}
	text := strings.Replace(Template("x"), "language: en\n", "language: en\nneeds: ptrace "+missing+"\n", 1)
	l := parse(t, text)
	v, err := Check(context.Background(), l, func() (Session, error) { return nil, errors.New("opened") })
	if err != nil || !strings.HasPrefix(v.Skipped, missing+" is missing: ") || len(v.Problems) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// What keeps the check itself from working is no problem of the lesson.
func TestCheckFails(t *testing.T) {
	l := parse(t, Template("x"))
	sorry := errors.New("sorry")
	if _, err := Check(context.Background(), l, func() (Session, error) { return nil, sorry }); !errors.Is(err, sorry) {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if v, err := Check(ctx, l, l.Open(actions.Options{})); !errors.Is(err, context.Canceled) || len(v.Problems) > 0 {
		t.Error(v, err)
	}
	// Cut short in the middle of a command, too.
	ctx, stop = context.WithCancel(context.Background())
	v, err := Check(ctx, l, func() (Session, error) {
		in, err := real()
		s := &slow{Session: in, began: make(chan struct{}), closed: make(chan struct{})}
		go func() { <-s.began; stop() }()
		return s, err
	})
	if !errors.Is(err, context.Canceled) || len(v.Problems) > 0 {
		t.Error(v, err)
	}
}

// Checking twice in one session's life or another finds the same, and what ran is counted.
func TestCheckCounts(t *testing.T) {
	l := parse(t, full)
	opened := 0
	v, err := Check(context.Background(), l, func() (Session, error) {
		opened++
		return actions.Open(actions.Options{Brief: true})
	})
	if err != nil || opened != 1 {
		t.Fatal(opened, err)
	}
	// 2 + 1 + 1 commands and that of the solution; the access, 3 claims of answers, and the goal's twice.
	if got := fmt.Sprint(v.Commands, v.Claims, v.Problems); got != "5 6 []" {
		t.Error(got)
	}
}
