package lesson

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cowscope/actions"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// Learners who do what the lesson does not foresee, and machines that do not do what it says.

// Whatever the learner does in between, the lesson goes on, or says why not and how.
func TestDeviations(t *testing.T) {
	for name, c := range map[string]struct{ before, statuses, message string }{
		"harmless":        {`"x = mmap 1p rw private anon" "fork" "use p2" "expect page x none" run`, "done pending pending", ""},
		"expects amiss":   {`"expect page text none" run`, "done pending pending", ""},
		"name taken":      {`"a = mmap 9p rw private anon" run`, "done pending pending", ""},
		"another mapping": {`run "munmap a" 1 run`, "done wrong pending", ""},
		"in the way":      {`run "a = mmap 2p r private anon" 1 run 2 run`, "done wrong failed", ""},
		"gone":            {`"kill" run`, "pending pending pending", "p1 is gone"},
		"no stubs":        {`"munmap text" run`, "failed pending pending", "no longer in its memory"},
		"began again":     {`run "restart" 1 run`, "done failed pending", "Your own commands may have changed what the lesson builds on in line"},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, story)
			r.do("next next " + c.before)
			got := strings.Fields(c.statuses)
			s := r.State()
			if name == "in the way" { // the write is refused, and so nothing is present to be looked at
				got = []string{"done", string(s.Steps[2].Items[2].Status), string(s.Steps[2].Items[3].Status)}
			}
			r.shows("2/2:"+next(got), strings.Join(got, " "), c.message)
			if restart := c.message != ""; s.Message.Restart != restart {
				t.Errorf("restart is offered: %v", s.Message.Restart)
			}
			r.do("again run")
			r.shows("2/2:2", "done pending pending", "")
		})
	}
}

// next is the index of the item whose turn it is, in the step Ask.
func next(statuses []string) string {
	for i, s := range statuses {
		if s == string(Pending) {
			return string("023"[i])
		}
	}
	return "-"
}

// A block that fails because of the learner says so, and a solution that leads nowhere too.
func TestFailedBlock(t *testing.T) {
	r := read(t, story)
	r.do(`next next run 1 run 2 run next "mprotect a r" solution`)
	r.shows("3/3:0", "pending pending", "Your own commands may have changed what the lesson builds on in line")
	if s := r.State(); !s.Message.Restart || !strings.Contains(s.Message.Text, "wanted ok, found SIGSEGV/ACCERR") || s.Steps[3].Items[0].Failure.Line == 0 {
		t.Errorf("%+v", s.Message)
	}
	r.do(`"mprotect a rw" "write a+1p 5"`)
	r.shows("3/3:1", "reached pending", "")
	r.do(`"write a 7" run`)
	r.shows("3/3:-", "reached failed", "wanted 01, found 07")
	r.do("next")
	r.shows("4/4:0", "pending", "")
	if s := r.State(); s.Steps[3].Done || s.Done != 3 {
		t.Errorf("%+v", s)
	}
}

// The lesson's current process is not the learner's, and where it is gone, that is said.
func TestCurrent(t *testing.T) {
	text := head + "## A\n```cow\na = mmap 1p rw private anon\nfork\nuse p2\n```\n```cow\nwrite a 2\n@p2 expect bytes a 2\n```\n## B\n```cow\nwrite a 3\n```\n"
	r := read(t, text)
	r.do(`run "use p1" run`)
	r.shows("0/0:-", "done done", "")
	r.do(`next "restart" run`)
	r.shows("1/1:0", "pending", "p2 is gone")
	r.do("again run")
	r.shows("1/1:-", "done", "")
}

// A lesson that is untrue on this kernel is not blamed on the learner.
func TestUntrueHere(t *testing.T) {
	r := read(t, head+"## A\n```cow\na = mmap 1p rw private anon\nexpect page a anon\nwrite a 1\n```\n## B\n```cow\nwrite a 2\n```\n")
	r.do("run")
	r.shows("0/0:-", "failed", "This kernel does not do what the lesson says in line 11: expect page a anon: wanted anon, found a is none.")
	r.do("next again")
	r.shows("1/1:0", "pending", "This kernel does not do what the lesson says in line 11")
}

