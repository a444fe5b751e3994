package actions

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A suite is a folder of scripts named after the tests of somebody else, and a README.md with a
// table of all of these: which of them a script says, and why the others are not said.

// suite is the README.md of a suite.
type suite struct {
	claimed [4]int            // tests, said, partly, not: as the head has it
	counted [4]int            // as the rows are
	of      map[string]string // a test's name: said, partly or not
	reasons map[string]int    // how many tests have a reason, as its row claims
	used    map[string]int    // as the rows of tests are
}

var suiteHead = regexp.MustCompile(`^\*\*(\d+) tests: (\d+) said, (\d+) partly, (\d+) not\.\*\*$`)

// readSuite reads the tables of a README.md: a row of the first is a reason, how many tests have
// it, and what it means; one of the second is a test, said, partly or not, and the reason.
func readSuite(text string) (*suite, error) {
	s := &suite{of: map[string]string{}, reasons: map[string]int{}, used: map[string]int{}}
	table := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := suiteHead.FindStringSubmatch(line); m != nil {
			for i := range s.claimed {
				s.claimed[i], _ = strconv.Atoi(m[i+1])
			}
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 3 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if strings.HasPrefix(cells[0], "---") {
			table++
			continue
		}
		var err error
		switch {
		case cells[2] == "" && cells[1] != "said":
			err = fmt.Errorf("no reason: %s", line)
		case table == 1 && cells[0] != "test":
			s.reasons[cells[0]], err = strconv.Atoi(cells[1])
		case table == 2:
			err = s.row(path.Base(cells[0]), cells[1], cells[2])
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// row counts a test.
func (s *suite) row(name, said, reason string) error {
	i := slices.Index([]string{"said", "partly", "not"}, said)
	switch {
	case i < 0:
		return fmt.Errorf("%s is %s", name, said)
	case s.of[name] != "":
		return fmt.Errorf("%s is there twice", name)
	case (said == "said") != (reason == ""):
		return fmt.Errorf("%s is %s, and the reason is %q", name, said, reason)
	}
	s.of[name] = said
	s.counted[0]++
	s.counted[i+1]++
	if reason != "" {
		s.used[reason]++
	}
	return nil
}

// Every test that a suite says has its script, every script is a test of it, and the numbers are
// those of the rows.
func TestSuiteTables(t *testing.T) {
	for _, dir := range suites(t) {
		b, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := readSuite(string(b))
		if err != nil {
			t.Fatalf("%s: %v", dir, err)
		}
		if s.claimed != s.counted {
			t.Errorf("%s: the head claims %v, the rows are %v: tests, said, partly, not", dir, s.claimed, s.counted)
		}
		if !maps.Equal(s.reasons, s.used) {
			t.Errorf("%s: the reasons claim\n%v, the rows have\n%v", dir, s.reasons, s.used)
		}
		scripts := map[string]bool{}
		for _, f := range scriptsIn(t, dir) {
			name := strings.TrimSuffix(filepath.Base(f), ".cow")
			scripts[name] = true
			if s.of[name] != "said" && s.of[name] != "partly" {
				t.Errorf("%s: there is a script, and the table has %q", f, s.of[name])
			}
		}
		for name, said := range s.of {
			if said != "not" && !scripts[name] {
				t.Errorf("%s: %s is %s, and there is no script", dir, name, said)
			}
		}
	}
}

// Every script of every suite says what it tests, asserts something, and holds here, or names the
// feature that is missing.
func TestSuiteScripts(t *testing.T) {
	for _, dir := range suites(t) {
		for _, f := range scriptsIn(t, dir) {
			t.Run(strings.TrimSuffix(filepath.Base(f), ".cow"), func(t *testing.T) {
				text := holds(t, f)
				if !strings.HasPrefix(text, "# ") || !strings.Contains(text, "\nexpect ") {
					t.Error("a script begins with a line of what it tests, and asserts it")
				}
			})
		}
	}
}

// suites are the folders of the suites.
func suites(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/suites/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	return dirs
}

// scriptsIn are the scripts of a folder.
func scriptsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.cow"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return files
}

// Of a table that is wrong, it is told what is.
func TestSuiteTableMistakes(t *testing.T) {
	const head = "**2 tests: 1 said, 0 partly, 1 not.**\n| reason | tests | why |\n|---|---|---|\n| io | 1 | read |\n\n| test | said | reason |\n|---|---|---|\n"
	for rows, want := range map[string]string{
		"| a/x | said | |\n| a/y | not | io |\n":    "",
		"| a/x | said | io |\n":                     "the reason is",
		"| a/x | not | |\n":                         "no reason",
		"| a/x | said | |\n| b/x | not | io |\n":    "twice",
		"| a/x | never | io |\n":                    "never",
		"| a/x | partly | io |\n| a/y | said | |\n": "",
	} {
		s, err := readSuite(head + rows)
		if err == nil != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", rows, err)
		}
		if err == nil && (s.claimed != [4]int{2, 1, 0, 1} || (s.claimed == s.counted) != strings.Contains(rows, "not") || !maps.Equal(s.reasons, s.used)) {
			t.Errorf("%q: %+v", rows, s)
		}
	}
}
