// Package watch follows a process and those that it has started, as they live: nobody is stopped,
// nobody is traced, and nothing is written to them. Only an exact mark, which a user asks for, stops a
// thread once. Each picture that differs from the one before becomes a step of a history.
package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cowscope/actions"
	"cowscope/actions/explain"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/vmspace"
	"cowscope/vmspace/bill"
	"cowscope/vmspace/observe"
	"cowscope/vmspace/printable"
	"cowscope/vmspace/procfs"
)

// ErrWatched is what a watched family answers to every command.
var ErrWatched = errors.New("this process is watched: nothing runs in it; cowscope alone starts a lab")

// Lab is a family that is watched, as the screen drives it.
type Lab struct {
	grammar *lang.Grammar
	reader  *observe.Reader
	info    actions.Info
	root    int

	turn    sync.Mutex // held while the family is looked at
	members []vmspace.Member
	lives   map[string]*observe.Life // by label; none of a process that could not be held
	born    int                      // processes that got a label so far
	rhythm  observe.Rhythm
	signs   string // of the members, when everything was read last
	cost    spending
	told    atomic.Pointer[[]string] // what cost says

	rings  *collector // nil where page faults are not told
	untold string     // why they are not
	locate Locate
	spots  struct { // of all faults so far
		sync.Mutex
		history.Spots
	}

	log  *history.Log
	book *bill.Book
	mark *mark // nil before there is one
	said func() string
}

// Tell has each step tell what said gives: what the processes have written since it was asked last.
func (l *Lab) Tell(said func() string) { l.said = said }

