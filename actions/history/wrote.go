package history

import (
	"fmt"
	"strconv"
	"strings"
)

// mostQuoted is how many bytes of what a program has written are in a sentence.
const mostQuoted = 256

// WroteText says what a program has written: the end of it; "" where that is nothing.
func WroteText(text string) string {
	if text == "" {
		return ""
	}
	if more := len(text) - mostQuoted; more > 0 {
		text = "…" + strings.ToValidUTF8(text[more:], "")
	}
	return fmt.Sprintf("It has written %s.", strconv.Quote(text))
}
