//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Built as the README says, the program needs no other file to start, so that it starts on every Linux of
// its processor; and it is the same, byte by byte, whatever the folder is called.
func TestBuild(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || runtime.GOOS != "linux" {
		t.Skip("needs go: ", err)
	}
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err == nil {
		err = os.MkdirAll(strings.TrimSpace(string(cache)), 0o700)
	}
	if err != nil {
		t.Skip("needs a cache for go: ", err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^    CGO_ENABLED=0 (go build -trimpath) -o cowscope \.$`).FindSubmatch(readme)
	if command == nil {
		t.Fatal("the README does not say how to build it")
	}
	other := filepath.Join(t.TempDir(), "another name")
	err = filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != "." && strings.HasPrefix(e.Name(), "."):
			return map[bool]error{true: fs.SkipDir}[e.IsDir()]
		case e.IsDir():
			return os.MkdirAll(filepath.Join(other, path), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(other, path), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	var built [2][]byte
	for i, dir := range []string{".", other} {
		bin := filepath.Join(t.TempDir(), "cowscope")
		cmd := exec.Command("go", append(strings.Fields(string(command[1]))[1:], "-buildvcs=false", "-o", bin, ".")...) // the copy is in no clone
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if built[i], err = os.ReadFile(bin); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Error("built in another folder it is another program")
	}
	f, err := elf.NewFile(bytes.NewReader(built[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a segment %v: it needs libraries", p.Type)
		}
	}
}

// Only the command line makes a way to standard output and standard error, and the screen has its
// own.
func TestNothingElsePrints(t *testing.T) {
	allowed := map[string]int{
		"tui/cli/cli.go: os.Stdout":           1, // the two writers
		"tui/cli/cli.go: os.Stderr":           1,
		"tui/cli/pager.go: os.Stdout":         1, // the pager's, which shows a text of our own
		"tui/cli/pager.go: os.Stderr":         1,
		"tui/cli/run.go: os.Stdout":           1, // they are the program's that is run
		"tui/cli/run.go: os.Stderr":           1,
		"tui/terminal/terminal.go: os.Stdout": 1, // the screen
		"tui/terminal/terminal.go: os.Stderr": 1, // its last words, which are printable
		// Writes there are given up.
		"tui/terminal/unheard_linux.go: os.Stdout": 1,
		"tui/terminal/unheard_linux.go: os.Stderr": 1,
	}
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasSuffix(path, "test") { // the program has no package for tests
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		for _, way := range waysOut(f) {
			way.name = path + ": " + way.name
			if allowed[way.name]--; allowed[way.name] < 0 {
				t.Errorf("%s: %s: what a stranger wrote may go there; print through the writers of package cli", set.Position(way.at), way.name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range allowed {
		if n > 0 {
			t.Errorf("%s is allowed and not there", name)
		}
	}
}

// way is a place in the source that leads to the terminal.
type way struct {
	name string
	at   token.Pos
}

// waysOut finds them. Asking a file for its descriptor is none.
func waysOut(f *ast.File) (ways []way) {
	asked := map[ast.Node]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			if n.Path.Value == `"log"` || n.Path.Value == `"log/slog"` {
				ways = append(ways, way{n.Path.Value, n.Pos()})
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				ways = append(ways, way{f.Name, n.Pos()})
			}
		case *ast.SelectorExpr:
			if n.Sel.Name == "Fd" {
				asked[n.X] = true
			}
			x, ok := n.X.(*ast.Ident)
			if !ok || asked[n] {
				break
			}
			name := x.Name + "." + n.Sel.Name
			switch name {
			case "os.Stdout", "os.Stderr", "fmt.Print", "fmt.Printf", "fmt.Println", "syscall.Stdout", "syscall.Stderr", "tea.Println", "tea.Printf", "tea.Raw":
				ways = append(ways, way{name, n.Pos()})
			}
		}
		return true
	})
	return ways
}

// What the check above looks for, it finds.
func TestWaysOut(t *testing.T) {
	for body, want := range map[string]int{
		`os.Stdout.WriteString("")`: 1, `fmt.Fprintln(os.Stderr)`: 1, `fmt.Println()`: 1, `println()`: 1, `_ = os.Stdout.Fd()`: 0, `fmt.Fprintln(w)`: 0, `o.println()`: 0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {\n"+body+"\n}\n", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(waysOut(f)); got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
}

// rooms are the packages of the program, from the ground up: each may import only those before it.
var rooms = []struct{ path, holds string }{
	{"vmspace/printable", "text that no terminal obeys"},
	{"vmspace/amount", "numbers of things, as people write them"},
	{"vmspace", "an address space: mappings, pages, what differs, what an access leads to"},
	{"vmspace/compare", "what became of memory between two pictures"},
	{"vmspace/bill", "what a fork costs"},
	{"vmspace/procfs", "the texts of /proc, parsed"},
	{"vmspace/observe", "address spaces, read from /proc"},
	{"vmspace/symbol", "where in a program an address is"},
	{"vmspace/fault", "page faults of living processes, as perf events tell them"},
	{"assets", "lessons and demos, as files"},
	{"actions/output", "the one door through which files are written"},
	{"actions/lang", "the language: from a line to a command"},
	{"actions/history", "what happened, as plain data, with its JSON and its transcript"},
	{"actions/image", "programs of one page, and how they are executed"},
	{"actions/ptrace", "the requests of ptrace(2)"},
	{"actions/inject", "system calls that a stopped thread makes for somebody else"},
	{"actions/subject", "a process on a leash: ptrace, and the code that runs in it"},
	{"actions/scratch", "the files of a session"},
	{"actions/feature", "what this kernel, this processor and this user have"},
	{"actions/kernel", "what the kernel allows, and what differs from one to the next"},
	{"actions/family", "the processes of a session, their files, and what they may take"},
	{"actions/verdict", "what the memory of a process is, judged"},
	{"actions/explain", "what happened, and why, in sentences"},
	{"actions/verb", "what the language can do to a process"},
	{"actions/expect", "what a script can assert"},
	{"actions", "the session: its turn, its history, scripts"},
	{"actions/steady", "stand-ins for numbers that differ from run to run"},
	{"actions/saved", "a history in a file"},
	{"actions/borrow", "which pages a living process writes to, by a userfaultfd that it lends"},
	{"actions/watch", "a family of processes that is watched as it lives"},
	{"actions/trace", "a program that is run, stopped at its memory events"},
	{"actions/run", "a program that is run, as a history"},
	{"actions/why", "the facts that are judged by, read"},
	{"actions/lesson", "lessons: parsed, checked, played"},
	{"tui/cast", "recordings of a terminal"},
	{"tui/cell", "what a screen is drawn of: cells, their looks, pictures of them"},
	{"tui/prose", "Markdown, drawn in cells"},
	{"tui/pane", "the parts of the screen, drawn from one position in a history"},
	{"tui/guard", "who puts the terminal back if the program cannot"},
	{"tui/terminal", "a terminal that a screen is drawn on, and that is given back"},
	{"tui", "the screen"},
	{"tui/cli", "the command line"},
	{".", "the program"},
}

// pure are the rooms that work on data alone: they open no file, and ask the kernel nothing.
var pure = []string{"vmspace", "vmspace/amount", "vmspace/compare", "vmspace/bill", "actions/lang", "actions/history", "actions/explain", "actions/verdict", "actions/expect", "actions/steady", "tui/cell", "tui/prose", "tui/pane"}

// outside are the packages by which one reaches the system.
var outside = []string{"os", "os/exec", "net", "syscall", "golang.org/x/sys/unix"}

// TestRooms prints who imports whom, and fails where a package imports one that comes after it,
// or a pure one reaches outside.
func TestRooms(t *testing.T) {
	place := map[string]int{}
	for i, r := range rooms {
		place[r.path] = i
	}
	graph := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		dir := filepath.ToSlash(filepath.Dir(path))
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") {
			return err // packages whose name ends in test are for tests
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if _, ok := place[dir]; !ok {
			t.Errorf("%s is no room of the list", dir)
		}
		for _, imp := range f.Imports {
			of, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), "cowscope/")
			if slices.Contains(pure, dir) && slices.Contains(outside, of) {
				t.Errorf("%s imports %s: it should work on data alone", path, of)
			}
			if ours && !slices.Contains(graph[dir], of) {
				graph[dir] = append(graph[dir], of)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rooms {
		slices.SortFunc(graph[r.path], func(a, b string) int { return place[a] - place[b] })
		t.Logf("%-18s %s", r.path, strings.Join(graph[r.path], " "))
		for _, of := range graph[r.path] {
			if place[of] >= i {
				t.Errorf("%s imports %s, which comes after it", r.path, of)
			}
		}
	}
}
