package actions

import (
	"fmt"

	"cowscope/actions/verb"
)

// need is a line that names features that the script needs.
type need struct {
	line     int
	features []string
}

// Missing is why the script must be skipped on this machine, "" if it can run.
func (sc *Script) Missing() (why string, err error) {
	for _, n := range sc.needs {
		why, err := verb.Missing(n.features)
		if err != nil {
			return "", &ScriptError{sc.file, n.line, err}
		}
		if why != "" {
			return fmt.Sprintf("%s:%d: skipped: %s", sc.file, n.line, why), nil
		}
	}
	return "", nil
}
