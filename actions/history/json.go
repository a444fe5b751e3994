package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"cowscope/vmspace"
)

// A step as JSON, one object per line. Addresses, frames and values are hexadecimal strings,
// because not every JSON reader keeps 64 bits of a number. Fields without a value for this step are
// empty; those that only some kinds of steps have are left out.

// StepJSON is a step as JSON, without its changes.
type StepJSON struct {
	Step         int        `json:"step"`
	Line         int        `json:"line"`
	Process      string     `json:"process"`
	PID          int        `json:"pid"`
	TID          int        `json:"tid,omitempty"`
	Command      string     `json:"command"`
	Event        string     `json:"event,omitempty"`
	Call         string     `json:"call"`
	Result       string     `json:"result"`
	Want         string     `json:"want,omitempty"`
	Got          string     `json:"got,omitempty"`
	Evidence     string     `json:"evidence,omitempty"`
	Value        string     `json:"value"`
	Bytes        string     `json:"bytes,omitempty"`
	Errno        string     `json:"errno"`
	Signal       string     `json:"signal"`
	Code         string     `json:"code"`
	FaultAddress string     `json:"fault_address"`
	Faults       FaultsJSON `json:"faults"`
	Predicted    []string   `json:"predicted"`
	Happened     string     `json:"happened"`
	Explanation  string     `json:"explanation"`
	At           *SiteJSON  `json:"at,omitempty"`
	Wrote        string     `json:"wrote,omitempty"`
}

// FaultsJSON counts faults.
type FaultsJSON struct {
	Minor uint64 `json:"minor"`
	Major uint64 `json:"major"`
}

type jsonChange struct {
	Kind      string `json:"kind"`
	Process   string `json:"process"`
	Start     string `json:"start"`
	Pages     uint64 `json:"pages"`
	From      string `json:"from"`
	To        string `json:"to"`
	FromFrame string `json:"from_frame,omitempty"`
	ToFrame   string `json:"to_frame,omitempty"`
}

// WriteJSON writes the step as one line; line is its line in the script, or 0. A step of the verb
// snapshot has the members of a snapshot's JSON too.
func (st *Step) WriteJSON(w io.Writer, line int) error {
	b, err := EncodeJSON(struct {
		StepJSON
		Changes []jsonChange `json:"changes"`
	}{st.JSON(line), jsonChanges(st.Changes)})
	if err != nil {
		return err
	}
	if st.prints() {
		return withSnapshot(w, b, st.After, st.NameMapping)
	}
	_, err = w.Write(b)
	return err
}

// JSON converts the step to its JSON form.
func (st *Step) JSON(line int) StepJSON {
	o := StepJSON{
		Step: st.N, Line: line, Process: st.Process, PID: st.PID, TID: st.TID, At: st.At.JSON(), Wrote: st.Wrote, Command: st.Command, Event: st.Event, Call: st.Call, Result: st.Result.String(),
		Want: st.Want, Got: st.Got, Evidence: st.Evidence, Faults: FaultsJSON{st.Minor, st.Major},
		Predicted: []string{}, Happened: string(st.Happened), Explanation: st.Why,
	}
	if len(st.Bytes) > 0 {
		o.Bytes = fmt.Sprintf("%x", st.Bytes)
	}
	if st.HasValue {
		o.Value = hex(st.Value)
	}
	switch {
	case st.Result.Ending == EndedSignal:
		o.Signal, o.Code = st.Result.Name, st.Result.Code
		o.FaultAddress = hex(st.Fault)
	case st.Result.Ending == EndedErrno:
		o.Errno = st.Result.Name
	}
	for _, p := range st.Predicted {
		o.Predicted = append(o.Predicted, string(p))
	}
	return o
}

// EncodeJSON is json.Marshal without escapes for <, > and &, and with a newline.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// withSnapshot writes an object and that of a snapshot as one object.
func withSnapshot(w io.Writer, object []byte, s *vmspace.Snapshot, name func(string, vmspace.Mapping) string) error {
	if _, err := w.Write(bytes.TrimSuffix(object, []byte("}\n"))); err != nil {
		return err
	}
	if _, err := io.WriteString(w, ","); err != nil {
		return err
	}
	return s.WriteJSON(&skipper{w: w, n: len("{")}, name)
}

// skipper drops the first n bytes.
type skipper struct {
	w io.Writer
	n int
}

func (s *skipper) Write(b []byte) (int, error) {
	skip := min(s.n, len(b))
	s.n -= skip
	n, err := s.w.Write(b[skip:])
	return n + skip, err
}

func hex(v uint64) string { return fmt.Sprintf("0x%x", v) }

func jsonChanges(cs []vmspace.Change) []jsonChange {
	out := make([]jsonChange, 0, len(cs))
	for _, c := range cs {
		j := jsonChange{Kind: string(c.Kind), Process: c.Process, Start: hex(c.Range.Start), Pages: c.Pages, From: c.From, To: c.To}
		if c.FromFrame != 0 {
			j.FromFrame = hex(c.FromFrame)
		}
		if c.ToFrame != 0 {
			j.ToFrame = hex(c.ToFrame)
		}
		out = append(out, j)
	}
	return out
}
