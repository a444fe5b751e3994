package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"cowscope/actions"
	"cowscope/actions/lang"
	"cowscope/vmspace"
	"cowscope/vmspace/compare"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
)

// snapshotOptions are what the flags say.
type snapshotOptions struct {
	pages, json, children, diff, bill bool
	min                               quantityFlag
}

func snapshotCommand() *cobra.Command {
	var o snapshotOptions
	c := &cobra.Command{
		Use:   "snapshot PID | --diff A B",
		Short: "mappings and page states of any process, once; or what differs between two",
		Long: "snapshot reads a process, unstopped, and writes a line for each mapping: addresses, letters, kind, pages, how many are in which state, path.\n" +
			"With --children its descendants follow, parents first. With --diff, A and B are processes, or files that snapshot --json wrote: mappings of the same\n" +
			"process are paired by address, those of different ones by path and letters; the largest change comes first.\n" +
			"--bill writes what forks cost instead: how much each child with --children shares with its parent and what is left to copy, and what another\n" +
			"fork would share and cost. One look does not tell who copied what is apart: the watch command does, whose key B shows the same.\n" +
			"Exit status: 0; 1 when a process could not be read. With --diff, as diff(1) has it: 0 when nothing differs, or less than --min says; 1 when something\n" +
			"does; 2 when A or B cannot be read.",
		Example: "  cowscope snapshot $$\n" +
			"  cowscope snapshot --children --bill $$\n" +
			"  cowscope snapshot --json --children $$ > before.json\n" +
			"  cowscope snapshot --diff before.json $$ --children --min 1m",
		Args: func(c *cobra.Command, args []string) error {
			if o.diff {
				return cobra.ExactArgs(2)(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case o.bill && (o.diff || o.pages):
				return errors.New("--bill excludes --pages and --diff: it has sums alone")
			case o.diff && o.pages:
				return errors.New("--pages and --diff exclude each other: a difference has no runs of pages")
			case o.pages && o.json:
				return errors.New("--pages and --json exclude each other: JSON has the pages anyway")
			case c.Flags().Changed("min") && !o.diff:
				return errors.New("--min is about differences: it needs --diff")
			case o.diff:
				return difference(args[0], args[1], o)
			}
			pid, err := parsePID(args[0])
			if err != nil {
				return err
			}
			if o.bill {
				return writeBill(pid, o)
			}
			return snapshot(pid, o)
		},
	}
	c.ValidArgsFunction = processes()
	f := c.Flags()
	f.BoolVar(&o.pages, "pages", false, "write a line for each run of pages that are alike")
	f.BoolVar(&o.json, "json", false, "write JSON")
	f.BoolVar(&o.children, "children", false, "the processes that it has started, too, and those that they have")
	f.BoolVar(&o.bill, "bill", false, "what forks cost: shared, copied, left to copy; and what another fork would")
	f.BoolVar(&o.diff, "diff", false, "what differs between two processes, or files of --json")
	f.Var(&o.min, "min", "leave out of a difference what changed in less than that: 64k, 1m")
	return c
}

// quantityFlag is a number of bytes in the language's units.
type quantityFlag uint64

func (q *quantityFlag) String() string {
	if *q == 0 {
		return ""
	}
	return fmt.Sprint(uint64(*q))
}
func (q *quantityFlag) Type() string { return "Q" }
func (q *quantityFlag) Set(text string) error {
	n, err := lang.ParseQuantity(text, uint64(os.Getpagesize()))
	*q = quantityFlag(n)
	return err
}

func snapshot(pid int, o snapshotOptions) error {
	r, err := observe.NewReader(observe.Options{Gentle: true})
	if err != nil {
		return err
	}
	defer r.Close()
	size := uint64(os.Getpagesize())
	to := vmspace.NewTable(stdout, size, terminalWidth())
	switch {
	case o.json:
		to = vmspace.NewJSON(stdout, size, r.Features().Frames, nil)
	case o.pages:
		to = vmspace.NewText(stdout, size)
	}
	cost, err := streamFamily(r, membersOf(pid, o.children), to)
	if err != nil {
		return statusError{exitFailed, err}
	}
	if !o.json {
		fmt.Fprintln(stdout, cost)
	}
	return nil
}

// terminalWidth is how many cells a line of standard output has; 0 where that is no terminal.
func terminalWidth() int {
	if !term.IsTerminal(os.Stdout.Fd()) {
		return 0
	}
	w, _, err := term.GetSize(os.Stdout.Fd())
	if err != nil || w <= 0 {
		return 80
	}
	return w
}

// membersOf is a process, with its descendants if they are wanted.
func membersOf(pid int, children bool) []vmspace.Member {
	if children {
		return actions.FamilyOf(pid)
	}
	return []vmspace.Member{{Label: "p1", PID: pid}}
}

// streamFamily gives every process to a sink, one after the other, and closes it. That the first
// cannot be read is an error; of another the snapshot says so, and standard error.
func streamFamily(r *observe.Reader, members []vmspace.Member, to vmspace.Sink) (cost observe.Cost, err error) {
	for i, m := range members {
		part := &part{Sink: to}
		err = r.Stream(context.Background(), m, part)
		cost.Add(r.Cost())
		if err == nil {
			continue
		}
		err = fmt.Errorf("process %d cannot be read: %w", m.PID, err)
		if i == 0 {
			break
		}
		fmt.Fprintln(stderr, "cowscope:", err)
		if err = part.abandon(m, errors.Unwrap(err)); err != nil {
			break
		}
	}
	return cost, errors.Join(err, to.Close(err != nil))
}

// part is a sink for one process of several.
type part struct {
	vmspace.Sink
	begun, ended bool
	end          uint64 // of the last mapping that was given
}

func (p *part) Process(q *vmspace.Process) error {
	p.begun = true
	return p.Sink.Process(q)
}

func (p *part) Pages(m *vmspace.Mapping, runs []vmspace.Run) error {
	p.end = m.End
	return p.Sink.Pages(m, runs)
}

func (p *part) End(changed []vmspace.Range) error {
	p.ended = true
	return p.Sink.End(changed)
}

// Close does nothing: another process follows.
func (p *part) Close(bool) error { return nil }

// abandon ends a process that could not be read to its end.
func (p *part) abandon(m vmspace.Member, why error) error {
	switch {
	case p.ended:
		return nil
	case p.begun:
		return p.Sink.End([]vmspace.Range{{Start: p.end, End: vmspace.Everything.End}})
	}
	return errors.Join(p.Sink.Process(&vmspace.Process{Member: m, State: vmspace.Gone, Err: why.Error()}), p.Sink.End(nil))
}

// errDiffers says with the exit status alone that something differs.
var errDiffers = statusError{exitFailed, nil}

// difference writes what became of the memory between two pictures.
func difference(a, b string, o snapshotOptions) error {
	before, err := sideOf(a, o.children)
	if err != nil {
		return err
	}
	after, err := sideOf(b, o.children)
	if err != nil {
		return err
	}
	d, err := compare.Compare(before, after, uint64(o.min))
	if err != nil {
		return err
	}
	write := d.WriteText
	if o.json {
		write = d.WriteJSON
	}
	if err := write(stdout); err != nil {
		return err
	}
	if d.Differs() {
		return errDiffers
	}
	return nil
}

// sideOf reads what is compared: a process where the name is a number, or else a file.
func sideOf(name string, children bool) (*compare.Side, error) {
	size := uint64(os.Getpagesize())
	if pid, err := parsePID(name); err == nil {
		r, err := observe.NewReader(observe.Options{Gentle: true})
		if err != nil {
			return nil, err
		}
		defer r.Close()
		s := compare.NewSide(size)
		_, err = streamFamily(r, membersOf(pid, children), s)
		return s, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, printable.Error(err)
	}
	defer f.Close()
	return compare.Read(printable.Name(name), f, size)
}
