package observe

import (
	"context"
	"errors"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"
)

// Rules of this file: one process is passed on while it is read. The mappings with their counters
// are held, a few hundred bytes each; the pages are not, so that memory does not grow with them.
// What has been passed on cannot be taken back: where mappings change meanwhile, the pages are
// Unknown, and Stream reports the place.

// errExec says that the memory whose list was passed on no longer exists, although the process
// does.
var errExec = errors.New("it began another program while it was read (execve): try again")

// Stream reads one process in full, with the counters of every mapping, into a sink, which it
// closes. The error is the sink's, or says why the process could not be read to its end.
func (r *Reader) Stream(ctx context.Context, m vmspace.Member, to vmspace.Sink) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx = ctx
	g := r.begin(nil, []vmspace.Member{m})[0]
	into := guarded{Sink: to}
	if g.err == nil {
		g.err = r.stream(g, &into)
	}
	err := to.Close(g.err != nil)
	switch {
	case into.err != nil:
		return into.err
	case g.err == nil:
		return err
	case g.stat.State < vmspace.Zombie:
		r.lookAgain(g)
	}
	return errors.New(reason(g.err))
}

// guarded is a sink whose error is kept apart from those of reading.
type guarded struct {
	vmspace.Sink
	err error
}

func (s *guarded) Process(p *vmspace.Process) error {
	s.err = s.Sink.Process(p)
	return s.err
}

func (s *guarded) Pages(m *vmspace.Mapping, runs []vmspace.Run) error {
	s.err = s.Sink.Pages(m, runs)
	return s.err
}

func (s *guarded) End(changed []vmspace.Range) error {
	s.err = s.Sink.End(changed)
	return s.err
}

func (r *Reader) stream(g *reading, to vmspace.Sink) error {
	f := g.files
	quiet := watchIdle(g.PID)
	defer quiet.close()
	err := r.listWithCounters(g)
	if err == nil {
		err = f.need(&f.pagemap, "pagemap")
	}
	if err == nil {
		err = to.Process(g.process(r.pages.size))
	}
	if err != nil {
		return err
	}
	var changed []vmspace.Range
	s := seam{maps: g.maps.Walk(0), to: to}
	pool := r.workers(g)
	for _, k := range pool {
		k.pages.lean = true
	}
	w := walk{files: f, list: g.maps, check: r.features.Query, idle: quiet}
	err = w.run(pool, func(b *batch) error {
		changed = append(changed, b.changed...)
		s.held = joinRuns(s.held, r.counted(b.runs, g.maps), g.maps)
		return s.pass(b.span.End)
	})
	if err == nil {
		err = s.pass(vmspace.Everything.End)
	}
	if err == nil && !r.features.Query {
		changed, err = r.compareLists(g)
	}
	if err == nil || gone(err) {
		if here := r.stillThere(g); here != nil {
			err = here
		} else if err != nil {
			err = errExec
		}
	}
	if err != nil {
		return err
	}
	return to.End(mergeRanges(changed))
}

// listWithCounters reads the mappings from smaps.
func (r *Reader) listWithCounters(g *reading) error {
	f := g.files
	var err error
	for range attempts {
		if err = f.need(&f.smaps, "smaps"); err == nil {
			err = f.need(&f.maps, "maps")
		}
		if err == nil {
			g.maps, err = r.readSmaps(f)
		}
		switch {
		case errors.Is(err, procfs.ErrTorn):
			err = errChanged
		case err != nil:
			return err
		case g.maps.Len() > 0:
			return nil
		default:
			f.forget()
			err = errEmpty
		}
	}
	return err
}

// seam passes on runs as mappings and batches are completed.
type seam struct {
	maps vmspace.Walker[vmspace.Mapping] // at the first mapping not yet passed on in full
	held []vmspace.Run                   // not yet passed on
	to   vmspace.Sink
}

// pass passes on everything complete below end. The last run of a mapping that continues may
// continue too, and is held.
func (s *seam) pass(end uint64) error {
	held := s.held
	for m := s.maps.Item(); m != nil && m.Start < end; m = s.maps.Item() {
		n := 0
		for n < len(held) && held[n].Start < m.End {
			n++
		}
		if m.End > end {
			if n > 1 {
				if err := s.to.Pages(m, held[:n-1]); err != nil {
					return err
				}
				held = held[n-1:]
			}
			break
		}
		if err := s.to.Pages(m, held[:n]); err != nil {
			return err
		}
		held = held[n:]
		s.maps.Next()
	}
	s.held = s.held[:copy(s.held, held)]
	return nil
}
