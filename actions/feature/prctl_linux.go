package feature

import (
	"errors"

	"cowscope/actions/subject"

	"golang.org/x/sys/unix"
)

// Rules of this file: prctl changes a process as a whole, and some of its settings are permanent.
// So it is tried in a subject, which ends with the probe.

func (m *machine) ksmProcess() string {
	return m.prctl("prctl(PR_SET_MEMORY_MERGE)", unix.PR_SET_MEMORY_MERGE, 1)
}

func (m *machine) mdwe() string {
	return m.prctl("prctl(PR_SET_MDWE)", unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN)
}

func (m *machine) mdweNoInherit() string {
	return m.prctl("prctl(PR_SET_MDWE)", unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN|unix.PR_MDWE_NO_INHERIT)
}

// prctl makes the call in a subject.
func (m *machine) prctl(name string, option uint32, value uint64) string {
	if m.start().err != nil {
		return noSubject
	}
	t, err := subject.NewTracer()
	if err != nil {
		return oneLine(err)
	}
	var e subject.Ending
	done := t.Do(func() {
		var p *subject.Process
		p, err = t.Start(subject.Config{Calls: []uintptr{unix.SYS_PRCTL}, First: map[uintptr][]uint32{unix.SYS_PRCTL: {option}}})
		if err == nil {
			e, err = p.Syscall(unix.SYS_PRCTL, uint64(option), value, 0, 0, 0)
		}
	})
	switch err := errors.Join(err, done, t.Close()); {
	case err != nil:
		return oneLine(err)
	case !e.OK():
		return answers(name, e.Errno)
	}
	return ""
}
