// Keys: one literal holds a key, its help, what it does, and why it cannot be used just now.

package tui

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/history"
	"cowscope/actions/run"
	"cowscope/tui/pane"

	tea "charm.land/bubbletea/v2"
)

// binding is one row of the table.
type binding struct {
	keys  []string // as Bubble Tea names them; the first is the one shown
	show  string   // how the key is written for people, where it differs from keys[0]
	short string   // for the key bar; "" keeps it out
	help  string   // for the help card and the README
	do    func(*App) tea.Cmd
	off   func(*App) string // why it cannot be used now, "" if it can
	in    func(*App) bool   // whether this lab has the key; nil for all labs
	watch bool              // of use only where a process is watched
}

func (b binding) label() string {
	if b.show != "" {
		return b.show
	}
	return strings.Join(b.keys, " ")
}

// bindings is the table of all keys, the essential ones first: what does not fit the key bar is
// left out from the end.
var bindings []binding

func init() { // the help overlay shows the table, and the table opens it
	bindings = []binding{
		{keys: []string{"space"}, show: "Space", short: "step", help: "run: let the program run to its next event; Esc stops one that has none", do: runLine(run.Step), off: needNewest, in: runs},
		{keys: []string{"n"}, short: "line", help: "run: to the next line of source that has an event", do: runLine(run.Next), off: needNewest, in: runs},
		{keys: []string{"c"}, short: "continue", help: "run: to the end, or to a signal", do: runLine(run.Continue), off: needNewest, in: runs},
		{keys: []string{"t"}, short: "type", help: "run: type at the program's terminal, which reads it when it runs on", do: openType, off: needNewest, in: types},
		{keys: []string{"m"}, short: "mmap", help: "form: map (Enter maps 4 pages, rw, private, anonymous)", do: openForm("mmap"), off: needProcess},
		{keys: []string{"w"}, short: "write", help: "store the next byte value at the cursor", do: (*App).storeNext, off: needProcess},
		{keys: []string{"f"}, short: "fork", help: "fork the current process", do: runLine("fork"), off: needProcess},
		{keys: []string{"tab"}, show: "Tab", short: "process", help: "go to the next process", do: useProcess(1), off: needRelative},
		{keys: []string{"q"}, short: "quit", help: "quit: end the subject and its children, and restore the terminal", do: (*App).quit},
		{keys: []string{"?"}, short: "help", help: "this card: keys and states", do: openHelp},
		{keys: []string{":"}, short: "command", help: "command line, with history and completion", do: openCommand, off: needCommands},
		{keys: []string{"r"}, short: "read", help: "load a byte at the cursor", do: atCursor("read %s"), off: needProcess},
		{keys: []string{"x"}, short: "exec", help: "jump to the cursor and execute what is there", do: atCursor("exec %s"), off: needVerb("exec")},
		{keys: []string{"p"}, short: "mprotect", help: "form: change the protection of the selected mapping", do: openForm("mprotect"), off: needProcess},
		{keys: []string{"u"}, short: "munmap", help: "form: unmap the selected mapping", do: openForm("munmap"), off: needProcess},
		{keys: []string{"["}, show: "[ ]", short: "history", help: "history: one step back, one step forward", do: walk(-1)},
		{keys: []string{"]"}, do: walk(1)},
		{keys: []string{"{"}, show: "{ }", help: "history: the first step, and back to live", do: walk(-1 << 30)},
		{keys: []string{"}"}, do: walk(1 << 30)},
		{keys: []string{"i"}, short: "inspect", help: "inspector: words, raw words, bytes; of a program that is run its source, and what it has written", do: (*App).cycleInspector},
		{keys: []string{"M"}, short: "mark", help: "watch: mark; what was written, copied, appeared and went since then", do: openMark, off: needMarker, watch: true},
		{keys: []string{"K"}, short: "kill", help: "exit or kill the current process", do: openKill, off: needVerb("kill")},
		{keys: []string{"W"}, help: "form: write a text or a byte anywhere", do: openForm("write"), off: needProcess},
		{keys: []string{"R"}, help: "form: read any number of bytes", do: openForm("read"), off: needProcess},
		{keys: []string{"B"}, short: "bill", help: "in watch: the bill of the forks: what is shared, who copied what, what another fork would cost", do: openBill, in: hasBill},
		{keys: []string{"B"}, help: "the presenter's bar: the last key, and the command that it made", do: (*App).togglePresenter, in: func(m *App) bool { return !hasBill(m) }},
		{keys: []string{"V"}, help: "verdicts: what the memory of these processes is, and why there is so much", do: openWhy, off: needHere},
		{keys: []string{"T"}, help: "watch: the places in the code that take page faults, and what those do", do: openTouches},
		{keys: []string{"C"}, help: "pages drawn by the code that touched them first, a letter each; again: by their states", do: (*App).drawByTouch},
		{keys: []string{"P"}, help: "a picture of the screen: cowscope-1.svg, cowscope-2.svg… in the current directory", do: (*App).takeStill},
		{keys: []string{"ctrl+z"}, show: "Ctrl-Z", help: "suspend, as a job of the shell; fg continues", do: (*App).suspend},
		{keys: []string{"n"}, help: "start a fresh subject: every process ends, and p1 starts again", do: runLine("restart"), off: needLive, in: func(m *App) bool { return !runs(m) }},
		{keys: []string{"shift+tab"}, show: "Shift+Tab", help: "go to the previous process", do: useProcess(-1), off: needRelative},
		{keys: []string{"up", "k"}, show: "↑ ↓ or k j", help: "select a row of the map", do: moveRow(-1)},
		{keys: []string{"down", "j"}, do: moveRow(1)},
		{keys: []string{"left", "h"}, show: "← → or h", help: "move to another page of the row", do: movePage(-1)},
		{keys: []string{"right"}, do: movePage(1)},
		{keys: []string{"enter", "o"}, show: "Enter", short: "fold", help: "open or close a fold: the segments of one ELF file", do: (*App).toggleFold, off: needFold, in: folds},
		{keys: []string{"/"}, help: "go to an address, a name, or a part of a path", do: openSeek},
		{keys: []string{"O"}, help: "open or close all folds", do: (*App).toggleFolds, in: folds},
		{keys: []string{"g", "home"}, show: "g G", help: "first and last row", do: (*App).firstRow},
		{keys: []string{"G", "end"}, do: (*App).lastRow},
		{keys: []string{"shift+left"}, show: "Shift+← →", help: "one line of the page grid back or forward", do: moveLine(-1)},
		{keys: []string{"shift+right"}, do: moveLine(1)},
		{keys: []string{"pgup"}, show: "PgUp PgDn", help: "one screen of rows up or down", do: moveScreen(-1)},
		{keys: []string{"pgdown"}, do: moveScreen(1)},
		{keys: []string{"v"}, help: "form: madvise", do: openForm("madvise"), off: needVerb("madvise")},
		{keys: []string{"e"}, help: "form: mremap", do: openForm("mremap"), off: needVerb("mremap")},
		{keys: []string{"s"}, help: "form: msync", do: openForm("msync"), off: needVerb("msync")},
		// Without l, → alone moves right.
		{keys: []string{"l"}, help: "form: mlock", do: openForm("mlock"), off: needVerb("mlock")},
		{keys: []string{"b"}, help: "form: brk", do: openForm("brk"), off: needVerb("brk")},
		{keys: []string{"z"}, help: "form: mseal", do: openForm("mseal"), off: needVerb("mseal")},
	}
}

