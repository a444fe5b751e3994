// The app: the one Bubble Tea model. It holds where the reader looks, turns keys into command
// lines, and hands scenes to the panes.
//
// Rules: no I/O here: every command, poll and look at bytes runs in a tea.Cmd; while a command
// runs, keys wait in line, so that typing ahead means what it says; a frame is drawn again only
// when something that it shows has changed.

package tui

import (
	"context"
	"fmt"
	"time"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/tui/cast"
	"cowscope/tui/cell"
	"cowscope/tui/pane"
	"cowscope/tui/terminal"
	"cowscope/vmspace"

	tea "charm.land/bubbletea/v2"
)

// Options are how the screen looks.
type Options struct {
	Theme string // "dark", "light", or "" for what the terminal's background asks for
	ASCII bool
	Plain bool // no colour
}

const pollEvery = 500 * time.Millisecond

// App is the model.
type App struct {
	lab   actions.Lab
	opts  Options
	ctx   context.Context
	stop  context.CancelFunc
	theme *cell.Theme

	w, h   int
	steps  []*history.Step
	pos    int // index of the step that is shown
	cursor uint64
	// look is the label of the process that is shown, if it is not the step's current one: in the
	// past, where `use` does not run.
	look  string
	view  pane.View
	bytes pane.Peeked
	asked pane.Peeked // what was last asked for
	next  byte        // what w stores next

	// later sends a message after a while; tests, which wait for nothing, replace it.
	later func(time.Duration, tea.Msg) tea.Cmd

	course     *course // the lesson that is shown, nil in the lab
	play       *play   // the demo that is shown, nil where the keys are the user's
	tape       *cast.Tape
	chapter    int  // the number of the last step that has a marker on the tape
	presenting bool // the presenter's bar is on
	pressed    pressed
	over       overlay
	busy       string
	slow       bool               // the running command has lasted long enough to be told
	halt       context.CancelFunc // ends the running command
	runs       int                // commands so far, so that an old tick is known
	waiting    []tea.KeyPressMsg
	typed      []string // command lines, oldest first
	message    string
	bad        bool

	// The frame that was drawn last, and whether it still holds.
	fresh    bool
	canvas   *cell.Canvas
	frame    tea.View
	hits     pane.Hits
	marks    map[string][]vmspace.Range
	marked   *history.Step // the step that marks belong to
	sizes    map[*vmspace.Process]vmspace.Sizes
	sized    *history.Step    // the step that sizes belong to
	byTouch  bool             // pages are drawn by who touched them first
	touchers history.Touchers // as far as that was asked for
	folds    pane.Folds
	cost     []string // as the head shows it
	sought   string   // what was last gone to
}

// overlay is what lies over the panes and takes the keys: a form, the command line, help.
type overlay interface {
	key(m *App, k tea.KeyPressMsg) tea.Cmd
	paste(m *App, text string)
	draw(p cell.Pen, m *App) *tea.Cursor
	fail(err error) bool // says whether it shows the error
}

// New gives the model for a lab.
func New(lab actions.Lab, opts Options) (*App, error) {
	name := opts.Theme
	if name == "" {
		name = cell.Palettes[0].Name
	}
	t, err := cell.NewTheme(name, opts.ASCII, opts.Plain)
	if err != nil {
		return nil, err
	}
	m := &App{lab: lab, opts: opts, theme: t, next: 1, later: later}
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.steps = lab.History()
	m.pos = len(m.steps) - 1
	if m.still() {
		m.pos = 0 // a recording is walked through
	}
	m.cursor = startingCursor(m.step())
	if m.hasSource() {
		m.view = pane.ViewSource
	}
	m.sayUntold()
	return m, nil
}

// startingCursor is what the step is about, or the first row of the current process.
func startingCursor(st *history.Step) uint64 {
	if !st.Focus.Empty() {
		return st.Focus.Start
	}
	if p := st.After.Process(st.Current); p != nil && p.Mappings.Len() > 0 {
		return p.Mappings.At(0).Start
	}
	return 0
}

func (m *App) step() *history.Step { return m.steps[m.pos] }
func (m *App) live() bool          { return m.pos == len(m.steps)-1 }
func (m *App) acts() bool          { return m.live() && m.lab.Info().Refuses == "" } // commands can run
func (m *App) still() bool         { return m.lab.Info().Still }

