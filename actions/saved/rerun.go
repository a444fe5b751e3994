package saved

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/vmspace"
	"cowscope/vmspace/printable"
)

// Running a recording again, possibly on another kernel.

// Difference is an answer of the kernel that differs from the recorded one.
type Difference struct {
	Step    int
	Command string
	What    string // result, value, bytes, or command if it could not be run
	Was, Is string
}

func (d Difference) String() string {
	was, is := "was", "is"
	if d.What == "bytes" {
		was, is = "were", "are"
	}
	return fmt.Sprintf("step %d, %s: the %s %s %s, and %s %s", d.Step, printable.Line(d.Command), d.What, was, printable.Line(d.Was), is, printable.Line(d.Is))
}

// Doer runs commands: a fresh session.
type Doer interface {
	Do(ctx context.Context, line string) (*history.Step, error)
	History() []*history.Step
}

// Rerun runs the commands up to step upTo in a fresh session and returns where the answers differ.
// Process ids and frames are expected to differ, and so are addresses if they are random, or if the
// fresh process is laid out differently. Events without a command are not waited for. An error is a
// failure of cowscope itself; the differences so far are returned with it.
func Rerun(ctx context.Context, rec *Recording, s Doer, upTo int) ([]Difference, error) {
	var out []Difference
	fixed := sameLayout(rec.Steps[0].After, s.History()[0].After)
	for _, was := range rec.Steps {
		if was.N > upTo {
			break
		}
		if was.Command == "" {
			continue
		}
		is, err := s.Do(ctx, was.Command)
		var mistake *lang.SyntaxError
		if errors.As(err, &mistake) {
			out = append(out, Difference{was.N, was.Command, "command", "run", "not possible: " + mistake.Msg})
			continue
		}
		if err != nil {
			return out, fmt.Errorf("step %d, %s: %w", was.N, printable.Line(was.Command), err)
		}
		out = append(out, compare(was, is, fixed)...)
	}
	return out, nil
}

// sameLayout reports whether two fresh processes have the same mappings at the same addresses.
func sameLayout(a, b *vmspace.Snapshot) bool {
	if len(a.Processes) != 1 || len(b.Processes) != 1 {
		return false
	}
	p, q := a.Processes[0].Mappings, b.Processes[0].Mappings
	for i, m := range p.All() {
		if i >= q.Len() || q.At(i).Range != m.Range {
			return false
		}
	}
	return p.Len() == q.Len()
}

// valueKind is the kind of a verb's value.
type valueKind uint8

const (
	valueCount valueKind = iota
	valuePID
	valueAddress
)

var values = map[string]valueKind{"fork": valuePID, "vfork": valuePID, "thread": valuePID, "wait": valuePID, "mmap": valueAddress, "mremap": valueAddress, "brk": valueAddress}

// compare returns the differences between two runs of one command.
func compare(was, is *history.Step, fixed bool) []Difference {
	diff := func(what, a, b string) []Difference { return []Difference{{was.N, was.Command, what, a, b}} }
	if was.Result != is.Result {
		return diff("result", was.Result.String(), is.Result.String())
	}
	kind := values[verb(was.Command)]
	comparable := kind == valueCount || kind == valueAddress && fixed
	if comparable && (was.HasValue != is.HasValue || was.HasValue && was.Value != is.Value) {
		return diff("value", was.Answer(), is.Answer())
	}
	if !bytes.Equal(was.Bytes, is.Bytes) {
		return diff("bytes", fmt.Sprintf("%x", was.Bytes), fmt.Sprintf("%x", is.Bytes))
	}
	return nil
}

// verb is the verb of a canonical line: [@p2] [name =] verb ….
func verb(line string) string {
	words := strings.Fields(line)
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		words = words[1:]
	}
	if len(words) > 2 && words[1] == "=" {
		words = words[2:]
	}
	if len(words) == 0 {
		return ""
	}
	return words[0]
}
