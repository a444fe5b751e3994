package explain

import (
	"fmt"
	"strings"

	"cowscope/vmspace/amount"
)

var mincoreSentences = sentences{
	why: func(e *evidence) string {
		return fmt.Sprintf("%d of %s resident, in order: %s. For a file that means in the page cache, whether mapped here or not.",
			e.st.Value, amount.Of(e.st.Done, "page")+map[bool]string{true: " is", false: " are"}[e.st.Done == 1], vector(e.st.Bytes))
	},
	reasons: []reason{
		misaligned("mincore(2)"),
		wraps("ENOMEM", "mm/mincore.c"),
		holeIn("ENOMEM", "mincore(2)", (*evidence).pages),
		fallback("EAGAIN", "mincore(2)", "the kernel was short of memory for the moment."),
	},
}

// vector writes an answer of mincore as a row of 1 and 0.
func vector(b []byte) string {
	var out strings.Builder
	for _, x := range b[:min(len(b), 64)] {
		out.WriteByte('0' + x&1)
	}
	if len(b) > 64 {
		out.WriteString("…")
	}
	if out.Len() == 0 {
		return "none"
	}
	return out.String()
}
