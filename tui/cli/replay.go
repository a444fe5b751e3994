package cli

import (
	"errors"
	"io"

	"cowscope/actions/saved"
	"cowscope/tui"

	"github.com/spf13/cobra"
)

func replayCommand() *cobra.Command {
	var o tui.ScreenOptions
	var list, json, format bool
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "walk through a saved session, on any system",
		Long: "replay shows a session that was saved with --save: [ and ] step back and forward.\n" +
			"It needs neither Linux nor root. A damaged file is shown up to the damage.\n" +
			"Exit status: 0; 1 if the file is damaged and --list or --json wrote the part before the damage; 2 if it cannot be read at all.",
		Example: "  cowscope exec --save walk.jsonl story.cow\n" +
			"  cowscope replay --list walk.jsonl\n" +
			"  cowscope replay --json walk.jsonl",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format {
				_, err := io.WriteString(stdout, saved.Format)
				return err
			}
			if len(args) == 0 {
				return errors.New("replay needs the FILE of a saved session")
			}
			return replay(args[0], o, list, json)
		},
	}
	c.ValidArgsFunction = endings("jsonl")
	screenFlags(c.Flags(), &o)
	c.Flags().BoolVar(&list, "list", false, "write one line for each step, and draw no screen")
	c.Flags().BoolVar(&json, "json", false, "write one JSON object for each step, as exec --json does")
	c.Flags().BoolVar(&format, "format", false, "describe the format of the file")
	return c
}

func replay(name string, o tui.ScreenOptions, list, json bool) error {
	rec, damage := saved.Open(name)
	if rec == nil {
		return damage
	}
	var err error
	switch {
	case json:
		err = rec.WriteJSON(stdout)
	case list:
		err = rec.WriteList(stdout)
	case damage != nil:
		return tui.RunReplay(rec, o, damage.Error())
	default:
		return tui.RunReplay(rec, o, "")
	}
	if err := errors.Join(err, damage); err != nil {
		return statusError{exitFailed, err}
	}
	return nil
}
