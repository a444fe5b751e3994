package vmspace

// Sink receives a snapshot piece by piece, in the order of addresses, so that it is never held as a
// whole: each process without its pages, then its mappings with their pages, then its end. An error
// of any method ends the snapshot.
type Sink interface {
	// Process begins a process.
	Process(p *Process) error
	// Pages receives a mapping with its runs; it may be called several times in a row for one
	// mapping. The slice is valid only during the call.
	Pages(m *Mapping, runs []Run) error
	// End ends the process; changed lists where mappings changed while they were read.
	End(changed []Range) error
	// Close ends the snapshot; broken says that it is incomplete.
	Close(broken bool) error
}

// To writes s to a sink.
func (s *Snapshot) To(sink Sink) error {
	for _, p := range s.Processes {
		if err := p.to(sink); err != nil {
			sink.Close(true)
			return err
		}
	}
	return sink.Close(false)
}

func (p *Process) to(sink Sink) error {
	if err := sink.Process(p); err != nil {
		return err
	}
	at := 0
	for maps := p.Mappings.Walk(0); maps.Item() != nil; maps.Next() {
		begin := at
		for pages := p.Pages.walkFrom(at); pages.Item() != nil && pages.Item().Start < maps.Item().End; pages.Next() {
			at++
		}
		if err := sink.Pages(maps.Item(), p.Pages.View(begin, at)); err != nil {
			return err
		}
	}
	return sink.End(p.Changed)
}
