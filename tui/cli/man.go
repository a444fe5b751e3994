package cli

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"cowscope/tui"
	"cowscope/vmspace/printable"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "the manual page, in the form that man reads",
		Long:  "man writes the manual page: the commands with their flags, and the chapters of cowscope help; or the page of one command.",
		Example: "  cowscope man | man -l -\n" +
			"  cowscope man > ~/.local/share/man/man1/cowscope.1\n" +
			"  cowscope man exec > ~/.local/share/man/man1/cowscope-exec.1",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return writeMan(stdout, c.Root())
			}
			for _, sub := range pages(c.Root()) {
				if sub.Name() == args[0] {
					return writeCommandMan(stdout, sub)
				}
			}
			return fmt.Errorf("no command is called %s", printable.Name(args[0]))
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return words(func() (out [][2]string) {
				for _, sub := range pages(c.Root()) {
					out = append(out, [2]string{sub.Name(), sub.Short})
				}
				return out
			})(c, args, word)
		},
	}
}

// page is a manual page being written, in the macros of man(7).
type page struct {
	*bufio.Writer
	began bool // a section, which has no paragraph yet
}

// title begins the page.
func (p *page) title(name, about string) {
	fmt.Fprintf(p, ".TH %s 1 %s \"cowscope %s\" \"User Commands\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), released, version, roff(name), roff(about))
}

// synopses writes how commands are called, a line for each.
func (p *page) synopses(of []*cobra.Command) {
	p.section("SYNOPSIS")
	for i, c := range of {
		if i > 0 {
			p.WriteString(".br\n")
		}
		fmt.Fprintf(p, ".B %s\n", roff(synopsis(c)))
	}
}

// writeMan writes the manual page of a command and all its subcommands.
func writeMan(w io.Writer, root *cobra.Command) error {
	p := &page{Writer: bufio.NewWriter(w)}
	p.title("cowscope", root.Short)
	all := pages(root)
	p.synopses(append([]*cobra.Command{root}, all...))
	p.section("DESCRIPTION")
	p.text(root.Long)
	p.flags(root)
	p.section("COMMANDS")
	for _, c := range all {
		p.command(c)
	}
	for _, t := range tui.Topics {
		sections, err := t.Sections()
		if err != nil {
			return err
		}
		p.section(strings.ToUpper(t.Name))
		for _, s := range sections {
			p.text(s.Heading)
			for _, e := range s.Entries {
				p.entry(e.Name, e.Text)
			}
		}
	}
	p.section("EXIT STATUS")
	for _, e := range []struct{ name, text string }{
		{"0", "All went well."},
		{"1", "An expectation of a script failed, or a process could not be read."},
		{"2", "A mistake on the command line or in a script, or a screen that cannot be used here."},
		{"3", "No subject can be started; cowscope doctor explains why."},
		{"128 and more", "128 plus the number of the signal that ended the program."},
	} {
		p.entry(e.name, e.text)
	}
	p.section("SEE ALSO")
	see := ""
	for _, c := range all {
		see += "cowscope-" + c.Name() + "(1), "
	}
	p.text(see + "mmap(2), mprotect(2), madvise(2), fork(2), proc_pid_maps(5), proc_pid_pagemap(5)")
	return p.Flush()
}

// writeCommandMan writes the manual page of a subcommand.
func writeCommandMan(w io.Writer, c *cobra.Command) error {
	p := &page{Writer: bufio.NewWriter(w)}
	p.title("cowscope-"+c.Name(), c.Short)
	p.synopses(append([]*cobra.Command{c}, c.Commands()...))
	p.section("DESCRIPTION")
	p.text(cmp.Or(c.Long, c.Short))
	for _, sub := range c.Commands() {
		p.entry(sub.CommandPath()+strings.TrimPrefix(sub.Use, sub.Name()), sub.Short)
	}
	if hasFlags(c) {
		p.section("OPTIONS")
		p.flags(c)
	}
	if c.Example != "" {
		p.section("EXAMPLES")
		fmt.Fprintf(p, ".EX\n%s\n.EE\n", roff(c.Example))
	}
	p.section("SEE ALSO")
	p.text("cowscope(1)")
	return p.Flush()
}

// pages are the subcommands that have a manual page.
func pages(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		if !isTopic(c) && !c.Hidden && c.Name() != "help" {
			all = append(all, c)
		}
	}
	return all
}

// isTopic reports whether a command is a chapter of the manual.
func isTopic(c *cobra.Command) bool {
	return slices.ContainsFunc(tui.Topics, func(t tui.Topic) bool { return t.Name == c.Name() })
}

// synopsis is the usage of a command.
func synopsis(c *cobra.Command) string {
	text := c.CommandPath()
	if _, args, ok := strings.Cut(c.Use, " "); ok {
		text += " " + args
	}
	if hasFlags(c) {
		text += " [FLAG…]"
	}
	return text
}

// hasFlags reports whether a command has a flag beside those that every command has.
func hasFlags(c *cobra.Command) (has bool) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) { has = has || f.Name != "help" && f.Name != "version" })
	return has
}

// command writes a command, its flags, and its subcommands.
func (p *page) command(c *cobra.Command) {
	fmt.Fprintf(p, ".SS %s\n", roff(synopsis(c)))
	p.began = true
	text := c.Long
	if text == "" {
		text = c.Short
	}
	p.text(text)
	p.flags(c)
	if c.Example != "" {
		fmt.Fprintf(p, ".PP\n.EX\n%s\n.EE\n", roff(c.Example))
	}
	for _, sub := range c.Commands() {
		p.entry(sub.CommandPath()+strings.TrimPrefix(sub.Use, sub.Name()), sub.Short)
	}
}

func (p *page) flags(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		kind, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		p.entry(name, text)
	})
}

func (p *page) section(name string) {
	fmt.Fprintf(p, ".SH %s\n", roff(name))
	p.began = true
}

func (p *page) text(text string) {
	if !p.began {
		p.WriteString(".PP\n")
	}
	p.began = false
	fmt.Fprintf(p, "%s\n", roff(text))
}

func (p *page) entry(name, text string) {
	p.began = false
	fmt.Fprintf(p, ".TP\n.B %s\n%s\n", roff(name), roff(text))
}

// roff escapes text for roff: nothing in it is a request, an escape or a hyphen that breaks a line
// (groff_char(7)).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