// act runs the binding of a key, or says why it cannot.
func (m *App) act(k tea.KeyPressMsg) tea.Cmd {
	if m.course != nil {
		if cmd, ok := m.courseKey(k); ok {
			return cmd
		}
	}
	name := k.String()
	for _, b := range bindings {
		if !slices.Contains(b.keys, name) || b.in != nil && !b.in(m) {
			continue
		}
		if b.off != nil {
			if why := b.off(m); why != "" {
				m.say(why, true)
				return nil
			}
		}
		return b.do(m)
	}
	return nil
}

// allBindings are the keys of a lesson, where one is shown, and those of the lab.
func (m *App) allBindings() []binding {
	bindings := slices.DeleteFunc(slices.Clone(bindings), func(b binding) bool { return b.in != nil && !b.in(m) })
	if m.course == nil {
		return bindings
	}
	own := map[string]bool{}
	var out []binding
	for _, b := range courseBindings {
		out = append(out, b)
		for _, k := range b.keys {
			own[k] = true
		}
	}
	for _, b := range bindings {
		if !own[b.keys[0]] {
			out = append(out, b)
		}
	}
	return out
}

// keyBar is the table as the key bar shows it.
func (m *App) keyBar() []pane.KeyHelp {
	if m.busy != "" && runs(m) {
		return []pane.KeyHelp{{Key: "Esc", Short: "stop it"}, {Key: "q", Short: "quit"}}
	}
	var out []pane.KeyHelp
	for i, b := range m.allBindings() {
		off := b.off != nil && b.off(m) != ""
		if b.short == "" || off && (b.watch || m.lab.Info().Refuses != "") { // where it will never be of use
			continue
		}
		// A key of the lesson is shown only when it can be used.
		if off && m.course != nil && i < len(courseBindings) {
			continue
		}
		out = append(out, pane.KeyHelp{Key: b.label(), Short: b.short, Off: off})
	}
	return out
}

