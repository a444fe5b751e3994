package observe

import "cowscope/vmspace"

// Rules of this file: the pages of one space, batch by batch, in the order of their addresses,
// whichever worker read them. Each batch is compared with the kernel's mappings after its pages
// were read: where they differ from the list, the process changed meanwhile, and the pages are
// Unknown, because the mapping that their words belong to is unknown.

// worker reads batches. It belongs to one goroutine.
type worker struct {
	pages *pageReader
	query *querier
}

// walk is one pass over the pages of a space.
type walk struct {
	files  *procFiles
	list   vmspace.List[vmspace.Mapping]
	check  bool     // compare with the kernel, which needs PROCMAP_QUERY
	idle   *idle    // begun before the list was read; nil if nothing is known
	blanks []*batch // scratch for several workers
	cursor *cursor
}

// run reads everything and passes each batch to use, which must not retain it.
func (w *walk) run(pool []worker, use func(b *batch) error) error {
	w.cursor = newCursor(w.files.pagemap, w.list, vmspace.Everything)
	if len(pool) == 1 {
		b := &pool[0].pages.batch
		for w.step(&pool[0], b) {
			if b.err != nil {
				return b.err
			}
			if err := use(b); err != nil {
				return err
			}
		}
		return nil
	}
	return w.share(pool, use)
}

// share lets several workers read in parallel. There are few batches, which are reused, so that no
// worker runs far ahead and memory is bounded.
func (w *walk) share(pool []worker, use func(b *batch) error) error {
	n := len(pool) + 2
	blank, done, ended := make(chan *batch, n), make(chan *batch, n), make(chan struct{})
	for len(w.blanks) < n {
		w.blanks = append(w.blanks, new(batch))
	}
	for _, b := range w.blanks[:n] {
		blank <- b
	}
	for i := range pool {
		go func() {
			defer func() { ended <- struct{}{} }()
			for b := range blank {
				if !w.step(&pool[i], b) {
					return
				}
				done <- b
			}
		}()
	}
	var err error
	seq, turn := 0, make([]*batch, n) // by number, modulo n: at most n are in progress
	take := func(b *batch) {
		turn[b.seq%n] = b
		for b := turn[seq%n]; b != nil && err == nil; b = turn[seq%n] {
			turn[seq%n] = nil
			seq++
			if err = b.err; err == nil {
				err = use(b)
			}
			if err != nil {
				close(blank) // the workers end
				return
			}
			blank <- b
		}
	}
	for left := len(pool); left > 0; {
		select {
		case b := <-done:
			take(b)
		case <-ended:
			left--
		}
	}
	for len(done) > 0 {
		take(<-done)
	}
	return err
}

// step makes b the next batch, read and checked; it returns false if there is none.
func (w *walk) step(k *worker, b *batch) bool {
	more, err := w.cursor.take(k.pages, b)
	if !more {
		return false
	}
	if err == nil {
		k.pages.runs = b.runs[:0]
		err = k.pages.fill(w.files, w.list, b)
		b.runs = k.pages.runs
	}
	if err == nil && w.check && !w.unmoved(b.span) {
		b.changed, err = k.query.differences(w.files.maps, w.list, b.span, b.changed[:0])
		if len(b.changed) > 0 {
			b.runs = blur(b.runs, b.changed)
		}
	}
	b.err = err
	return true
}

// unmoved reports whether nothing in span can have changed, if that is cheaper to prove than to
// compare.
func (w *walk) unmoved(span vmspace.Range) bool {
	lo, hi := w.list.Overlap(span)
	return hi-lo > idleThreads && w.idle.still()
}

// differences appends to dst the parts of span where the kernel's mappings differ from the list.
// Names are not compared.
func (q *querier) differences(maps int, list vmspace.List[vmspace.Mapping], span vmspace.Range, dst []vmspace.Range) ([]vmspace.Range, error) {
	var m vmspace.Mapping
	w := list.Walk(span.Start)
	for at := span.Start; at < span.End; {
		for w.Item() != nil && w.Item().End <= at {
			w.Next()
		}
		ok, err := q.next(maps, at, &m)
		if err != nil {
			return dst, err
		}
		is, was := vmspace.Range{Start: span.End, End: span.End}, vmspace.Range{Start: span.End, End: span.End}
		if ok {
			is = m.Range
		}
		e := w.Item()
		if e != nil {
			was = e.Range
		}
		if ok && e != nil && samePlace(&m, e) {
			at = m.End
			continue
		}
		if lo := max(at, min(is.Start, was.Start)); lo < span.End {
			// hi is the nearer of the two ends, where one of the two mappings may continue.
			hi := min(is.End, was.End, span.End)
			if is.Start >= was.End {
				hi = min(was.End, span.End)
			} else if was.Start >= is.End {
				hi = min(is.End, span.End)
			}
			dst = append(dst, vmspace.Range{Start: lo, End: hi})
			at = hi
			continue
		}
		break
	}
	return mergeRanges(dst), nil
}

// samePlace reports whether a and b are the same memory with the same permissions.
func samePlace(a, b *vmspace.Mapping) bool {
	return a.Range == b.Range && a.Perms == b.Perms && a.Offset == b.Offset && a.Inode == b.Inode && a.Major == b.Major && a.Minor == b.Minor
}

// blur makes the pages of runs that lie in the ranges Unknown. Their words stay; their frames are
// cleared, because nothing may be looked up by them any more.
func blur(runs []vmspace.Run, ranges []vmspace.Range) []vmspace.Run {
	if len(ranges) == 0 {
		return runs
	}
	var out []vmspace.Run
	for _, r := range runs {
		for _, x := range ranges {
			part := r.Clip(x)
			if part.Pages == 0 || r.Pages == 0 || part.Start >= r.Bounds().End {
				continue
			}
			if r.Start < part.Start {
				out = append(out, r.Clip(vmspace.Range{Start: r.Start, End: part.Start}))
			}
			part.State, part.Attrs, part.Frame, part.Mapcount, part.KFlags = vmspace.Unknown, 0, 0, -1, 0
			out = append(out, part)
			r = r.Clip(vmspace.Range{Start: part.Bounds().End, End: r.Bounds().End})
		}
		if r.Pages > 0 {
			out = append(out, r)
		}
	}
	return out
}
