package printable

import (
	"fmt"
	"strings"
)

// mostListed is how many of a list are named.
const mostListed = 4

// List names some, and counts the rest: "a", "a and b", "a, b and c", "a, b, c and 60 more".
func List(names []string) string {
	n := len(names)
	switch {
	case n < 2:
		return strings.Join(names, "")
	case n > mostListed:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostListed-1], ", "), n-mostListed+1)
	}
	return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
}
