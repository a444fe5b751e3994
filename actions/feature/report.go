package feature

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"cowscope/vmspace/printable"
)

// Rules of this file: the text fits a terminal of 80 columns, is readable without colour, and
// contains only printable characters.

const columns = 79

// Startable is nil if a subject can be started, without which cowscope is of little use; otherwise
// the error is the reason.
func (r Report) Startable() error {
	for _, f := range r.Features {
		if f.Name == "ptrace" && !f.Available {
			return errors.New(f.Reason)
		}
	}
	return nil
}

// WriteJSON writes the report as one JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return out.Encode(r)
}

// WriteText writes the report for people: a head, a line per feature with the reason below it if it
// is missing, and a summary.
func (r Report) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	system := "Linux " + r.Kernel
	if r.Kernel == "" {
		system = "no Linux"
	}
	head := fmt.Sprintf("%s on %s, pages of %d bytes, user %s", system, r.Arch, r.PageSize, r.User)
	for _, line := range wrap(head, columns) {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintln(out)
	wide := 0
	for _, f := range r.Features {
		wide = max(wide, len(f.Name))
	}
	there := 0
	for _, f := range r.Features {
		mark := "no"
		if f.Available {
			mark = "yes"
			there++
		}
		lead := fmt.Sprintf("%-3s  %-*s  ", mark, wide, f.Name)
		rest := columns - len(lead)
		for _, line := range slices.Concat(wrap(f.What, rest), indent(wrap(f.Reason, rest-2))) {
			fmt.Fprintf(out, "%s%s\n", lead, line)
			lead = strings.Repeat(" ", len(lead))
		}
	}
	fmt.Fprintf(out, "\n%d of %d are available", there, len(r.Features))
	if r.Startable() == nil {
		fmt.Fprintln(out, "; a subject can be started.")
	} else {
		fmt.Fprintln(out, "; no subject can be started, so that cowscope can only\nlook at other processes.")
	}
	return out.Flush()
}

func indent(lines []string) []string {
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return lines
}

// wrap breaks text into lines of at most width characters, between words where it can.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		// A reason may contain a path, and a user name may contain anything.
		word = printable.Line(word)
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for utf8.RuneCountInString(word) > width {
			cut := string([]rune(word)[:width])
			lines, word = append(lines, cut), word[len(cut):]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
