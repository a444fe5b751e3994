package cast

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"cowscope/vmspace/printable"
)

// The kinds of events.
const (
	Output = "o"
	Input  = "i"
	Marker = "m"
	Resize = "r"
)

// Frame is the time within which output counts as one event: a screen does not draw faster.
const Frame = time.Second / 60

// Writer writes a recording. It reads no clock: each event has its time since the beginning. Only
// one goroutine at a time may use it.
type Writer struct {
	w       io.Writer
	version int
	last    time.Duration // of the line written last
	err     error

	out   []byte // output of the frame that is not over yet
	since time.Duration
	cut   map[string][]byte // by kind: an incomplete character at the end
}

// NewWriter writes the header.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	b, err := h.line()
	if err == nil {
		_, err = w.Write(b)
	}
	if err != nil {
		return nil, err
	}
	return &Writer{w: w, version: h.Version, cut: map[string][]byte{}}, nil
}

// Output records what a program wrote. It is held until the end of its frame: until later output,
// another event, or Flush.
func (w *Writer) Output(at time.Duration, b []byte) error {
	if len(w.out) > 0 && at-w.since >= Frame {
		w.Flush()
	}
	if len(w.out) == 0 {
		w.since = at
	}
	w.out = append(w.out, b...)
	return w.err
}

// Input records what was typed.
func (w *Writer) Input(at time.Duration, b []byte) error {
	w.Flush()
	if text := w.whole(Input, b); text != "" {
		w.event(at, Input, text)
	}
	return w.err
}

// Marker begins a chapter.
func (w *Writer) Marker(at time.Duration, label string) error {
	w.Flush()
	return w.event(at, Marker, printable.Line(label))
}

// Resize records that the terminal has another size.
func (w *Writer) Resize(at time.Duration, width, height int) error {
	w.Flush()
	return w.event(at, Resize, fmt.Sprintf("%dx%d", width, height))
}

// Flush writes the held output.
func (w *Writer) Flush() error {
	if len(w.out) == 0 {
		return w.err
	}
	text := w.whole(Output, w.out)
	w.out = w.out[:0]
	if text == "" {
		return w.err
	}
	return w.event(w.since, Output, text)
}

// whole returns what was held back before and b, up to the end of the last complete character; the
// rest is held back.
func (w *Writer) whole(kind string, b []byte) string {
	b = append(w.cut[kind], b...)
	n := len(b)
	for i := max(0, n-utf8.UTFMax+1); i < n; i++ {
		if utf8.RuneStart(b[i]) && !utf8.FullRune(b[i:]) {
			n = i
		}
	}
	w.cut[kind] = append([]byte(nil), b[n:]...)
	return strings.ToValidUTF8(string(b[:n]), "\uFFFD")
}

// event writes one line. After an error nothing more is written: a file that ends early is better
// than one with a gap.
func (w *Writer) event(at time.Duration, kind, data string) error {
	// The file has microseconds: rounding here keeps relative times from drifting.
	at = max(at.Truncate(time.Microsecond), w.last)
	seconds := at
	if w.version == 3 {
		seconds -= w.last
	}
	text, err := encode(data)
	if err == nil && w.err == nil {
		_, err = fmt.Fprintf(w.w, "[%.6f, %q, %s]\n", seconds.Seconds(), kind, text[:len(text)-1])
	}
	if w.err == nil {
		w.err = err
	}
	w.last = at
	return w.err
}
