package vmspace

import (
	"errors"
	"io"
)

// Rules of this file: one process is handed on while it is read. The mappings with their counters are held, a few hundred bytes each; the
// pages are not, so that memory does not grow with them. What has been handed on cannot be taken back: where mappings change
// meanwhile, the pages there are Unknown, and Stream says where.

// errExec says that the memory whose list was told is no more, though the process is.
var errExec = errors.New("it began another program while it was read (execve): try again")

// Stream reads one process in full, with the counters of every mapping. head gets the process without its pages, which are still to be
// read; then each gets every mapping, in order, with its runs, or several times in a row with some of them; the slice is good until it returns.
// changed is where mappings changed while they were read. An error after head says that the rest is missing.
func (r *Reader) Stream(m Member, head func(*Process) error, each func(m *Mapping, runs []Run) error) (changed []Range, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.begin(nil, []Member{m})[0]
	var theirs error // of head or each
	if g.err == nil {
		changed, g.err = r.stream(g, func(p *Process) error {
			theirs = head(p)
			return theirs
		}, func(m *Mapping, runs []Run) error {
			theirs = each(m, runs)
			return theirs
		})
	}
	if g.err == nil || theirs != nil {
		return changed, theirs
	}
	if g.stat.State < Zombie {
		r.lookAgain(g)
	}
	return changed, errors.New(reason(g.err))
}

func (r *Reader) stream(g *reading, head func(*Process) error, each func(*Mapping, []Run) error) ([]Range, error) {
	f := g.files
	quiet := watchIdle(g.PID)
	defer quiet.close()
	err := r.listWithCounters(g)
	if err == nil {
		err = f.need(&f.pagemap, "pagemap")
	}
	if err != nil {
		return nil, err
	}
	if err := head(g.process(r.pages.size)); err != nil {
		return nil, err
	}
	var changed []Range
	s := seam{maps: g.maps.walk(0), each: each}
	crew := r.workers(g)
	for _, k := range crew {
		k.pages.lean = true
	}
	w := walk{files: f, list: g.maps, check: r.features.Query, idle: quiet}
	err = w.run(crew, func(b *batch) error {
		changed = append(changed, b.changed...)
		s.held = joinRuns(s.held, r.counted(b.runs, g.maps), g.maps)
		return s.pass(b.span.End)
	})
	if err == nil {
		err = s.pass(Everything.End)
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
	return mergeRanges(changed), err
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
		case errors.Is(err, errTorn):
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

// seam hands on runs as mappings and batches come to an end.
type seam struct {
	maps walker[Mapping] // at the first one that was not handed on in full
	held []Run           // not yet handed on
	each func(*Mapping, []Run) error
}

// pass hands on what is complete below end. The last run of a mapping that goes on may go on too, and stays.
func (s *seam) pass(end uint64) error {
	held := s.held
	for m := s.maps.item(); m != nil && m.Start < end; m = s.maps.item() {
		n := 0
		for n < len(held) && held[n].Start < m.End {
			n++
		}
		if m.End > end {
			if n > 1 {
				if err := s.each(m, held[:n-1]); err != nil {
					return err
				}
				held = held[n-1:]
			}
			break
		}
		if err := s.each(m, held[:n]); err != nil {
			return err
		}
		held = held[n:]
		s.maps.next()
	}
	s.held = s.held[:copy(s.held, held)]
	return nil
}

// WriteProcessJSON streams one process as a snapshot of it would be written by WriteJSON.
func (r *Reader) WriteProcessJSON(w io.Writer, m Member) error {
	out := newJSONWriter(w, r.pages.size, r.pages.frames)
	var at *Mapping
	changed, err := r.Stream(m, func(p *Process) error {
		out.raw(`{"processes":[`)
		out.head(p)
		return nil
	}, func(m *Mapping, runs []Run) error {
		none := m != at
		if none {
			if at != nil {
				out.raw("]}")
			}
			out.mapping(m, "", 0, at == nil)
			at = m
		}
		for i := range runs {
			out.run(&runs[i], none)
			none = false
		}
		return out.err
	})
	if err != nil {
		out.flush()
		return err
	}
	if at != nil {
		out.raw("]}")
	}
	out.tail(changed)
	out.raw("]}\n")
	return out.flush()
}

// WriteProcessText streams one process as a snapshot of it would be written by WriteText.
func (r *Reader) WriteProcessText(w io.Writer, m Member) error {
	out := newTextWriter(w, r.pages.size)
	var at *Mapping
	changed, err := r.Stream(m, func(p *Process) error {
		out.head(p)
		return nil
	}, func(m *Mapping, runs []Run) error {
		if m != at {
			out.mapping(m)
			at = m
		}
		for _, x := range runs {
			out.run(x)
		}
		return nil
	})
	if err != nil {
		out.Flush()
		return err
	}
	out.changed(changed)
	return out.Flush()
}
