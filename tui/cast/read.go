package cast

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Event is one line of a recording.
type Event struct {
	At   time.Duration // since the beginning
	Kind string
	Data string
}

// maxLine is the maximum length of a line, in bytes.
const maxLine = 64 << 20

// Read reads a recording. If it returns an error, it also returns the events before it: a recorder
// that was killed may leave half a line.
func Read(r io.Reader) (Header, []Event, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	if !in.Scan() {
		return Header{}, nil, errForeign
	}
	h, err := parseHeader(in.Bytes())
	if err != nil {
		return h, nil, err
	}
	var events []Event
	last := time.Duration(0)
	for n := 2; in.Scan(); n++ {
		if h.Version == 3 && len(in.Bytes()) > 0 && in.Bytes()[0] == '#' {
			continue
		}
		var seconds float64
		var e Event
		if err := json.Unmarshal(in.Bytes(), &[]any{&seconds, &e.Kind, &e.Data}); err != nil {
			return h, events, fmt.Errorf("line %d is not an event: %w", n, err)
		}
		e.At = time.Duration(seconds * float64(time.Second)).Round(time.Microsecond)
		if h.Version == 3 {
			e.At += last
		}
		last = e.At
		events = append(events, e)
	}
	return h, events, in.Err()
}
