package verb

import (
	"fmt"
	"strings"

	"cowscope/actions/feature"
	"cowscope/actions/history"
	"cowscope/actions/lang"
)

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
	Run: func(c *Call) error {
		why, err := Missing(c.Cmd.Flags("feature"))
		c.Result, c.Note = history.OK, "This kernel and this user have it."
		c.Want, c.Got = strings.Join(c.Cmd.Flags("feature"), " "), "all of it"
		if why != "" {
			c.Result, c.Note, c.Got = history.Failed, why, why
		}
		return err
	},
}

// Missing says which of the features is missing and why, "" if all are available.
func Missing(names []string) (why string, err error) {
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
