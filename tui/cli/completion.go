package cli

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"cowscope/actions"
	"cowscope/actions/lang"
	"cowscope/actions/lesson"
	"cowscope/tui"
	"cowscope/tui/cast"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Completion by a shell. The scripts are cobra's: they call cowscope's hidden command __complete with
// the words before the cursor, and offer what it writes.

// shells are those for which there is a script, and how each loads it.
var shells = []struct {
	name  string
	load  string
	write func(*cobra.Command) error
}{
	{"bash", "source <(cowscope completion bash)", func(c *cobra.Command) error { return c.GenBashCompletionV2(stdout, true) }},
	{"zsh", "cowscope completion zsh > \"${fpath[1]}/_cowscope\"", func(c *cobra.Command) error { return c.GenZshCompletion(stdout) }},
	{"fish", "cowscope completion fish > ~/.config/fish/completions/cowscope.fish", func(c *cobra.Command) error { return c.GenFishCompletion(stdout, true) }},
	{"powershell", "cowscope completion powershell | Out-String | Invoke-Expression", func(c *cobra.Command) error { return c.GenPowerShellCompletionWithDesc(stdout) }},
}

func completionCommand() *cobra.Command {
	var names, examples []string
	for _, s := range shells {
		names = append(names, s.name)
		examples = append(examples, "  "+s.load)
	}
	return &cobra.Command{
		Use:       "completion " + strings.Join(names, "|"),
		Short:     "a script with which a shell completes cowscope's command lines",
		Long:      "completion writes a script for a shell. It completes commands, flags, lessons, demos, processes, files, and the lines of exec -c.",
		Example:   strings.Join(examples, "\n"),
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: names,
		RunE: func(c *cobra.Command, args []string) error {
			i := slices.Index(names, args[0])
			return shells[i].write(c.Root())
		},
	}
}

// completing reports whether these are the arguments of the hidden command, and whether it may have them. Cobra reports mistakes past
// our writers, so that what cannot be printed is not passed on, and it appends to a file that a variable
// names.
func completing(args []string) (asked, fit bool) {
	if len(args) == 0 || args[0] != cobra.ShellCompRequestCmd && args[0] != cobra.ShellCompNoDescRequestCmd {
		return false, false
	}
	_ = os.Unsetenv("BASH_COMP_DEBUG_FILE")
	return true, !slices.ContainsFunc(args, func(a string) bool { return printable.Line(a) != a })
}

// completer lists what may stand at the cursor.
type completer = cobra.CompletionFunc

// words completes arguments by the names that list gives, each with what it stands for. A file may
// stand there too.
func words(list func() [][2]string) completer {
	return func(c *cobra.Command, args []string, word string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
		if c.Args != nil && c.Args(c, append(slices.Clone(args), word)) != nil { // one too many
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, n := range list() {
			if strings.HasPrefix(n[0], word) {
				out = append(out, cobra.CompletionWithDesc(printable.Line(n[0]), printable.Line(n[1])))
			}
		}
		return out, cobra.ShellCompDirectiveDefault
	}
}

// lessonNames are the lessons in a language.
func lessonNames(language *string) completer {
	return words(func() (out [][2]string) {
		all, _ := lesson.List()
		for _, e := range all[*language] {
			out = append(out, [2]string{e.Name, e.Title})
		}
		return out
	})
}

// demoNames are the demos.
func demoNames() completer {
	return words(func() (out [][2]string) {
		all, _ := tui.Demos()
		for _, d := range all {
			out = append(out, [2]string{d.Name, d.Title})
		}
		return out
	})
}

// processes are those whose memory this user may read: their PIDs, or their names where the word at the
// cursor is none.
func processes() completer {
	return func(_ *cobra.Command, args []string, word string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		all := slices.DeleteFunc(procfs.Processes(), func(p procfs.Listed) bool { return p.PID == os.Getpid() || !p.Readable })
		slices.SortStableFunc(all, func(a, b procfs.Listed) int { return cmp.Compare(b.RSS, a.RSS) })
		_, notPID := strconv.Atoi(cmp.Or(word, "0"))
		pids := map[string][]string{}
		for _, p := range all {
			pid, name := strconv.Itoa(p.PID), printable.Line(p.Name)
			if notPID == nil && strings.HasPrefix(pid, word) {
				out = append(out, cobra.CompletionWithDesc(pid, name))
			}
			pids[name] = append(pids[name], pid)
		}
		if notPID != nil {
			for _, name := range slices.Sorted(maps.Keys(pids)) {
				if strings.HasPrefix(name, word) && plain(name) {
					out = append(out, cobra.CompletionWithDesc(name, "process "+strings.Join(pids[name], ", ")))
				}
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// pids are those of the processes, for a flag that takes no name.
func pids(c *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if _, err := strconv.Atoi(cmp.Or(word, "0")); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return processes()(c, nil, word)
}

// plain reports whether no shell finds anything in a name but the name: a process can call itself what it
// likes.
func plain(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.:+-", r)
	})
}

// endings completes files with these endings.
func endings(of ...string) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return of, cobra.ShellCompDirectiveFilterFileExt
	}
}

// line completes a line of the command language, of which the shell knows one word: the whole line.
func line(_ *cobra.Command, _ []string, text string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
	g, err := actions.Grammar()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	for _, c := range g.Complete(text, len([]rune(text)), lang.Env{}) {
		whole := string([]rune(text)[:c.Start]) + c.Text
		out = append(out, cobra.CompletionWithDesc(whole, c.Help))
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// flagValues complete the values of flags, by name. Of any other one, the value is a file, or cannot be
// known.
var flagValues = map[string]completer{
	"theme":        values("dark", "light"),
	"language":     values("en", "zh-CN"),
	"cast-version": values(castVersions()...),
	"command":      line,
	"pid":          pids,
	"script":       endings("cow"),
	"from":         endings("jsonl"),
	"record-dir": func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	},
	"size":          values(),
	"min":           values(),
	"until":         values(),
	"max-memory":    values(),
	"max-processes": values(),
	"max-time":      values(),
}

// values are the words that a flag may have.
func values(of ...string) completer {
	return cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)
}

func castVersions() (out []string) {
	for _, v := range cast.Versions {
		out = append(out, strconv.Itoa(v))
	}
	return out
}

// completeFlags completes the flags of a command and its subcommands.
func completeFlags(c *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{c.Flags(), c.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if by := flagValues[f.Name]; by != nil {
				if err := c.RegisterFlagCompletionFunc(f.Name, by); err != nil {
					panic(fmt.Sprintf("cli: --%s: %v", f.Name, err)) // twice
				}
			}
		})
	}
	for _, sub := range c.Commands() {
		completeFlags(sub)
	}
}