// A limit that ends the subject is told like any other end of it.
func TestLimit(t *testing.T) {
	l := parse(t, head+"## A\n```cow\na = mmap 64m rw private anon\nmadvise a nohugepage\nfill a 1\n```\n")
	p, err := NewPlayer(context.Background(), l, l.Open(actions.Options{Limits: family.Limits{Memory: 8 << 20}}), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := &reader{t, p}
	r.do("run")
	r.shows("0/0:-", "failed", "--max-memory")
	r.do("again")
	r.shows("0/0:0", "pending", "")
}

// A mistake in the learner's line is the learner's, and changes nothing.
func TestLearnersMistake(t *testing.T) {
	r := read(t, story)
	for _, line := range []string{"writ a 1", "write nowhere 1"} {
		var syn *lang.SyntaxError
		if _, err := r.Do(context.Background(), line); !errors.As(err, &syn) {
			t.Error(err)
		}
	}
	if st, err := r.Do(context.Background(), "# nothing"); st != nil || err != nil {
		t.Error(st, err)
	}
}

// What cannot be shown to this user is no wrong answer.
func TestUnknown(t *testing.T) {
	r := read(t, head+"## A\n```cow\na = mmap 1p rw private anon\n```\n```predict\nQ\naccess: touch a 0\n```\n")
	r.do("run 1 run")
	r.shows("0/0:-", "done unknown", "Nothing here shows")
}

// Cut short, a block has failed, and the step can be begun again; closed, nothing starts any more.
func TestCutShort(t *testing.T) {
	r := read(t, story)
	r.do("next next")
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := r.Player.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.shows("2/2:2", "failed pending pending", "cut short")
	if err := r.RestartStep(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.do("again run")
	r.shows("2/2:2", "done pending pending", "")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.RestartStep(context.Background()); !errors.Is(err, errClosed) {
		t.Error(err)
	}
	if _, err := r.Do(context.Background(), "fork"); err == nil {
		t.Error("a command ran after the end")
	}
}

// slow is a session in which a command does not end before the session does.
type slow struct {
	Session
	began, closed chan struct{}
	once          sync.Once
}

func (s *slow) Do(context.Context, string) (*history.Step, error) {
	close(s.began)
	<-s.closed
	return nil, errClosed
}

func (s *slow) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Session.Close()
}

// While something runs that can be seen, and a close ends it.
func TestCloseWhileRunning(t *testing.T) {
	var s *slow
	p, err := NewPlayer(context.Background(), parse(t, head+"## A\n```cow\nfork\n```\n"), func() (Session, error) {
		in, err := real()
		s = &slow{Session: in, began: make(chan struct{}), closed: make(chan struct{})}
		return s, err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- p.Run(context.Background()) }()
	<-s.began
	if got := p.State().Steps[0].Items[0].Status; got != Running {
		t.Errorf("it is %s", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, errClosed) {
		t.Error(err)
	}
	if got := p.State().Steps[0].Items[0].Status; got != Failed {
		t.Errorf("it is %s", got)
	}
}

// A subject that cannot be started is an error, and the lesson before it is still there.
func TestNoSubject(t *testing.T) {
	sorry := errors.New("sorry")
	l, fails := parse(t, story), false
	open := func() (Session, error) {
		if fails {
			return nil, sorry
		}
		return real()
	}
	p, err := NewPlayer(context.Background(), l, open, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := &reader{t, p}
	r.do("next next run")
	fails = true
	if err := p.RestartStep(context.Background()); !errors.Is(err, sorry) {
		t.Error(err)
	}
	r.do(`"write a 1"`)
	r.shows("2/2:2", "done pending pending", "")
	if _, err := NewPlayer(context.Background(), l, open, nil); !errors.Is(err, sorry) {
		t.Error(err)
	}
}

// The state is there at any time, from any goroutine, and one that was given never changes.
func TestStateWhileRunning(t *testing.T) {
	r := read(t, story)
	first := r.State()
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			s := r.State()
			for _, st := range s.Steps {
				for _, it := range st.Items {
					if n := len(it.Offered); it.Chosen >= n && n > 0 {
						t.Errorf("%d is chosen of %d", it.Chosen, n)
					}
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	r.do("next next skip next skip next skip again restart")
	close(stop)
	done.Wait()
	if first.Step != 0 || first.Steps[2].Items[0].Status != Pending {
		t.Errorf("%+v", first)
	}
}

// Steps that are done are remembered for the next time.
func TestPlayerRemembers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "progress.json")
	l := parse(t, story)
	r := reads(t, l, ProgressAt(file))
	r.do("next next run 1 run 2 run next")
	again := reads(t, l, ProgressAt(file))
	if s := again.State(); s.Done != 3 || !s.Steps[2].Done || s.Steps[3].Done || s.Step != 0 || s.Message.Text != "" {
		t.Errorf("%+v", s)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := reads(t, l, ProgressAt(file))
	if s := fresh.State(); s.Done != 0 || !strings.Contains(s.Message.Text, "damaged") {
		t.Errorf("%+v", s.Message)
	}
	// A place where nothing can be kept does not stop the lesson.
	if err := os.WriteFile(file+"x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := reads(t, l, ProgressAt(filepath.Join(file+"x", "p.json")))
	nowhere.do("next")
	if s := nowhere.State(); s.Step != 1 || s.Done != 1 || !strings.Contains(s.Message.Text, "cannot be remembered") {
		t.Errorf("%+v", s)
	}
}

// Where the place is not there any more, people's beliefs are still offered.
func TestChoicesOfNowhere(t *testing.T) {
	r := read(t, head+"## A\n```cow\na = mmap 1p rw private anon\n```\n```predict\nQ\naccess: write b 1\n```\n")
	r.do("run")
	if it := r.State().Steps[0].Items[1]; len(it.Offered) != mostChoices {
		t.Errorf("%q", it.Offered)
	}
	r.do(`1 "b = mmap 1p r private anon" run`)
	if it := r.State().Steps[0].Items[1]; it.Status != Wrong || len(it.Offered) != mostChoices {
		t.Errorf("%+v", it)
	}
}

// Where a feature is missing there is nothing to play.
func TestNoFeature(t *testing.T) {
	l := parse(t, strings.Replace(Template("x"), "language: en\n", "language: en\nneeds: amd64 arm64\n", 1))
	if p, err := NewPlayer(context.Background(), l, l.Open(actions.Options{}), nil); p != nil || err == nil || !strings.Contains(err.Error(), "64 is missing: ") {
		t.Error(err)
	}
}
