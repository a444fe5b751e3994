package run

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/trace"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// word is a word of a program that is run: how far it lets the program go.
type word struct {
	lang.Verb
	goal func(*Lab, *lang.Command) (goal, error)
}

// goal is where a program is stopped. It is always stopped at a signal and at its end.
type goal struct {
	reached func(*history.Step) bool // asked at each event; nil: none is it
	breaks  []trace.Breakpoint       // what is an event in addition
}

// Words that have a key.
const (
	Step     = "step"
	Next     = "next"
	Continue = "continue"
)

// Words that let nothing run: Stop stops a program while another one lets it run, Type is for what it
// reads from its terminal.
const (
	Stop = "stop"
	Type = "type"
)

// words is the table. A new word is a line here.
var words = []*word{
	{lang.Verb{Name: Step, Summary: "run: to the next event, or to the next one of a kind",
		Params: []lang.Param{{Name: "event", Kind: lang.KindChoice, Optional: true, Words: []lang.Word{
			{Name: "call", Help: "a system call about memory or processes"}, {Name: "fault", Help: "a page fault"},
			{Name: "fork", Help: "a thread or a process is born"}, {Name: "exec", Help: "a process has a new program"},
			{Name: "exit", Help: "a process has ended"}}}}}, (*Lab).toEvent},
	{lang.Verb{Name: Next, Summary: "run: to the next event of another line of your own source"}, (*Lab).toLine},
	{lang.Verb{Name: "finish", Summary: "run: until the function that is shown has returned"}, (*Lab).toCaller},
	{lang.Verb{Name: Continue, Summary: "run: to the end, or to a signal"}, func(*Lab, *lang.Command) (goal, error) { return goal{}, nil }},
	{lang.Verb{Name: "until", Summary: "run: until FUNCTION, FILE:LINE or ADDRESS is reached; until call NAME; until fault in PLACE; until write to PLACE",
		Params: []lang.Param{{Name: "what", Kind: lang.KindWord, Help: "a function, FILE:LINE, an address; or call, fault in, write to"},
			{Name: "of", Kind: lang.KindWord, Optional: true}, {Name: "place", Kind: lang.KindWord, Optional: true}}}, (*Lab).toPlace},
	{lang.Verb{Name: Stop, Summary: "run: stops the program where it is, while it runs"}, nil},
	{lang.Verb{Name: Type, Summary: "run: types a text at the program's terminal, such as \"yes\\n\"; \"\\x03\" is Ctrl-C",
		Params: []lang.Param{{Name: "text", Kind: lang.KindText}}}, nil},
}

// Grammar is the language of a program that is run: its words, and those of the lab that do not need a
// process of cowscope's own.
func Grammar() (*lang.Grammar, error) {
	var verbs []lang.Verb
	for _, w := range words {
		verbs = append(verbs, w.Verb)
	}
	for _, a := range actions.AllVerbs {
		if !a.Own {
			verbs = append(verbs, a.Verb)
		}
	}
	return lang.NewGrammar(verbs)
}

// Words are the words of the language that only a program that is run has.
func Words() (verbs []*lang.Verb) {
	g, err := Grammar()
	if err != nil {
		return nil
	}
	for _, w := range words {
		verbs = append(verbs, g.Verb(w.Name))
	}
	return verbs
}

func wordOf(name string) *word {
	if i := slices.IndexFunc(words, func(w *word) bool { return w.Name == name }); i >= 0 {
		return words[i]
	}
	return nil
}

func (l *Lab) toEvent(c *lang.Command) (goal, error) {
	kind, given := c.Word("event")
	return goal{reached: func(st *history.Step) bool { return !given || st.Event == kind }}, nil
}

func (l *Lab) toLine(*lang.Command) (goal, error) {
	from := line(l.log.Last())
	return goal{reached: func(st *history.Step) bool {
		at := line(st)
		return at != "" && at != from
	}}, nil
}

// line is the line of the user's own source where a step was.
func line(st *history.Step) string {
	if st.At == nil || st.At.Text == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", st.At.File, st.At.Line)
}

// toCaller stops where the function that is shown comes back to who called it. Another call of that
// function comes back there, too: the stack tells them apart. A goroutine may be on another thread by
// then.
func (l *Lab) toCaller(c *lang.Command) (goal, error) {
	frames, shown := l.run.frames, l.run.shown
	above := shown + 1
	for above < len(frames) && frames[above].Stack == frames[shown].Stack {
		above++
	}
	if above >= len(frames) {
		return goal{}, c.ErrorAt(c.VerbSpan, "what called this function is not known", "until FILE:LINE goes to a line")
	}
	to, tid := frames[above], l.run.event.TID
	return goal{func(st *history.Step) bool {
		now := l.run.event.Stack()
		return st.Event == trace.Reached.String() && (now == to.Stack || st.TID == tid && now > to.Stack)
	}, []trace.Breakpoint{{Addr: to.Counter}}}, nil
}

// breaking is a goal with breakpoints: the first few, if there are more than the processor has.
func breaking(event trace.Kind, at []trace.Breakpoint) goal {
	return goal{func(st *history.Step) bool { return st.Event == event.String() }, at[:min(len(at), trace.MostBreakpoints)]}
}

// toPlace is the goal of until.
func (l *Lab) toPlace(c *lang.Command) (goal, error) {
	what, _ := c.Word("what")
	of, two := c.Word("of")
	place, three := c.Word("place")
	switch {
	case what == "call" && two && !three:
		return l.untilCall(c, of)
	case what == "fault" && of == "in" && three:
		r, err := l.memory(c, "place", place)
		return goal{reached: func(st *history.Step) bool { return st.Event == trace.Fault.String() && r.Contains(st.Fault) }}, err
	case what == "write" && of == "to" && three:
		return l.untilWrite(c, place)
	case two:
		return goal{}, c.ErrorIn("of", "until does not know "+strconv.Quote(strings.TrimSpace(what+" "+of)), "until call NAME, until fault in PLACE, until write to PLACE; or one word: a function, FILE:LINE, an address")
	}
	return l.untilCode(c, what)
}

