package actions

import (
	"fmt"

	"cowscope/actions/verb"
)

// need is a line that names features without which a script makes no sense.
type need struct {
	line     int
	features []string
}

// Missing says why the script is to be skipped here, "" where it can run.
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
