package tui_test

import "testing"

// A chapter that is longer than the terminal goes through the user's pager; one that is not there
// loses nothing.
func TestHelpIsPaged(t *testing.T) {
	for _, c := range []struct {
		pager  string
		height int
		paged  bool
	}{
		{"PAGER=sed 's/^/paged: /'", 24, true},
		{"PAGER=sed 's/^/paged: /'", 200, false},
		{"PAGER=", 24, false},
		{"PAGER=/nonexistent/pager", 24, false},
		{"PAGER=head -n 1 >/dev/null; echo paged: x; exit 3", 24, true},
	} {
		s := start(t, 80, c.height, []string{c.pager}, "help", "keys")
		if paged := s.appears("paged: "); paged != c.paged {
			t.Errorf("%s on %d lines: paged is %v", c.pager, c.height, paged)
		}
		if status := s.ends(); status != 0 {
			t.Errorf("%s: status %d", c.pager, status)
		}
	}
}
