package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/compare"
	"cowscope/vmspace/observe"
)

// Rules of this file: a mark is a picture of the family that later ones are compared with. It stays in
// the history. Making it disturbs nobody: bytes are read only of the pages that the caller names, and
// only where they are present.

// Exactness says how much is known of writes to pages that were there all the time. What appeared, was
// copied or is gone, the states of pages say.
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
}

// mostPrints is how many pages are compared by their bytes. Reading one takes about 1 µs.
const mostPrints = 1024

// seed is that of all prints.
var seed = maphash.MakeSeed()

// Mark makes the mark, in place of one before. The bytes of the present pages of around, in the process
// label, will be compared as well: of at most the first 1024.
func (l *Lab) Mark(ctx context.Context, label string, around vmspace.Range) (*history.Step, error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	return l.setMark(ctx, label, around)
}

func (l *Lab) setMark(ctx context.Context, label string, around vmspace.Range) (*history.Step, error) {
	before := l.last()
	l.gather(before.After)
	after, err := l.reader.Observe(ctx, l.members, observe.Scope{})
	if err != nil {
		return nil, err
	}
	after = keepDead(before.After, after)
	m := &mark{at: time.Now(), label: label, around: around}
	if p := after.Process(label); p != nil && p.Alive() {
		m.prints = l.prints(p, around)
	}
	st := &history.Step{Process: before.Process, PID: before.PID, Outcome: history.Outcome{Result: history.OK}, Before: before.After, After: after, Current: l.current(after),
		Event: "mark at " + m.at.Format(time.TimeOnly), Why: "From here on it is counted what is written, copied, appears and goes: M shows it.", Changes: vmspace.Diff(before.After, after)}
	l.log.Add(st)
	l.log.Keep(st.N)
	m.step, l.mark = st, m
	return st, nil
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
	now, err := l.look(ctx)
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
	compared := 0
	if m.label == a.Label && b.Alive() {
		compared, seen.Written = l.rewritten(b, m, pageSize)
	}
	s.Since = compare.Changed(a, b, pageSize, seen)
	switch {
	case s.Unknown > 0:
		s.Exact, s.How = Sampled, fmt.Sprintf("%s by their bytes, all others by their states", amount.Of(uint64(compared), "page"))
	case seen.SoftDirty:
		s.Exact, s.How = Exact, "by the soft-dirty bits"
	default:
		s.Exact, s.How = Exact, "by the states of the pages: no page that stayed can be written to"
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
