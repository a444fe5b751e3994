package actions

import (
	"context"
	"testing"
)

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
			if _, err := s.reader.Read(s.family()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