// current is the label of the process that is looked at.
func (m *App) current() string {
	if m.look != "" {
		return m.look
	}
	return m.step().Current
}

// The messages.
type (
	doneMsg struct {
		line string
		step *history.Step
		err  error
	}
	polledMsg struct {
		step *history.Step
		err  error
	}
	peekedMsg pane.Peeked
	pollMsg   struct{}
	slowMsg   int
)

// Init asks for the background colour and starts the gentle poll.
func (m *App) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, m.pollLater(), m.peek(), m.play.begin(m))
}

// Update takes one message.
func (m *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if cmd, taken := m.play.take(m, msg); taken {
		return m, cmd
	}
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h, m.fresh = msg.Width, msg.Height, false
		m.tape.Resize(m.w, m.h)
		m.sizeTerminal()
	case tea.BackgroundColorMsg:
		m.background(msg.IsDark())
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.PasteMsg:
		if m.over != nil {
			m.over.paste(m, msg.Content)
			m.fresh = false
		}
	case tea.MouseClickMsg:
		return m, m.click(msg)
	case tea.MouseWheelMsg:
		return m, m.wheel(msg)
	case doneMsg:
		return m, tea.Batch(m.done(msg), m.play.follow(m, msg))
	case stillMsg:
		m.say(msg.told())
	case terminal.Note:
		m.say(string(msg), true)
	case judgedMsg:
		m.judged(msg)
	case overlayMsg:
		return m, msg.take(m)
	case courseMsg:
		return m, m.courseDone(msg)
	case slowMsg:
		if m.busy != "" && int(msg) == m.runs {
			m.slow, m.fresh = true, false
			if runs(m) {
				m.follow()
				return m, m.later(slowAfter, msg)
			}
		}
	case pollMsg:
		return m, m.poll()
	case polledMsg:
		return m, tea.Batch(m.polled(msg), m.pollLater())
	case billMsg:
		m.billed(msg)
	case peekedMsg:
		if pane.Peeked(msg).Label == m.asked.Label && msg.Addr == m.asked.Addr && msg.N == m.asked.N {
			m.bytes, m.fresh = pane.Peeked(msg), false
		}
	}
	return m, nil
}

func (m *App) background(dark bool) {
	if m.opts.Theme != "" {
		return
	}
	if t, err := cell.NewTheme(paletteFor(dark), m.opts.ASCII, m.opts.Plain); err == nil && t.Palette.Name != m.theme.Palette.Name {
		m.theme, m.fresh = t, false
	}
}

// paletteFor is the palette for a dark ground or a light one.
func paletteFor(dark bool) string {
	if dark {
		return "dark"
	}
	return "light"
}

// maxWaiting is how many keys wait for a command that is running.
const maxWaiting = 1000

// press handles a key now, or later when a command is running.
func (m *App) press(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "ctrl+c":
		return m.quit()
	case "ctrl+z":
		return m.suspend()
	}
	if m.busy != "" && runs(m) { // what a program does may last for ever
		switch k.String() {
		case "esc":
			m.halt()
			return nil
		case "q":
			return m.quit()
		}
	}
	if m.busy != "" {
		if len(m.waiting) < maxWaiting {
			m.waiting = append(m.waiting, k)
		} else {
			m.say(fmt.Sprintf("more than %d keys wait for what is running: the rest was dropped", maxWaiting), true)
		}
		return nil
	}
	m.fresh = false
	m.message, m.bad = "", false
	m.pressed = pressed{key: keyName(k)}
	var cmd tea.Cmd
	if m.over != nil {
		cmd = m.over.key(m, k)
	} else {
		cmd = m.act(k)
	}
	return tea.Batch(cmd, m.peek())
}

// replay handles the keys that waited, up to the next command.
func (m *App) replay() tea.Cmd {
	var cmds []tea.Cmd
	for len(m.waiting) > 0 && m.busy == "" {
		k := m.waiting[0]
		m.waiting = m.waiting[1:]
		cmds = append(cmds, m.press(k))
	}
	return tea.Batch(cmds...)
}

