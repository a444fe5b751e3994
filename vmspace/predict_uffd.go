package vmspace

// Rules of this file: pure. What comes of an access where userfaultfd handles faults, and where a
// marker stands for a page.

// told reports whether userfaultfd handles faults in m that a VmFlag stands for (um: missing pages,
// uw: write-protected ones) and answers them with SIGBUS; maybe says that it can, if that is not
// known for certain.
func (f Facts) told(m Mapping, flag string) (certain, maybe bool) {
	switch {
	case m.Kind() == KindSpecial:
		return false, false
	case m.Smaps == nil:
		return false, f.Userfaultfd
	}
	has := m.Smaps.HasFlag(flag)
	return has && f.Userfaultfd, has
}

// poisoned is the prediction for a page that is broken, or was made so.
func (f Facts) poisoned() Prediction {
	can := []Happening{MceErr, BusErr}
	if f.Poison != "" {
		can = []Happening{f.Poison}
	}
	return Prediction{can, "a poisoned page: the kernel refuses every access"}
}
