package compare

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// WriteText writes the result for people: for each process what became of its memory in all, and
// then a line for each mapping, the largest change first.
func (d *Result) WriteText(to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	for i, p := range d.pairs {
		if i > 0 {
			fmt.Fprintln(w)
		}
		d.head(w, p)
		if p.by == "" {
			continue
		}
		d.totals(w, p)
		rangeWidth := 0
		for _, c := range p.changes {
			rangeWidth = max(rangeWidth, len(p.place(c)))
		}
		for _, c := range p.changes {
			path := ""
			if c.mapping.Path != "" {
				path = "  " + printable.Name(c.mapping.Path)
			}
			fmt.Fprintf(w, "%9s  %-*s %s %-7s %s%s\n", amount.Size(c.bytes), rangeWidth, p.place(c), c.mapping.Perms, c.mapping.Kind(), p.what(c), path)
		}
		switch {
		case p.less > 0:
			fmt.Fprintf(w, "and %s with less, %s together\n", amount.Of(uint64(p.less), "mapping"), amount.Size(p.lessSize))
		case len(p.changes) == 0:
			fmt.Fprintln(w, "no mapping and no page differs")
		}
	}
	return w.Flush()
}

// head says which processes are compared, and how.
func (d *Result) head(w io.Writer, p *pair) {
	switch {
	case p.a == nil:
		fmt.Fprintf(w, "%s came: rss %s\n", p.b, amount.Size(p.b.rss))
	case p.b == nil:
		fmt.Fprintf(w, "%s went: rss was %s\n", p.a, amount.Size(p.a.rss))
	case p.a.err != "":
		fmt.Fprintf(w, "%s could not be read before: %s\n", p.a, printable.Line(p.a.err))
	case p.b.err != "":
		fmt.Fprintf(w, "%s could not be read after: %s\n", p.b, printable.Line(p.b.err))
	case p.by == byAddress:
		fmt.Fprintf(w, "%s, mappings paired by address\n", p.b)
	default:
		fmt.Fprintf(w, "%s → %s, mappings paired by path and letters\n", p.a, p.b)
	}
}

func (p *process) String() string { return fmt.Sprintf("%s pid %d", printable.Line(p.label), p.pid) }

// totals says what became of the process in all.
func (d *Result) totals(w io.Writer, p *pair) {
	fmt.Fprintf(w, "rss: %s → %s (%s)\n", amount.Size(p.a.rss), amount.Size(p.b.rss), signed(p.a.rss, p.b.rss))
	var parts []string
	for s := range unmapped {
		if x, y := p.before[s], p.after[s]; x != y {
			parts = append(parts, fmt.Sprintf("%d → %d %s (%s)", x, y, s, signed(x*d.pageSize, y*d.pageSize)))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "pages: %s\n", strings.Join(parts, ", "))
	}
	parts = nil
	for _, k := range p.moves.sorted() {
		parts = append(parts, fmt.Sprintf("%d %s → %s (%s)", p.moves[k], nameOf(k[0]), nameOf(k[1]), amount.Size(p.moves[k]*d.pageSize)))
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "became: %s\n", strings.Join(parts, ", "))
	}
}

// signed is a difference of bytes with its sign.
func signed(before, after uint64) string {
	if after < before {
		return "-" + amount.Size(before-after)
	}
	return "+" + amount.Size(after-before)
}

// place says where a change is.
func (p *pair) place(c *change) string {
	switch {
	case p.by == byAddress:
		return fmt.Sprintf("%x-%x", c.mapping.Start, c.mapping.End)
	case c.number[0] == c.number[1] || c.what == came:
		return amount.Of(uint64(c.number[1]), "mapping")
	case c.what == went:
		return amount.Of(uint64(c.number[0]), "mapping")
	}
	return fmt.Sprintf("%d → %s", c.number[0], amount.Of(uint64(c.number[1]), "mapping"))
}