// The reasons why a key cannot be used.

// runs reports whether the lab is a program that is run.
func runs(m *App) bool { return m.lab.Info().Mode == "run" }

// types reports whether the lab is a program with a terminal that one can type at.
func types(m *App) bool {
	_, has := unrecorded(m.lab).(interface{ Resize(columns, rows int) })
	return has
}

func needNewest(m *App) string {
	if !m.live() {
		return fmt.Sprintf("this is step %d, in the past: } goes back to where the program is", m.step().N)
	}
	return ""
}

func needLive(m *App) string {
	if why := m.lab.Info().Refuses; why != "" {
		return why
	}
	if !m.live() {
		return fmt.Sprintf("this is step %d, in the past: } goes back to live", m.step().N)
	}
	return ""
}

// needCommands is for the command line: a program that is run has words of its own.
func needCommands(m *App) string {
	if runs(m) {
		return needNewest(m)
	}
	return needLive(m)
}

func needProcess(m *App) string {
	if why := needLive(m); why != "" {
		return why
	}
	p := m.step().After.Process(m.step().Current)
	if p == nil || !p.Alive() {
		if len(m.living()) > 0 {
			return m.step().Current + " is dead: Tab goes to a process that lives"
		}
		return nobody(m)
	}
	return ""
}

// nobody says that no process is left, and what helps.
func nobody(m *App) string {
	if runs(m) {
		return "nothing is left of the program"
	}
	return "no process is left: n starts a fresh one"
}

// drawByTouch has pages drawn by who touched them first, or by their states again.
func (m *App) drawByTouch() tea.Cmd {
	if !m.byTouch && !slices.ContainsFunc(m.steps, func(st *history.Step) bool { return len(st.Faults) > 0 }) {
		m.say("no page fault was seen yet: cowscope run and cowscope watch show them", true)
		return nil
	}
	m.byTouch = !m.byTouch
	return nil
}

func needRelative(m *App) string {
	switch living := m.living(); {
	case len(living) == 0:
		return nobody(m)
	case len(living) == 1 && living[0] == m.current() && m.acts():
		return living[0] + " is the only process: f forks it"
	case len(living) == 1 && living[0] == m.current():
		return living[0] + " is the only process of this step"
	}
	return ""
}

func needVerb(name string) func(*App) string {
	return func(m *App) string {
		if why := needProcess(m); why != "" {
			return why
		}
		if m.lab.Grammar().Verb(name) == nil {
			return name + " is for a process of cowscope's own, and not for a program that is run"
		}
		return ""
	}
}

// living lists the labels of the processes that can act.
func (m *App) living() []string {
	var out []string
	for _, p := range m.step().After.Processes {
		if p.Alive() {
			out = append(out, p.Label)
		}
	}
	return out
}

