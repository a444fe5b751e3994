package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"cowscope/actions/borrow"
	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/compare"
	"cowscope/vmspace/observe"
)

// Rules of this file: a mark is a picture of the family that later ones are compared with. It stays
// in the history. Making it disturbs nobody: bytes are read only of the pages that the caller
// names, and only where they are present. Only an exact mark stops a thread, once, and only one
// process has it.

// Exactness says how much is known of writes to pages that were there all the time. What appeared,
// was copied or is gone, the states of pages say.
type Exactness string

// The degrees of exactness.
const (
	Exact   Exactness = "exact"   // of every page that can be written to
	Sampled Exactness = "sampled" // of some of them
	Unknown Exactness = "unknown" // nothing can be compared
)

// Since is what became of a process since the mark.
type Since struct {
	*compare.Since           // nil where nothing can be compared
	Step           int       // the number of the mark's step
	At             time.Time // when the mark was made
	Exact          Exactness
	How            string // what the exactness rests on, or why nothing can be compared
}

// mark is where the comparison begins.
type mark struct {
	step   *history.Step
	at     time.Time
	label  string // of the process whose pages have prints
	around vmspace.Range
	prints map[uint64]uint64 // hashes of bytes, by address
	writes *borrow.Writes    // of the process label, nil where the mark is not exact
}

// mostPrints is how many pages are compared by their bytes. Reading one takes about 1 µs.
const mostPrints = 1024

// seed is that of all prints.
var seed = maphash.MakeSeed()

// Marked says whether there is a mark, and whether it is an exact one of the process label.
func (l *Lab) Marked(label string) (marked, exact bool) {
	l.turn.Lock()
	defer l.turn.Unlock()
	return l.mark != nil, l.mark != nil && l.mark.writes != nil && l.mark.label == label
}

// Mark makes the mark, in place of one before. The bytes of the present pages of around, in the
// process label, will be compared as well: of at most the first 1024. An exact mark knows all
// writes of this process: its first thread is stopped once to lend a userfaultfd (package borrow).
// What it has lent once serves for later marks of it, too.
func (l *Lab) Mark(ctx context.Context, label string, around vmspace.Range, exact bool) (*history.Step, error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	before := l.last()
	m := &mark{at: time.Now(), label: label, around: around}
	if l.mark != nil && l.mark.label == label {
		m.writes = l.mark.writes
	}
	if exact && m.writes == nil {
		var err error
		if m.writes, err = lend(before.After.Process(label)); err != nil {
			return nil, err
		}
	}
	l.gather(before.After)
	after, err := l.reader.Observe(ctx, l.members, observe.Scope{})
	if err != nil {
		m.close(l.mark)
		return nil, err
	}
	after = keepDead(before.After, after)
	why := "From here on it is counted what is written, copied, appears and goes: M shows it."
	if p := after.Process(label); p != nil && p.Alive() {
		if m.writes != nil {
			if err := m.writes.Restart(p.Mappings); err != nil {
				m.close(l.mark)
				return nil, err
			}
			why += fmt.Sprintf(" Writes of %s are exact: it was stopped once, for %.2f ms.", label, float64(m.writes.Stopped().Microseconds())/1000)
		} else {
			m.prints = l.prints(p, around)
		}
	}
	if l.mark != nil {
		l.mark.close(m)
	}
	st := &history.Step{Process: before.Process, PID: before.PID, Outcome: history.Outcome{Result: history.OK}, Before: before.After, After: after, Current: l.current(after), Facts: kernel.Facts(),
		Event: "mark at " + m.at.Format(time.TimeOnly), Why: why, Changes: vmspace.Diff(before.After, after)}
	l.log.Add(st)
	l.log.Keep(st.N)
	m.step, l.mark = st, m
	return st, nil
}

// lend borrows from a process.
func lend(p *vmspace.Process) (*borrow.Writes, error) {
	switch ok, why, err := feature.Available("uffd-async"); {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("mark exact needs uffd-async: %s", why)
	case p == nil || !p.Alive():
		return nil, errors.New("mark exact needs a process that lives")
	}
	return borrow.Take(p.PID)
}

// close gives back what was borrowed, unless another mark goes on with it.
func (m *mark) close(other *mark) {
	if m.writes != nil && (other == nil || other.writes != m.writes) {
		m.writes.Close()
		m.writes = nil
	}
}

