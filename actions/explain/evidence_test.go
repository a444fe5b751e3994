package explain

import "testing"

func TestParseAccessMode(t *testing.T) {
	for text, want := range map[string][2]bool{
		"pos:\t0\nflags:\t0100000\nmnt_id:\t1\n": {true, false},
		"pos:\t0\nflags:\t0100001\n":             {false, true},
		"pos:\t0\nflags:\t02100002\n":            {true, true},
		"pos:\t0\nflags:\t9\n":                   {false, false},
		"":                                       {false, false},
	} {
		if r, w := parseAccessMode(text); [2]bool{r, w} != want {
			t.Errorf("%q: read %v, write %v", text, r, w)
		}
	}
}