// suspend stops the program, as a shell's job; the terminal is the shell's meanwhile.
func (m *App) suspend() tea.Cmd {
	if !terminal.CanStop() {
		m.say("Ctrl-Z stops a job of a shell, and there is no shell behind this terminal", true)
		return nil
	}
	return tea.Suspend
}

func (m *App) quit() tea.Cmd {
	m.stop()
	return tea.Quit
}

// slowAfter is how long a command may run before the header tells that it does.
const slowAfter = 150 * time.Millisecond

// run sends a command line to the lab.
func (m *App) run(line string) tea.Cmd {
	m.sizeTerminal()
	m.busy, m.slow = line, false
	m.pressed.became = line
	m.runs++
	n := m.runs
	ctx, halt := context.WithCancel(m.ctx)
	m.halt = halt
	do := func() tea.Msg {
		defer halt()
		step, err := m.lab.Do(ctx, line)
		if m.course != nil {
			m.course.saver.save()
		}
		return doneMsg{line, step, err}
	}
	return tea.Batch(do, m.later(slowAfter, slowMsg(n)))
}

// sizeTerminal gives the terminal of a program the size of the pane in which it is shown what was written there.
func (m *App) sizeTerminal() {
	if program, ok := unrecorded(m.lab).(interface{ Resize(columns, rows int) }); ok && m.w > 0 {
		program.Resize(max(m.layout(m.scene()).Inspector.W-4, 20), m.h)
	}
}

// done takes the end of a command.
func (m *App) done(d doneMsg) tea.Cmd {
	m.busy, m.slow, m.fresh = "", false, false
	if d.err != nil {
		// What is typed must not be lost, and what waited was meant for what did not happen.
		m.waiting = nil
		m.refresh()
		if m.over == nil || !m.over.fail(d.err) {
			m.over = nil
			m.say(d.err.Error(), true)
		}
		return m.peek()
	}
	m.over = nil
	m.refresh()
	m.show(len(m.steps) - 1)
	if m.course != nil {
		m.course.follow(m)
	}
	return tea.Batch(m.replay(), m.peek())
}

// show moves to a position of the history and puts the cursor on what that step was about.
func (m *App) show(pos int) {
	m.pos = min(max(pos, 0), len(m.steps)-1)
	m.look, m.fresh = "", false
	st := m.step()
	if !st.Focus.Empty() {
		m.cursor = st.Focus.Start &^ (st.After.PageSize - 1)
	}
}

func (m *App) say(text string, bad bool) { m.message, m.bad, m.fresh = text, bad, false }

// acted is the last step, up to the one that is shown, that did more than look: an expectation
// leaves the marks of what it is about. It is an expectation where no step is kept before that.
func (m *App) acted() *history.Step {
	i := m.pos
	for i > 0 && m.steps[i].Check && history.Missing(m.steps, i) == 0 {
		i--
	}
	return m.steps[i]
}

// scene gathers what the panes draw.
func (m *App) scene() *pane.Scene {
	st := m.step()
	if acted := m.acted(); m.marked != acted {
		m.marks, m.marked = pane.NewMarks(acted), acted
	}
	info := m.lab.Info()
	s := &pane.Scene{Hits: &m.hits, Step: st, Snap: st.After, Steps: m.steps, Pos: m.pos, Live: m.live(), Cursor: m.cursor, Current: m.current(),
		Marks: m.marks, Bytes: m.bytes, View: m.view, Kernel: info.Kernel, Rights: info.Rights, Note: info.Note, Cost: info.Cost, Still: info.Still, Message: m.message, Bad: m.bad}
	if m.slow {
		s.Busy = m.busy
	}
	s.Mode, s.Quiet = m.mode(), m.course != nil || m.play != nil
	s.Sizes = m.sizesOf
	s.Folds, s.Watched = m.foldsNow(), !m.labelled()
	if m.byTouch {
		m.touchers.Add(m.steps)
		s.Touchers = &m.touchers
	}
	return s
}

// sizesOf is what a process has by itself, added up once for each picture.
func (m *App) sizesOf(p *vmspace.Process) vmspace.Sizes {
	if m.sized != m.step() {
		m.sized, m.sizes = m.step(), map[*vmspace.Process]vmspace.Sizes{}
	}
	n, known := m.sizes[p]
	if !known {
		n = p.Sizes()
		m.sizes[p] = n
	}
	return n
}
