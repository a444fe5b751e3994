package feature

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"cowscope/vmspace/printable"
)

// WriteShared writes the report for somebody else to read: without the user's name, and without paths
// but those that every system has. distribution is the text of /etc/os-release, "" for none.
func (r Report) WriteShared(w io.Writer, distribution string) error {
	out := bufio.NewWriter(w)
	for line := range strings.Lines(distribution) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			fmt.Fprintln(out, printable.Line(strings.Trim(name, `"`)))
		}
	}
	who := "an ordinary user"
	if os.Geteuid() == 0 {
		who = "root"
	}
	fmt.Fprintf(out, "pages of %d bytes, %s\n\n", r.PageSize, who)
	for _, f := range r.Features {
		if f.Available {
			fmt.Fprintln(out, "yes", f.Name)
			continue
		}
		fmt.Fprintf(out, "no  %s: %s\n", f.Name, impersonal(f.Reason))
	}
	return out.Flush()
}

// common are the folders that every system has.
var common = []string{"/proc/", "/sys/", "/dev/"}

// impersonal is a text without paths of the user's, and without those of single processes.
func impersonal(text string) string {
	var out []string
	for word := range strings.FieldsSeq(text) {
		path := strings.TrimLeft(word, `("'`)
		personal := strings.HasPrefix(path, "/") || strings.HasPrefix(path, "~")
		for _, c := range common {
			rest, ok := strings.CutPrefix(path, c)
			if ok && (rest == "" || rest[0] < '0' || rest[0] > '9') {
				personal = false
			}
		}
		if personal {
			word = "PATH"
		}
		out = append(out, printable.Line(word))
	}
	return strings.Join(out, " ")
}
