package vmspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cowscope/vmspace/printable"
)

// maxJSONValue limits the bytes of JSON of one value: a name, a run of pages, the VmFlags of a
// mapping.
const maxJSONValue = 1 << 20

// JSONError is an error in the JSON of a snapshot.
type JSONError struct {
	Line   int   // from 1
	Offset int64 // of the error, or of the end of what was read before the wrong value, in bytes
	Msg    string
}

func (e *JSONError) Error() string {
	return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Offset, e.Msg)
}

// jsonInput counts the bytes that are read, and limits the length of a value.
type jsonInput struct {
	r      io.Reader
	err    error
	read   int64
	done   int64   // bytes that were parsed
	line   int     // of the byte behind them
	breaks []int64 // offsets of the newlines that come after
}

func (in *jsonInput) Read(b []byte) (int, error) {
	if in.read-in.done > maxJSONValue {
		return 0, &JSONError{in.line, in.done, fmt.Sprintf("a value is longer than %d bytes", maxJSONValue)}
	}
	n, err := in.r.Read(b[:min(len(b), maxJSONValue)])
	for i, c := range b[:n] {
		if c == '\n' {
			in.breaks = append(in.breaks, in.read+int64(i))
		}
	}
	in.read, in.err = in.read+int64(n), err
	return n, err
}

// parsed notes that the text was parsed up to offset.
func (in *jsonInput) parsed(offset int64) {
	in.done = offset
	n := 0
	for n < len(in.breaks) && in.breaks[n] < offset {
		n++
	}
	in.line += n
	in.breaks = in.breaks[n:]
}

// jsonParser reads JSON value by value.
type jsonParser struct {
	in  *jsonInput
	dec *json.Decoder
}

func newJSONParser(r io.Reader) jsonParser {
	in := &jsonInput{r: r, line: 1}
	dec := json.NewDecoder(in)
	dec.DisallowUnknownFields()
	return jsonParser{in, dec}
}

// mistake returns an error at the place that was reached.
func (d *jsonParser) mistake(format string, args ...any) error {
	return &JSONError{d.in.line, d.in.done, fmt.Sprintf(format, args...)}
}

// placed returns err as a JSONError, unless the reader failed.
func (d *jsonParser) placed(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, new(*JSONError)):
		return err
	case d.in.err != nil && d.in.err != io.EOF:
		return d.in.err
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return d.mistake("the text ends too early")
	case errors.As(err, &kind):
		return d.mistake("%s stands where a value of another type belongs", kind.Value)
	}
	return d.mistake("%s", printable.Line(strings.TrimPrefix(err.Error(), "json: ")))
}

func (d *jsonParser) token() (json.Token, error) {
	t, err := d.dec.Token()
	if err == nil {
		d.in.parsed(d.dec.InputOffset())
	}
	return t, err
}

// value reads the next value into v: a pointer, or a function that reads the value itself or
// receives it as a string.
func (d *jsonParser) value(v any) error {
	switch v := v.(type) {
	case func() error:
		return v()
	case func(string) error:
		var text string
		if err := d.value(&text); err != nil {
			return err
		}
		return v(text)
	}
	err := d.dec.Decode(v)
	if err == nil {
		d.in.parsed(d.dec.InputOffset())
	}
	return err
}

// open reads the delimiter that begins or ends an object or an array.
func (d *jsonParser) open(delim json.Delim) error {
	t, err := d.token()
	if err == nil && t != delim {
		err = d.mistake("%s is expected, not %s", delim, printable.Line(fmt.Sprintf("%.40v", t)))
	}
	return err
}

// member is a member of an object.
type member struct {
	name  string
	to    any // receives the value, as in jsonParser.value
	given bool
}

// object reads an object with the given members, each at most once.
func (d *jsonParser) object(members []member) error {
	if err := d.open('{'); err != nil {
		return err
	}
	for d.dec.More() {
		t, err := d.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		i := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		switch {
		case i < 0:
			return d.mistake("unknown member %.40q: there are %s", name, namesOf(members))
		case members[i].given:
			return d.mistake("%s comes twice", name)
		}
		members[i].given = true
		if err := d.value(members[i].to); err != nil {
			return err
		}
	}
	return d.open('}')
}

func namesOf(members []member) string {
	var names []string
	for _, m := range members {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}

// need returns an error if one of the names has not come yet; where is appended to its text.
func (d *jsonParser) need(members []member, where string, names ...string) error {
	for _, m := range members {
		if !m.given && slices.Contains(names, m.name) {
			return d.mistake("%s is missing%s", m.name, where)
		}
	}
	return nil
}

// array reads an array, and calls element for each of its elements.
func (d *jsonParser) array(element func() error) error {
	if err := d.open('['); err != nil {
		return err
	}
	for d.dec.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return d.open(']')
}
