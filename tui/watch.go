package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"cowscope/actions/lang"
	"cowscope/actions/watch"
	"cowscope/tui/terminal"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
)

// RunWatch shows a living process and those that it has started until the user quits. The process
// is given by its number or its name; without either, or where several have that name, the user
// chooses.
func RunWatch(target string, o LabOptions) error {
	if err := needLinux("watch"); err != nil {
		return err
	}
	if err := needScreen("watch", o.ScreenOptions); err != nil {
		return err
	}
	pid, err := processOf(target, o.pick)
	if pid == 0 {
		return err
	}
	return o.open("watch", func() (lab, error) { return watch.Open(context.Background(), pid) })
}

// StreamWatch writes to o.Out a line of JSON for every picture of a living family that differs,
// until the process ends, or this one is told to (SIGINT, SIGTERM), or nobody reads any more
// (SIGPIPE).
func StreamWatch(target string, o LabOptions) error {
	if err := needLinux("watch"); err != nil {
		return err
	}
	pid, err := processOf(target, func(string) (int, error) {
		return 0, fmt.Errorf("which process? with --json it is given by its number, or by a name that one family has")
	})
	if pid == 0 {
		return err
	}
	ctx, stop := terminal.Until(os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	l, err := watch.Open(ctx, pid)
	if err != nil {
		return err
	}
	defer l.Close()
	if err = l.Stream(ctx, o.Out, pollEvery); errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// processOf is the number of a process that is given by it, or by a name; 0 where there is none.
// choose lets the user choose among several of that name.
func processOf(target string, choose func(name string) (int, error)) (int, error) {
	pid, err := strconv.Atoi(target)
	switch {
	case err != nil:
		return find(target, choose)
	case pid <= 0:
		return 0, fmt.Errorf("%q is no process id: a whole number above 0 is", target)
	}
	return pid, nil
}

// find finds the one process, or the one family, of that name; the user chooses among several. It
// is 0 where there is none, or none was chosen.
func find(name string, choose func(string) (int, error)) (pid int, err error) {
	if name == "" {
		return choose("")
	}
	found, err := Named(name)
	if len(found) > 1 {
		return choose(name)
	}
	return append(found, 0)[0], err
}

// Named are the numbers of the processes of that name, or whose program has it; of a family the
// oldest alone. That there is none is an error.
func Named(name string) (pids []int, err error) {
	all := procfs.Processes()
	for _, p := range named(all, name) {
		pids = append(pids, p.PID)
	}
	if len(pids) > 0 {
		return pids, nil
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	hint := "cowscope watch alone lists them"
	if near := lang.Nearest(name, names); near != "" {
		hint = "did you mean " + printable.Name(near) + "?"
	}
	return nil, fmt.Errorf("no process is called %q; %s", name, hint)
}

// named are the processes of that name, or whose program has it; of a family the oldest alone.
func named(all []procfs.Listed, name string) []procfs.Listed {
	is := func(p procfs.Listed) bool {
		program, _, _ := strings.Cut(p.Args, " ")
		return p.PID != os.Getpid() && (p.Name == name || filepath.Base(program) == name)
	}
	parent := map[int]procfs.Listed{}
	for _, p := range all {
		parent[p.PID] = p
	}
	return slices.DeleteFunc(slices.Clone(all), func(p procfs.Listed) bool {
		if !is(p) {
			return true
		}
		for up, ok := parent[p.Parent]; ok && up.PID != up.Parent; up, ok = parent[up.Parent] {
			if is(up) {
				return true
			}
		}
		return false
	})
}