// what says what became of it.
func (p *pair) what(c *change) string {
	var parts []string
	if c.what == changed && c.was != c.mapping.Perms {
		parts = append(parts, "letters "+c.was.String()+" → "+c.mapping.Perms.String())
	}
	for _, k := range c.moves.sorted() {
		switch {
		case c.what == came:
			parts = append(parts, fmt.Sprintf("%d %s", c.moves[k], nameOf(k[1])))
		case c.what == went:
			parts = append(parts, fmt.Sprintf("%d %s", c.moves[k], nameOf(k[0])))
		default:
			parts = append(parts, fmt.Sprintf("%d %s → %s", c.moves[k], nameOf(k[0]), nameOf(k[1])))
		}
	}
	for s := range unmapped {
		switch x, y := c.before[s], c.after[s]; {
		case x == y:
		case c.what == came:
			parts = append(parts, fmt.Sprintf("%d %s", y, s))
		case c.what == went:
			parts = append(parts, fmt.Sprintf("%d %s", x, s))
		default:
			parts = append(parts, fmt.Sprintf("%d → %d %s", x, y, s))
		}
	}
	text := strings.Join(parts, ", ")
	if c.what == changed {
		return text
	}
	return c.what + ": " + text
}

// The members of the JSON. Addresses are strings in hexadecimal, as in that of a snapshot.

type jsonResult struct {
	PageSize  uint64     `json:"page_size"`
	Processes []jsonPair `json:"processes"`
}

type jsonPair struct {
	Before  *jsonProcess `json:"before"`
	After   *jsonProcess `json:"after"`
	Paired  string       `json:"paired,omitempty"`
	States  []jsonState  `json:"states"`
	Moves   []jsonMove   `json:"moves"`
	Changes []jsonChange `json:"changes"`
	Less    jsonLess     `json:"less"`
}

type jsonProcess struct {
	Label string `json:"label"`
	PID   int    `json:"pid"`
	Error string `json:"error,omitempty"`
	RSS   uint64 `json:"rss"`
}

type jsonState struct {
	State  string `json:"state"`
	Before uint64 `json:"before"`
	After  uint64 `json:"after"`
}

type jsonMove struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Pages uint64 `json:"pages"`
	Bytes uint64 `json:"bytes"`
}

type jsonChange struct {
	What        string      `json:"what"`
	Bytes       uint64      `json:"bytes"`
	Start       string      `json:"start,omitempty"`
	End         string      `json:"end,omitempty"`
	Mappings    []int       `json:"mappings,omitempty"`
	Perms       string      `json:"perms"`
	PermsBefore string      `json:"perms_before,omitempty"`
	Kind        string      `json:"kind"`
	Path        string      `json:"path"`
	Moves       []jsonMove  `json:"moves,omitempty"`
	States      []jsonState `json:"states,omitempty"`
}

type jsonLess struct {
	Mappings int    `json:"mappings"`
	Bytes    uint64 `json:"bytes"`
}

// WriteJSON writes the result as one JSON object.
func (d *Result) WriteJSON(to io.Writer) error {
	out := jsonResult{PageSize: d.pageSize, Processes: []jsonPair{}}
	for _, p := range d.pairs {
		j := jsonPair{Before: p.a.json(), After: p.b.json(), Paired: p.by, States: statesOf(p.before, p.after), Moves: d.jsonMoves(p.moves),
			Changes: []jsonChange{}, Less: jsonLess{p.less, p.lessSize}}
		for _, c := range p.changes {
			m := c.mapping
			k := jsonChange{What: c.what, Bytes: c.bytes, Perms: m.Perms.String(), Kind: m.Kind().String(), Path: m.Path}
			if c.was != m.Perms {
				k.PermsBefore = c.was.String()
			}
			if p.by == byAddress {
				k.Start, k.End, k.Moves = fmt.Sprintf("0x%x", m.Start), fmt.Sprintf("0x%x", m.End), d.jsonMoves(c.moves)
			} else {
				k.Mappings, k.States = c.number[:], statesOf(c.before, c.after)
			}
			j.Changes = append(j.Changes, k)
		}
		out.Processes = append(out.Processes, j)
	}
	w := bufio.NewWriterSize(to, 64<<10)
	if err := json.NewEncoder(w).Encode(out); err != nil {
		return err
	}
	return w.Flush()
}

func (p *process) json() *jsonProcess {
	if p == nil {
		return nil
	}
	return &jsonProcess{p.label, p.pid, p.err, p.rss}
}

func statesOf(before, after counts) []jsonState {
	out := []jsonState{}
	for s := range unmapped {
		if before[s] != 0 || after[s] != 0 {
			out = append(out, jsonState{vmspace.State(s).String(), before[s], after[s]})
		}
	}
	return out
}

func (d *Result) jsonMoves(m moves) []jsonMove {
	out := []jsonMove{}
	for _, k := range m.sorted() {
		out = append(out, jsonMove{nameOf(k[0]), nameOf(k[1]), m[k], m[k] * d.pageSize})
	}
	return out
}
