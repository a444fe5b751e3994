package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"cowscope/actions"
	"cowscope/actions/lesson"
	"cowscope/tui"
	"cowscope/tui/terminal"
	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
)

func lessonCommand() *cobra.Command {
	var o tui.LabOptions
	var language string
	c := &cobra.Command{
		Use:   "lesson [NAME|FILE.md]",
		Short: "a walkthrough on the live kernel: text beside the lab",
		Long: "lesson opens a lesson: a built-in one, by its name, or your own, by its file. Without a name it continues where you\n" +
			"left off. Exit status: 0; 2 if there is no such lesson or its file has a mistake; 3 if no subject can be started.",
		Example: "  cowscope lesson list\n" +
			"  cowscope lesson check one-page\n" +
			"  cowscope lesson new my-lesson && cowscope lesson check my-lesson.md",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, progress, err := openLesson(language, args)
			if err != nil {
				return err
			}
			return tui.RunLesson(l, progress, o)
		},
	}
	c.ValidArgsFunction = lessonNames(&language)
	sessionFlags(c.Flags(), &o.Options)
	screenFlags(c.Flags(), &o.ScreenOptions)
	outputFlags(c.Flags(), &o.Output)
	c.Flags().StringVar(&o.Save, "save", "", saveHelp)
	o.Program = version
	c.PersistentFlags().BoolVar(&o.AllowProgram, "allow-program", false, allowProgramHelp)
	c.PersistentFlags().StringVar(&language, "language", lesson.Language(os.Getenv), "`LANGUAGE` of the lessons: en or zh-CN")
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "the lessons in the order in which they build on each other", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				told, err := lesson.WriteList(stdout, language, progressOrNone(), term.IsTerminal(os.Stdout.Fd()))
				if told != "" {
					fmt.Fprintln(stderr, "cowscope: "+told)
				}
				return err
			}},
		&cobra.Command{Use: "check [NAME|FILE.md…]", Short: "run lessons without a screen on this kernel and check every claim", ValidArgsFunction: lessonNames(&language),
			RunE: func(_ *cobra.Command, args []string) error {
				return checkLessons(language, args, actions.Options{AllowProgram: o.AllowProgram})
			}},
		&cobra.Command{Use: "new NAME", Short: "write NAME.md, a small lesson to start from", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return newLesson(args[0]) }},
		&cobra.Command{Use: "format", Short: "how a lesson is written, for authors", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := io.WriteString(stdout, lesson.Format)
				return err
			}})
	return c
}

// progressOrNone returns the progress file, nil if there is no place for it.
func progressOrNone() *lesson.Progress {
	file, err := lesson.ProgressFile()
	if err != nil {
		return nil
	}
	return lesson.ProgressAt(file)
}

// openLesson opens the lesson that the arguments name; without a name, the first that is not done.
func openLesson(language string, args []string) (*lesson.Lesson, *lesson.Progress, error) {
	progress := progressOrNone()
	if len(args) == 0 {
		name, err := lesson.NextOf(language, progress)
		if err != nil {
			return nil, nil, err
		}
		args = []string{name}
	}
	l, err := lesson.Find(language, args[0])
	if err != nil {
		return nil, nil, err
	}
	if why, err := l.Missing(); err != nil || why != "" {
		return nil, nil, errors.Join(err, fmt.Errorf("%s cannot run here: %s", printable.Name(args[0]), why))
	}
	return l, progress, nil
}

func checkLessons(language string, names []string, o actions.Options) error {
	ctx, stop := terminal.Interruptible()
	defer stop()
	problems, err := lesson.CheckAll(ctx, stdout, language, names, o)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil && problems > 0 {
		err = statusError{exitFailed, fmt.Errorf("%d claims of the lessons do not hold here", problems)}
	}
	return err
}

func newLesson(name string) error {
	file, err := lesson.Create(name)
	if err == nil {
		file = printable.Name(file)
		fmt.Fprintf(stdout, "%s is a lesson that passes the check: cowscope lesson %s opens it, cowscope lesson check %s checks it\n", file, file, file)
	}
	return err
}
