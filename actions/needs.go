package actions

import (
	"fmt"
	"strings"

	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

// need is a line that names features without which a script makes no sense.
type need struct {
	line     int
	features []string
}

func featureWords() []lang.Word {
	var out []lang.Word
	for _, f := range feature.All {
		out = append(out, lang.Word{Name: f.Name, Help: f.What})
	}
	return out
}

var needsAction = Action{
	Verb: lang.Verb{Name: "needs", Summary: "at the head of a script: skip it where one of these features is missing", Params: []lang.Param{
		{Name: "feature", Kind: lang.KindFlags, Words: featureWords(), Show: "FEATURE", Help: "names that doctor lists"}}},
	Dead: true, Check: true,
	run: func(c *call) error {
		why, err := missing(c.cmd.Flags("feature"))
		c.Result, c.note = history.OK, "This kernel and this user have it."
		c.Want, c.Got = strings.Join(c.cmd.Flags("feature"), " "), "all of it"
		if why != "" {
			c.Result, c.note, c.Got = history.Failed, why, why
		}
		return err
	},
}

// missing says what of the features is not there, "" if all is.
func missing(names []string) (why string, err error) {
	for _, n := range names {
		ok, reason, err := feature.Available(n)
		if err != nil {
			return "", err
		}
		if !ok {
			return fmt.Sprintf("%s is missing: %s", n, reason), nil
		}
	}
	return "", nil
}

// Missing says why the script is to be skipped here, "" where it can run.
func (sc *Script) Missing() (why string, err error) {
	for _, n := range sc.needs {
		why, err := missing(n.features)
		if err != nil {
			return "", &ScriptError{sc.file, n.line, err}
		}
		if why != "" {
			return fmt.Sprintf("%s:%d: skipped: %s", sc.file, n.line, why), nil
		}
	}
	return "", nil
}
