package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/family"
	"cowscope/actions/feature/machinetest"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// Random commands, held against the kernel. After each: what happened was predicted, the snapshot
// is what an independent and deliberately simple reader sees, and the changes lead from the
// snapshot before to the one after. What fails is shrunk to a script for `cowscope exec`.

// maxFamily bounds the processes of a random session.
const maxFamily = 4

func TestRandomCommands(t *testing.T) {
	ran := 0
	defer func() { t.Log(ran, "commands") }()
	machinetest.Hold(t) // commands advise that pages be merged and swapped out
	rapid.Check(t, func(t *rapid.T) {
		draw, brief := drawLine, rapid.Bool().Draw(t, "brief")
		if brief {
			draw = drawPlainLine
		}
		s, err := Open(Options{Brief: brief, Glance: brief, Limits: family.Limits{Memory: 256 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ran += randomLines(t, s, rapid.IntRange(20, 60).Draw(t, "commands"), brief, draw)
	})
}

// randomLines runs that many commands of a session, those of setup first, and holds each against
// the kernel; it returns how many ran.
func randomLines(t *rapid.T, s *Session, commands int, brief bool, draw func(*rapid.T, *Session) string, setup ...string) (ran int) {
	var script []string
	for i := range commands + len(setup) {
		line := ""
		if i < len(setup) {
			line = setup[i]
		} else {
			line = draw(t, s)
		}
		script = append(script, line)
		before := s.last()
		st, err := s.Do(context.Background(), line)
		var mistake *lang.SyntaxError
		if errors.As(err, &mistake) { // such as a name that is not there: nothing ran
			continue
		}
		if err != nil {
			t.Fatalf("%s\n\n%v", strings.Join(script, "\n"), err)
		}
		ran++
		for _, wrong := range []string{checkPrediction(st), checkStep(before, st, brief), checkChanges(st), checkClaims(st), checkGrower(st), unlessDisturbed(s, checkSnapshot)} {
			if wrong != "" {
				t.Fatalf("%s\n\n# %s: %s %s\n# %s", strings.Join(script, "\n"), st.Command, st.Call, st.Answer(), wrong)
			}
		}
	}
	return ran
}

// unlessDisturbed is what is wrong with the last snapshot, unless somebody else changed the family
// since it was made: khugepaged put pages together, or another program read a command line. Then
// another look sees that, and is held against the kernel in its place.
func unlessDisturbed(s *Session, check func(*vmspace.Snapshot) string) string {
	wrong := check(s.last().After)
	if wrong == "" {
		return ""
	}
	st, err := s.Poll(context.Background())
	if err != nil {
		return err.Error()
	}
	if st == nil || !slices.ContainsFunc(st.Changes, func(c vmspace.Change) bool {
		return strings.Contains(c.To, "huge") || commandLineRead(st.After.Process(c.Process), c)
	}) {
		return wrong
	}
	return check(st.After)
}

// commandLineRead says whether a page came in as it does where a program, such as ps, reads
// /proc/PID/cmdline or environ: the kernel loads what is there, and stores nothing, as if the process
// did (get_mm_cmdline in fs/proc/base.c). TestReadingTheCommandLine sees it.
func commandLineRead(p *vmspace.Process, c vmspace.Change) bool {
	loaded := c.Is == vmspace.Zero || c.Is == vmspace.File || c.Is == vmspace.Shared
	return p != nil && c.Kind == vmspace.ChangePage && c.Was == vmspace.None && loaded && slices.ContainsFunc(commandLine(p.PID), c.Range.Contains)
}

// commandLine is where the arguments and the environment of a process begin and end.
func commandLine(pid int) (at []uint64) {
	stat := kernel.Settings{PID: pid}
	for field := 48; field <= 51; field++ { // arg_start, arg_end, env_start, env_end (proc_pid_stat(5))
		if addr, known := stat.Stat(field); known {
			at = append(at, addr)
		}
	}
	return at
}

func checkPrediction(st *history.Step) string {
	if len(st.Predicted) > 0 && st.Happened != "" && !slices.Contains(st.Predicted, st.Happened) {
		return fmt.Sprintf("predicted %v, and %s happened", st.Predicted, st.Happened)
	}
	return ""
}

// checkStep holds a step against the one before it. A brief session may read again, between two
// steps, what it had left out.
func checkStep(before, st *history.Step, brief bool) string {
	switch {
	case st.N != before.N+1:
		return fmt.Sprintf("step %d follows %d", st.N, before.N)
	case !brief && st.Before != before.After:
		return "it does not begin where the last step ended"
	case st.Why == "" && !st.Check:
		return "nothing is said of why"
	case st.Result == history.Result{}:
		return "it has no result"
	}
	return ""
}

// checkChanges holds the diff against the two snapshots, page by page: what differs is named, and
// what is named differs.
func checkChanges(st *history.Step) string {
	named := func(label string, addr uint64, kinds ...vmspace.ChangeKind) bool {
		return slices.ContainsFunc(st.Changes, func(c vmspace.Change) bool {
			return st.After.Teller(st.After.Process(label), st.Process).Label == c.Process && c.Range.Contains(addr) && slices.Contains(kinds, c.Kind)
		})
	}
	for _, q := range st.After.Processes {
		p := st.Before.Process(q.Label)
		if p == nil || p.PID != q.PID {
			continue
		}
		for _, addr := range sampled(p, q, st.After.PageSize) {
			mp, was := p.MappingAt(addr)
			mq, is := q.MappingAt(addr)
			a, b := p.PageAt(addr, st.After.PageSize), q.PageAt(addr, st.After.PageSize)
			switch {
			case was && !is && !named(q.Label, addr, vmspace.ChangeUnmapped, vmspace.ChangeShrunk) && q.State < vmspace.Zombie:
				return fmt.Sprintf("%s 0x%x is unmapped now, and no change says so", q.Label, addr)
			case !was && is && !named(q.Label, addr, vmspace.ChangeMapped, vmspace.ChangeGrown):
				return fmt.Sprintf("%s 0x%x is mapped now, and no change says so", q.Label, addr)
			case was && is && a.State != b.State && !named(q.Label, addr, vmspace.ChangePage, vmspace.ChangeMapped, vmspace.ChangeGrown):
				return fmt.Sprintf("%s 0x%x went from %s to %s, and no change says so", q.Label, addr, a.State, b.State)
			case was && is && a.State == b.State && named(q.Label, addr, vmspace.ChangePage) && !named(q.Label, addr, vmspace.ChangeMapped, vmspace.ChangeGrown):
				return fmt.Sprintf("%s 0x%x is %s as it was, and a change speaks of it", q.Label, addr, a.State)
			case was && is && mp.Perms != mq.Perms && !named(q.Label, addr, vmspace.ChangePerms, vmspace.ChangeMapped, vmspace.ChangeGrown):
				return fmt.Sprintf("%s 0x%x was %s and is %s, and no change says so", q.Label, addr, mp.Perms, mq.Perms)
			}
		}
	}
	return ""
}

// sampled are pages of what is mapped before or after: all of small mappings, the edges of large
// ones.
func sampled(p, q *vmspace.Process, ps uint64) []uint64 {
	var out []uint64
	for _, x := range []*vmspace.Process{p, q} {
		for _, m := range x.Mappings.All() {
			if m.Pages(ps) <= 64 {
				for a := m.Start; a < m.End; a += ps {
					out = append(out, a)
				}
				continue
			}
			for i := range uint64(16) {
				out = append(out, m.Start+i*ps, m.End-(i+1)*ps, m.Start+m.Pages(ps)/17*i*ps)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
