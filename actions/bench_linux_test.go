package actions

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"cowscope/actions/history"
	"cowscope/actions/subject"
	"cowscope/vmspace/observe"

	"golang.org/x/sys/unix"
)

// The cost of a script's command beside the bare injected calls: map, store, protect, unmap.

func BenchmarkScript(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as exec does
	const rounds = 100
	line := "a = mmap 4p rw private anon\nwrite a 1\nmprotect a r\nmunmap a\n"
	sc, err := ReadScript("bench", strings.NewReader(strings.Repeat(line, rounds)))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		write func(*history.Step, int) error
	}{
		{"text", func(st *history.Step, line int) error { return st.WriteText(io.Discard, line) }},
		{"json", func(st *history.Step, line int) error { return st.WriteJSON(io.Discard, line) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(Options{Brief: true, Glance: true})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				if _, err := sc.Run(context.Background(), s, c.write); err != nil {
					b.Fatal(err)
				}
			}
			perCommand := float64(b.Elapsed().Nanoseconds()) / float64(b.N*rounds*4)
			b.ReportMetric(perCommand, "ns/command")
			b.ReportMetric(1e9/perCommand, "commands/s")
			b.ReportMetric(bareCalls(b, rounds)/perCommand, "of-bare")
		})
	}
}

// bareCalls is what one of the four takes when nothing is read, explained or written, in
// nanoseconds.
func bareCalls(b *testing.B, rounds int) float64 {
	tr, err := subject.NewTracer()
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	var took float64
	err = tr.Do(func() {
		p, err := tr.Start(subject.Config{Calls: systemCalls()})
		if err != nil {
			b.Fatal(err)
		}
		none := int64(-1)
		const times = 20
		began := time.Now()
		for range times * rounds {
			e, err := p.Syscall(unix.SYS_MMAP, 0, 16384, 3, 0x22, uint64(none), 0)
			if err != nil {
				b.Fatal(err)
			}
			_, err1 := p.Store(e.Value, []byte{1})
			_, err2 := p.Syscall(unix.SYS_MPROTECT, e.Value, 16384, 1)
			_, err3 := p.Syscall(unix.SYS_MUNMAP, e.Value, 16384)
			if err := errors.Join(err1, err2, err3); err != nil {
				b.Fatal(err)
			}
		}
		took = float64(time.Since(began).Nanoseconds()) / (times * 4 * float64(rounds))
	})
	if err != nil {
		b.Fatal(err)
	}
	return took
}

// BenchmarkCommand is a whole step of the lab: parse, run, read the family, compare, explain.
func BenchmarkCommand(b *testing.B) {
	s, err := Open(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, line := range []string{"mmap 4p rw private anon", "write a 1", "fork"} {
		if _, err := s.Do(context.Background(), line); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Do(context.Background(), "write a 1"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.f.Observe(observe.Scope{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
