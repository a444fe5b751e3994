package family

import "testing"

// sharedPages in numbers.
func TestSharedPages(t *testing.T) {
	var s SharedPages
	f, g := sharedFile{0, 1, 5}, sharedFile{0, 1, 6}
	for _, c := range []struct {
		what       string
		f          sharedFile
		first, end uint64
		count      uint64
	}{
		{"add", f, 3, 10, 7}, {"add", f, 0, 4, 10}, {"add", g, 500, 1100, 610}, {"add", f, 5, 6, 610}, {"remove", f, 0, 1 << 40, 600},
		{"remove", g, 511, 513, 598}, {"add", g, 512, 512, 598}, {"remove", sharedFile{}, 0, 9, 598}, {"add", f, 63, 65, 600}, {"add", f, 64, 128, 663},
	} {
		if c.what == "add" {
			s.add(c.f, c.first, c.end)
		} else {
			s.remove(c.f, c.first, c.end)
		}
		if s.Count != c.count {
			t.Errorf("%s %v: %d pages, want %d", c.what, c, s.Count, c.count)
		}
	}
	if n := s.held(g, 0, 1<<50); n != 598 {
		t.Errorf("%d pages of the second file", n)
	}
	if n := s.held(g, 510, 514); n != 2 {
		t.Errorf("%d pages around the hole", n)
	}
}