// Open begins to watch a process. It fails where the process is not there or may not be read.
func Open(ctx context.Context, pid int) (*Lab, error) {
	g, err := actions.Grammar()
	if err != nil {
		return nil, err
	}
	r, err := observe.NewReader(observe.Options{Gentle: true})
	if err != nil {
		return nil, err
	}
	l := &Lab{grammar: g, reader: r, root: pid, locate: locator(r), lives: map[string]*observe.Life{}, rhythm: rhythm, log: history.NewLog(history.Ample), book: bill.NewBook(bill.Counters{Tables: procfs.PageTables, Faults: procfs.Faults})}
	l.gather(nil)
	l.account()
	snap, err := l.readAll(ctx, signs(l.members))
	if err == nil && snap.Processes[0].Err != "" {
		err = &actions.UnreadableError{PID: pid, Why: snap.Processes[0].Err}
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	l.book.Add(nil, snap, true, time.Now())
	if l.rings, err = collect(pid, snap.PageSize); err != nil {
		l.untold = err.Error()
	}
	l.info = actions.Machine(snap)
	l.info.Mode, l.info.Refuses = "watch", ErrWatched.Error()
	l.info.Note = fmt.Sprintf("%s %d", printable.Name(procfs.Name(pid)), pid)
	l.log.Add(&history.Step{Process: "p1", PID: pid, Outcome: history.Outcome{Result: history.OK, Focus: busiest(snap.Processes[0])}, After: snap, Current: "p1", Facts: kernel.Facts(),
		Event: "as it stands when watching begins", Why: "Nothing is stopped and nothing is traced: what it does next shows as it happens."})
	return l, nil
}

// busiest is the first page that is there of the mapping that has most of the process's own memory.
func busiest(p *vmspace.Process) (page vmspace.Range) {
	var most uint64
	for _, m := range p.Mappings.All() {
		switch m.Kind() {
		case vmspace.KindFile, vmspace.KindSpecial:
			continue
		}
		if n := p.Resident(m.Range); n > most {
			most = n
			for run := range p.PagesIn(m.Range) {
				if run.HasFrame() {
					page = vmspace.Range{Start: run.Start, End: run.Start + run.PageSize()}
					break
				}
			}
		}
	}
	return page
}

// Close ends the watching. The processes live on as before.
func (l *Lab) Close() error {
	if l.mark != nil {
		l.mark.close(nil)
	}
	for _, life := range l.lives {
		life.Close()
	}
	return errors.Join(l.rings.close(), l.reader.Close())
}

// Do fails with ErrWatched.
func (l *Lab) Do(context.Context, string) (*history.Step, error) { return nil, ErrWatched }

// Peek reads the bytes of the page at addr if it is present, and never otherwise.
func (l *Lab) Peek(_ context.Context, label string, addr uint64) ([]byte, error) {
	p := l.last().After.Process(label)
	if p == nil || !p.Alive() {
		return nil, nil
	}
	size := l.last().After.PageSize
	buf := make([]byte, size)
	present, err := l.reader.Peek(p.PID, addr&^(size-1), buf)
	if err != nil || !present[0] {
		return nil, err
	}
	return buf, nil
}

// History returns the steps that are kept, oldest first.
func (l *Lab) History() []*history.Step { return l.log.Steps() }

// Follow calls f with every step from number from on, as it happens.
func (l *Lab) Follow(from int, f func(*history.Step)) { l.log.Follow(from, f) }

// Grammar is the language of the lab.
func (l *Lab) Grammar() *lang.Grammar { return l.grammar }

// Info says what is watched, on which machine, and what that costs.
func (l *Lab) Info() actions.Info {
	info := l.info
	if told := l.told.Load(); told != nil {
		info.Cost = *told
	}
	return info
}

func (l *Lab) last() *history.Step { return l.log.Last() }

// Poll looks at the family, and gives the step that says what has changed, or nil.
func (l *Lab) Poll(ctx context.Context) (*history.Step, error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	defer l.account()
	if !l.rhythm.Due(observe.Signs, true) {
		return nil, nil
	}
	done := l.rhythm.Begin(observe.Signs)
	before := l.last().After
	l.gather(before)
	told := l.rings.take()
	after, full, err := l.look(ctx, told, done)
	if err != nil {
		l.rings.keep(told.pages)
		return nil, err
	}
	after = keepDead(before, after)
	l.book.Add(before, after, full, time.Now())
	l.mark.coverNew(after)
	told.add(l.early(l.rings.take(), after))
	faults := l.tell(told, before, after)
	l.count(faults, told.lost)
	changes, wrote := vmspace.Diff(before, after), ""
	if l.said != nil {
		wrote = l.said()
	}
	if !slices.ContainsFunc(changes, explain.WorthTelling) && len(faults) == 0 && told.lost == 0 && wrote == "" {
		return nil, nil
	}
	label, event := l.headline(changes, faults, after)
	st := &history.Step{Process: label, Outcome: history.Outcome{Result: history.OK}, Before: before, After: after, Current: l.current(after), Facts: kernel.Facts(),
		Event: event, Why: strings.TrimSpace(explain.Summary(changes) + " " + faultsText(faults, told.lost)), Changes: changes, Faults: faults, Lost: told.lost, Wrote: wrote}
	st.Why = strings.TrimSpace(st.Why + " " + history.WroteText(wrote))
	if p := after.Process(label); p != nil {
		st.PID = p.PID
	}
	l.log.Add(st)
	return st, nil
}

// look reads the family: in full as rarely as its rhythm asks for, and meanwhile what costs little
// where something has changed, and the pages on which faults were taken. done tells that the look for signs is over, to which belongs that
// the threads of a process were asked for its children one by one.
func (l *Lab) look(ctx context.Context, told taken, done func()) (snap *vmspace.Snapshot, full bool, err error) {
	seen := signs(l.members)
	if l.rhythm.Due(observe.Everything, seen != l.signs) {
		done()
		snap, err = l.readAll(ctx, seen)
		return snap, true, err
	}
	defer done()
	windows := l.windows(told)
	if seen == l.signs && len(windows) == 0 {
		return l.last().After, false, nil
	}
	defer func() { l.cost.add(l.reader.Cost()) }()
	snap, err = l.reader.Observe(ctx, l.members, observe.Within(windows...))
	return snap, false, err
}

// readAll reads everything of the family, whose signs are those.
func (l *Lab) readAll(ctx context.Context, seen string) (*vmspace.Snapshot, error) {
	defer func() { l.cost.add(l.reader.Cost()) }()
	defer l.rhythm.Begin(observe.Everything)()
	l.signs = seen
	return l.reader.Observe(ctx, l.members, observe.Scope{})
}

// account tells what watching costs.
func (l *Lab) account() {
	l.cost.measure(time.Now(), observe.CPUTime())
	texts := l.cost.texts()
	l.told.Store(&texts)
}

// Bill is what the forks of the family cost, and what further ones would, as a picture of it has
// them.
func (l *Lab) Bill(s *vmspace.Snapshot) *bill.Bill { return l.book.Bill(s) }

// gather finds who belongs to the family now. Who is gone stays for one picture more, and the first
// process for good; a zombie is there until it is waited for.
func (l *Lab) gather(before *vmspace.Snapshot) {
	there := func(m vmspace.Member) bool {
		if before == nil {
			return true
		}
		p := before.Process(m.Label)
		return p == nil || p.State != vmspace.Gone
	}
	now := []vmspace.Member{{Label: "p1", PID: l.root}}
	labels := map[int]string{l.root: "p1"}
	if before == nil {
		l.hold(now[0])
	}
	for _, d := range procfs.Descendants(l.root) {
		i := slices.IndexFunc(l.members, func(m vmspace.Member) bool { return m.PID == d.PID && there(m) })
		m := vmspace.Member{PID: d.PID, Parent: labels[d.Parent]}
		if i >= 0 {
			m = l.members[i]
		} else {
			l.born++
			m.Label = fmt.Sprintf("p%d", l.born+1)
			l.hold(m)
		}
		labels[d.PID] = m.Label
		now = append(now, m)
	}
	for _, m := range l.members {
		switch {
		case m.Label == "p1", slices.Contains(now, m):
		case there(m):
			now = append(now, m)
		case l.lives[m.Label] != nil:
			l.lives[m.Label].Close()
			delete(l.lives, m.Label)
		}
	}
	slices.SortStableFunc(now, func(a, b vmspace.Member) int { return order(a.Label) - order(b.Label) })
	l.members = now
}

// hold takes hold of a process, so that its end can be told.
func (l *Lab) hold(m vmspace.Member) {
	if life, err := observe.HoldLife(m.PID); err == nil {
		l.lives[m.Label] = life
	}
}

// order is the number of a label.
func order(label string) int {
	n := 0
	fmt.Sscanf(label, "p%d", &n)
	return n
}

// keepDead gives after with the last picture of who has died since before.
func keepDead(before, after *vmspace.Snapshot) *vmspace.Snapshot {
	if before == after {
		return after
	}
	kept := *after
	kept.Processes = slices.Clone(after.Processes)
	for i, p := range kept.Processes {
		was := before.Process(p.Label)
		if p.Alive() || was == nil || was.PID != p.PID {
			continue
		}
		dead := *was
		dead.State = p.State
		kept.Processes[i] = &dead
	}
	return &kept
}

// headline is the change that a step is called after, and whose it is.
func (l *Lab) headline(changes []vmspace.Change, faults []history.Fault, after *vmspace.Snapshot) (label, event string) {
	now := time.Now().Format(time.TimeOnly)
	for _, c := range changes {
		switch p := after.Process(c.Process); c.Kind {
		case vmspace.ChangeBorn:
			return c.Process, fmt.Sprintf("%s came: process %d, child of %s", c.Process, p.PID, p.Parent)
		case vmspace.ChangeEnded, vmspace.ChangeZombie:
			if c.From == vmspace.Zombie.String() {
				return c.Process, c.Process + " was waited for"
			}
			return c.Process, c.Process + " " + l.ending(c.Process) + " at " + now
		}
	}
	switch {
	case len(changes) > 0:
		return changes[0].Process, now
	case len(faults) > 0 && faults[0].Process != "":
		return faults[0].Process, now
	}
	return "p1", now
}

// ending says how a process ended, as far as the kernel tells.
func (l *Lab) ending(label string) string {
	if life := l.lives[label]; life != nil {
		switch e, known := life.Ending(); {
		case known && e.Signal != 0:
			return "was killed by " + lang.Signal(e.Signal).String()
		case known:
			return fmt.Sprintf("exited %d", e.Code)
		}
	}
	return "ended"
}

// current is whose picture a new step opens on: the same as before, while it is there.
func (l *Lab) current(after *vmspace.Snapshot) string {
	if was := l.last().Current; after.Process(was) != nil {
		return was
	}
	return "p1"
}
