package vmspace

// Sizes is the memory of a process that is present, in bytes, as smaps counts it
// (proc_pid_smaps(5)).
type Sizes struct {
	RSS uint64 // all of it
	PSS uint64 // of each page its share of those who map it
	USS uint64 // of the pages that it maps alone
	// Known is false if smaps was not read of every mapping.
	Known bool
}

// Sizes adds up the counters of all mappings.
func (p *Process) Sizes() Sizes {
	s := Sizes{Known: p.Mappings.Len() > 0}
	for at := p.Mappings.Walk(0); at.Item() != nil; at.Next() {
		c := at.Item().Smaps
		if c == nil {
			s.Known = false
			continue
		}
		s.RSS, s.PSS, s.USS = s.RSS+c.Rss, s.PSS+c.Pss, s.USS+c.Private
	}
	return s
}