// prints are hashes of the bytes of pages that are present, by address.
func (l *Lab) prints(p *vmspace.Process, around vmspace.Range) map[uint64]uint64 {
	size := vmspace.Run{Shift: p.Shift}.PageSize()
	around.End = min(around.End, around.Start+mostPrints*size)
	if around.Empty() {
		return nil
	}
	out := map[uint64]uint64{}
	buf := make([]byte, around.Len())
	present, err := l.reader.Peek(p.PID, around.Start, buf)
	if err != nil {
		return nil
	}
	for i, there := range present {
		if there {
			out[around.Start+uint64(i)*size] = maphash.Bytes(seed, buf[uint64(i)*size:][:size])
		}
	}
	return out
}

// Since compares the process label, as it is now, with the mark. There must be one.
func (l *Lab) Since(ctx context.Context, label string) (*Since, error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	m := l.mark
	if m == nil {
		return nil, errors.New("there is no mark")
	}
	s := &Since{Step: m.step.N, At: m.at, Exact: Unknown}
	now, _, err := l.look(ctx, taken{}, func() {})
	if err != nil {
		return nil, err
	}
	now = keepDead(l.last().After, now)
	a, b := m.step.After.Process(label), now.Process(label)
	switch {
	case b == nil:
		s.How = label + " is gone"
	case a == nil || a.PID != b.PID || a.Started != b.Started:
		s.How = label + " came after the mark"
	case a.Err != "" || b.Err != "":
		s.How = label + ": " + max(a.Err, b.Err)
	}
	if s.How == "" {
		l.compare(s, m, a, b, now.PageSize)
	}
	return s, nil
}

// compare fills s.
func (l *Lab) compare(s *Since, m *mark, a, b *vmspace.Process, pageSize uint64) {
	var seen compare.Evidence
	seen.SoftDirty, _, _ = feature.Available("soft-dirty")
	compared, exact := 0, false
	if m.label == a.Label && b.Alive() {
		if exact = m.exact(b, &seen); !exact {
			compared, seen.Written = l.rewritten(b, m, pageSize)
		}
	}
	s.Since = compare.Changed(a, b, pageSize, seen)
	s.Exact = Exact
	switch {
	case exact && s.Unknown > 0:
		s.Exact, s.How = Sampled, fmt.Sprintf("by userfaultfd, but for %s of %s that it does not cover", amount.Of(s.Unknown, "page"), amount.Of(uint64(m.writes.Refused()), "mapping"))
	case exact:
		s.How = "by userfaultfd; children are not covered"
	case s.Unknown > 0:
		s.Exact, s.How = Sampled, fmt.Sprintf("writes of %s by their bytes; all others by their states", amount.Of(uint64(compared), "page"))
	case seen.SoftDirty:
		s.How = "by the soft-dirty bits"
	default:
		s.How = "by the states: no page that stayed can be written to"
	}
}

// exact adds what the lent userfaultfd tells, and covers new mappings. Where the process has begun
// another program it tells nothing any more, and is given back.
func (m *mark) exact(p *vmspace.Process, seen *compare.Evidence) bool {
	if m.writes == nil {
		return false
	}
	written, err := m.writes.Written()
	if err == nil {
		seen.Written, seen.Covered = written, m.writes.Covered()
		err = m.writes.Cover(p.Mappings)
	}
	if err != nil {
		seen.Written, seen.Covered = nil, nil
		m.close(nil)
		return false
	}
	return true
}

// coverNew covers the mappings that came since the last picture.
func (m *mark) coverNew(snap *vmspace.Snapshot) {
	if m == nil || m.writes == nil {
		return
	}
	if p := snap.Process(m.label); p != nil && p.Alive() {
		m.writes.Cover(p.Mappings) // what fails is told when the comparison is asked for
	}
}

// rewritten are the pages whose bytes are others than they were at the mark.
func (l *Lab) rewritten(p *vmspace.Process, m *mark, size uint64) (compared int, written []vmspace.Range) {
	now := l.prints(p, m.around)
	for at, was := range m.prints {
		is, there := now[at]
		if !there {
			continue
		}
		if compared++; is != was {
			written = append(written, vmspace.Range{Start: at, End: at + size})
		}
	}
	slices.SortFunc(written, func(x, y vmspace.Range) int { return cmp.Compare(x.Start, y.Start) })
	return compared, written
}
