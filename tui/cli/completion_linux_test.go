package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What is offered for the words before the cursor, without what it stands for.
func offered(t *testing.T, words ...string) []string {
	t.Helper()
	var out []string
	text := said(t, "", nil, append([]string{"__complete"}, words...)...)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ":") {
			return out
		}
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		out = append(out, word)
	}
	t.Fatalf("%q: %q", words, text)
	return nil
}

func TestCompletion(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		words []string
		want  string // one that is offered
		not   string // one that is not
	}{
		{[]string{""}, "watch", "fork"},
		{[]string{"les"}, "lesson", "lab"},
		{[]string{"lesson", ""}, "one-page", "cow"},
		{[]string{"lesson", "one-page", ""}, "", "one-page"},
		{[]string{"lesson", "check", "one-page", ""}, "messages", ""},
		{[]string{"lesson", "--language", ""}, "zh-CN", "one-page"},
		{[]string{"demo", ""}, "cow", "one-page"},
		{[]string{"watch", self[:1]}, self, ""},
		{[]string{"snapshot", self}, self, ""},
		{[]string{"run", "-p", self[:1]}, self, ""},
		{[]string{"run", "-p", "cli"}, "", self},
		{[]string{"snapshot", self, ""}, "", self},
		{[]string{"exec", "-c", "mm"}, "mmap", "munmap"},
		{[]string{"exec", "-c", "mmap 4p r"}, "mmap 4p rw", "mmap 4p none"},
		{[]string{"exec", "--command", "needs uf"}, "needs uffd-wp", "needs frames"},
		{[]string{"exec", "-c", "write a \"un"}, "", ""},
		{[]string{"exec", ""}, "cow", "mmap"}, // the ending of files
		{[]string{"--theme", ""}, "light", "en"},
		{[]string{"replay", "--l"}, "--list", "--json"},
		{[]string{"completion", ""}, "fish", ""},
		{[]string{"completion", "bash", ""}, "", "zsh"},
	} {
		got := offered(t, c.words...)
		if c.want != "" && !slices.Contains(got, c.want) || c.not != "" && slices.Contains(got, c.not) {
			t.Errorf("%q: %q, want %q and not %q", c.words, got, c.want, c.not)
		}
	}
}

// A process's name may be anything: what a shell could find more in than a name is not offered.
func TestCompletionOfStrangers(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "$(id)\x1b[2J") // after which the kernel calls it
	if err := os.Symlink(sleep, name); err != nil {
		t.Fatal(err)
	}
	c := &exec.Cmd{Path: name, Args: []string{"sleep", "60"}}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	if got := offered(t, "watch", "$"); len(got) > 0 {
		t.Errorf("%q", got)
	}
	text := said(t, "", nil, "__complete", "watch", strconv.Itoa(c.Process.Pid))
	if strings.Contains(text, "\x1b") || !strings.HasPrefix(text, strconv.Itoa(c.Process.Pid)+"\t") {
		t.Errorf("%q", text)
	}
}

// Each shell loads its script and completes with it.
func TestCompletionInShells(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "cowscope")); err != nil {
		t.Fatal(err)
	}
	for shell, script := range map[string]string{
		"bash": `. /usr/share/bash-completion/bash_completion || { echo needs bash-completion; exit 9; }
			source <(cowscope completion bash); COMP_WORDS=(cowscope lesson one-p) COMP_CWORD=2 COMP_LINE="cowscope lesson one-p" COMP_POINT=21 COMP_TYPE=9; __start_cowscope; echo "${COMPREPLY[0]}"`,
		"fish": `cowscope completion fish | source; complete -C "cowscope lesson one-p"`,
		"zsh":  `autoload -U compinit; compinit -u -D; source <(cowscope completion zsh); print $+functions[_cowscope]; cowscope __complete lesson one-p`,
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("needs %s: %v", shell, err)
			}
			c := exec.Command(path, "-c", script)
			c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "COWSCOPE_ROLE=cowscope", "ZDOTDIR="+dir)
			c.SysProcAttr = &unix.SysProcAttr{Setsid: true}
			out, err := c.CombinedOutput()
			if strings.Contains(string(out), "needs bash-completion") {
				t.Skip("needs bash-completion")
			}
			if err != nil || !strings.Contains(string(out), "one-page") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
