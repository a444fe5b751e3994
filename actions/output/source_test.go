package output

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// makers are the calls that make, fill or rename a file, and those that do with some flags.
var (
	makers    = []string{"Create", "CreateTemp", "WriteFile", "Rename", "Renameat", "Renameat2", "Link", "Linkat", "Symlink", "Truncate", "Creat", "Mknod", "Mkdir", "MkdirAll", "MkdirTemp"}
	openers   = map[string]int{"OpenFile": 1, "Open": 1, "Openat": 2} // which argument has the flags
	onlyReads = []string{"os", "unix", "syscall", "O_RDONLY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "O_PATH"}
)

// elsewhere is what may write beside this package, and why.
var elsewhere = map[string]string{
	"actions/subject/gate_linux.go OpenFile":    "/dev/null, to probe with",
	"actions/image/image.go CreateTemp":         "the subject's executable, removed before it runs",
	"actions/subject/start_linux.go WriteFile":  "/proc",
	"actions/scratch/calls_linux.go Open":       "scratch files, which have no name",
	"actions/lesson/progress.go MkdirAll":       "a folder of cowscope's own",
	"actions/lesson/progress.go Rename":         "puts a damaged file aside",
	"tui/guard/guard_linux.go OpenFile":         "the terminal, opened again",
	"actions/subject/cgroup_linux.go MkdirTemp": "a cgroup, which the kernel makes of a directory",
	"actions/subject/cgroup_linux.go WriteFile": "the limits of a cgroup",
	"tui/run_demo.go MkdirAll":                  "a folder that is asked for",
	"tui/terminal/unheard_linux.go Open":        "the null device",
	"actions/run/compile.go MkdirTemp":          "a folder for a program that a demo or a lesson is about",
	"actions/run/compile.go WriteFile":          "its source, in that folder",
}

// Nothing else in the program makes files.
func TestOnlyDoor(t *testing.T) {
	root := filepath.Join("..", "..")
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		if err == nil && e.IsDir() && strings.HasSuffix(path, "test") { // the program has no package for tests
			return fs.SkipDir
		}
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.ToSlash(filepath.Dir(rel)) == "actions/output" {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok || pkg.Name != "os" && pkg.Name != "unix" && pkg.Name != "syscall" {
				return true
			}
			if makes(sel.Sel.Name, call.Args) {
				used[rel+" "+sel.Sel.Name] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for at := range used {
		if elsewhere[at] == "" {
			t.Errorf("%s: files are made by package output, whose rules say how", at)
		}
	}
	for at := range elsewhere {
		if !used[at] {
			t.Errorf("%s is an exception that nothing needs", at)
		}
	}
}

func makes(name string, args []ast.Expr) bool {
	if slices.Contains(makers, name) {
		return true
	}
	at, opens := openers[name]
	if !opens || at >= len(args) { // os.Open has none
		return false
	}
	writes := false
	ast.Inspect(args[at], func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !slices.Contains(onlyReads, id.Name) {
			writes = true
		}
		return true
	})
	return writes
}