func (l *Lab) untilCall(c *lang.Command, name string) (goal, error) {
	known := verb.ForeignNames()
	if !slices.Contains(known, name) {
		return goal{}, c.ErrorIn("of", name+" is no call that stops the program", "those are "+strings.Join(known, ", "))
	}
	return goal{reached: func(st *history.Step) bool { return st.Verb == name }}, nil
}

// untilWrite watches up to 8 bytes for each breakpoint that the processor has.
func (l *Lab) untilWrite(c *lang.Command, place string) (goal, error) {
	r, err := l.place(c, "place", place)
	if err != nil {
		return goal{}, err
	}
	const word = 8
	var at []trace.Breakpoint
	for addr := r.Start; addr < r.End; {
		n := uint64(word)
		for addr%n != 0 || addr+n > r.End {
			n /= 2
		}
		at = append(at, trace.Breakpoint{Addr: addr, Written: n})
		addr += n
	}
	if len(at) > trace.MostBreakpoints {
		return goal{}, c.ErrorIn("place", fmt.Sprintf("%d bytes are too many: the processor watches %d words of %d", r.Len(), trace.MostBreakpoints, word), "an offset, such as "+strings.TrimPrefix(place, "&")+"+8, is one word; &NAME is the variable, and not what it points to")
	}
	return breaking(trace.Written, at), nil
}

// untilCode stops at a function, a line of source or an address.
func (l *Lab) untilCode(c *lang.Command, what string) (goal, error) {
	p := l.log.Last().After.Process(l.log.Last().Current)
	if p == nil {
		return goal{}, c.ErrorIn("what", "no process is left", "")
	}
	var at []trace.Breakpoint
	file, number, isLine := strings.Cut(what, ":")
	n, err := strconv.Atoi(number)
	switch {
	case isLine && (err != nil || n <= 0):
		return goal{}, c.ErrorIn("what", number+" is no number of a line", "such as "+file+":12")
	case isLine:
		addrs, _ := l.run.table.Lines(p.PID, p.Mappings, file, n)
		for _, addr := range addrs {
			at = append(at, trace.Breakpoint{Addr: addr})
		}
		if len(at) == 0 {
			return goal{}, c.ErrorIn("what", "no code is known of "+what, "a program has lines if it was compiled with -g")
		}
	case strings.HasPrefix(what, "0x"):
		r, err := l.place(c, "what", what)
		if err != nil {
			return goal{}, err
		}
		if m, ok := p.MappingAt(r.Start); !ok || m.Perms&vmspace.Exec == 0 {
			return goal{}, c.ErrorIn("what", what+" is no code", "until write to "+what+" stops at a write")
		}
		at = append(at, trace.Breakpoint{Addr: r.Start})
	default:
		for _, s := range l.run.table.Find(p.PID, p.Mappings, what) {
			if s.Code {
				at = append(at, trace.Breakpoint{Addr: s.Start})
			}
		}
		if len(at) == 0 {
			return goal{}, c.ErrorIn("what", "no function is called "+what, "its name is as in the source; FILE:LINE and 0xADDRESS are other places")
		}
	}
	return breaking(trace.Reached, at), nil
}

// memory is the memory that a place names: a mapping, or the pages of a variable.
func (l *Lab) memory(c *lang.Command, param, text string) (vmspace.Range, error) {
	r, err := l.place(c, param, text)
	if err != nil {
		return r, err
	}
	st := l.log.Last()
	if p := st.After.Process(st.Current); strings.HasPrefix(text, "0x") && p != nil {
		if m, ok := p.MappingAt(r.Start); ok {
			return m.Range, nil
		}
	}
	size := st.After.PageSize
	return vmspace.Range{Start: r.Start &^ (size - 1), End: (r.End + size - 1) &^ (size - 1)}, nil
}

// place is the bytes that a place names: a variable, a mapping that has a name, or a word at an
// address. With & it is the variable, also where a mapping is called after it.
func (l *Lab) place(c *lang.Command, param, text string) (vmspace.Range, error) {
	st := l.log.Last()
	named := l.run.named
	text, itself := strings.CutPrefix(text, "&")
	if itself {
		named = l.run.variable
	}
	pl, err := lang.ParsePlace(text)
	if err != nil {
		return vmspace.Range{}, c.ErrorIn(param, text+" is no place", "a place is a variable, heap, stack or an address, such as counter, counter+8, 0x404010")
	}
	const word = 8
	r := vmspace.Range{Start: pl.Addr, End: pl.Addr + word}
	if pl.IsName() {
		b, ok := named(st, st.Current, pl.Name)
		if v, local := l.run.local(st.After.Process(st.Current), pl.Name); !ok && local && v.Kept {
			return r, c.ErrorIn(param, pl.Name+" is not in memory here", "compiled with -O0 it would lie on the stack")
		}
		if !ok {
			return r, c.ErrorIn(param, "nothing is called "+pl.Name+" in "+st.Current, "a variable of the whole program or of the function that is shown, heap and stack have names")
		}
		r = b
	}
	addr, err := pl.Resolve(r.Start, st.After.PageSize)
	if err != nil {
		return r, c.ErrorIn(param, err.Error(), "addresses have 64 bits")
	}
	if addr != r.Start {
		r = vmspace.Range{Start: addr, End: addr + word}
	}
	return r, nil
}