// What the keys do.

func runLine(line string) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd { return m.run(line) }
}

// place is the page under the cursor in the language.
func (m *App) place() string { return m.placeOf(m.cursor) }

func (m *App) placeOf(addr uint64) string {
	st := m.step()
	p := st.After.Process(st.Current)
	if p == nil {
		return fmt.Sprintf("0x%x", addr)
	}
	return history.PlaceOf(st.Names, p, addr, st.After.PageSize)
}

func atCursor(format string) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd { return m.run(fmt.Sprintf(format, m.place())) }
}

func (m *App) storeNext() tea.Cmd {
	line := fmt.Sprintf("write %s 0x%02x", m.place(), m.next)
	if m.next++; m.next == 0 {
		m.next = 1
	}
	return m.run(line)
}

// useProcess goes to the d-th living process from the current one.
func useProcess(d int) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		living := m.living()
		i := slices.Index(living, m.current())
		if i < 0 && d > 0 {
			i = -1
		}
		i = (i + d + len(living)) % len(living)
		return m.goTo(living[i])
	}
}

// goTo makes a process the current one; in the past it is only looked at.
func (m *App) goTo(label string) tea.Cmd {
	if m.acts() {
		return m.run("use " + label)
	}
	m.look, m.fresh = label, false
	return nil
}

func walk(d int) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		from := m.pos
		m.show(from + d)
		if i := max(from, m.pos); (d == 1 || d == -1) && i != min(from, m.pos) {
			m.crossed(i)
		}
		return nil
	}
}

// crossed says that steps are no longer kept, where the walk went over where they were.
func (m *App) crossed(i int) {
	switch n, after := history.Missing(m.steps, i), m.steps[i].N; n {
	case 0:
	case 1:
		m.say(fmt.Sprintf("step %d is no longer kept", after-1), false)
	default:
		m.say(fmt.Sprintf("steps %d to %d are no longer kept", after-n, after-1), false)
	}
}

// hasSource reports whether a program was run here, whose lines are known.
func (m *App) hasSource() bool {
	return slices.ContainsFunc(m.steps, func(st *history.Step) bool { return st.At != nil })
}

// hasOutput reports whether a program was run here that has written something.
func (m *App) hasOutput() bool {
	return slices.ContainsFunc(m.steps, func(st *history.Step) bool { return st.Wrote != "" })
}

func (m *App) cycleInspector() tea.Cmd {
	for {
		m.view = (m.view + 1) % pane.ViewCount
		if (m.view != pane.ViewSource || m.hasSource()) && (m.view != pane.ViewOutput || m.hasOutput()) {
			return nil
		}
	}
}

func moveRow(d int) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		rows := m.rows()
		r := rows.At(m.cursor)
		step := rows.Below
		if d < 0 {
			step = rows.Above
		}
		for range max(d, -d) {
			next, ok := step(r)
			if !ok {
				break
			}
			r = next
		}
		m.cursor = r.Start
		return nil
	}
}

func moveScreen(d int) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		lay := m.layout(m.scene())
		return moveRow(d * max(lay.Maps.H-3, 1))(m)
	}
}

func movePage(d int64) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		snap := m.step().After
		r := m.rows().At(m.cursor)
		if r.Gap {
			return nil
		}
		page := int64((m.cursor - r.Start) / snap.PageSize)
		page = min(max(page+d, 0), int64(r.Pages(snap.PageSize))-1)
		m.cursor = r.Start + uint64(page)*snap.PageSize
		return nil
	}
}

func moveLine(d int64) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		s := m.scene()
		return movePage(d * int64(pane.PagesPerLine(s, m.layout(s).Pages)))(m)
	}
}

func (m *App) firstRow() tea.Cmd {
	if r, ok := m.rows().First(); ok {
		m.cursor = r.Start
	}
	return nil
}

func (m *App) lastRow() tea.Cmd {
	if r, ok := m.rows().Last(); ok {
		m.cursor = r.Start
	}
	return nil
}
