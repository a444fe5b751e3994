package tui

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cowscope/actions/feature"
	"cowscope/tui/cell"
	"cowscope/tui/pane"
	"cowscope/tui/terminal"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/procfs"

	tea "charm.land/bubbletea/v2"
)

// picker is the screen on which a process is chosen among all others that have memory, those with
// most of it first. What is typed narrows the list.
type picker struct {
	opts    Options
	theme   *cell.Theme
	w, h    int
	filter  editor
	all     []procfs.Listed
	users   map[int]string
	pss     map[int]uint64 // of those that were on the screen
	at      int            // the process under the cursor, 0 before there is one
	chosen  int            // 0 where the user left without a choice
	message string
}

// listEvery is how often the list is made anew.
const listEvery = 2 * time.Second

// pssBudget bounds what sizes of a list cost that walk page tables.
const pssBudget = 50 * time.Millisecond

type (
	listedMsg struct {
		all []procfs.Listed
		pss map[int]uint64
	}
	listMsg struct{}
)

func newPicker(filter string, opts Options) (*picker, error) {
	theme, err := cell.NewTheme(orDefault(opts.Theme), opts.ASCII, opts.Plain)
	return &picker{opts: opts, theme: theme, filter: newEditor(filter), users: map[int]string{}}, err
}

// Init makes the first list.
func (m *picker) Init() tea.Cmd { return tea.Batch(tea.RequestBackgroundColor, m.list()) }

// list lists all processes, and sizes those that are on the screen.
func (m *picker) list() tea.Cmd {
	var pids []int
	for _, p := range m.window() {
		if p.Readable {
			pids = append(pids, p.PID)
		}
	}
	return func() tea.Msg {
		msg := listedMsg{procfs.Processes(), map[int]uint64{}}
		msg.all = slices.DeleteFunc(msg.all, func(p procfs.Listed) bool { return p.PID == os.Getpid() })
		slices.SortStableFunc(msg.all, func(a, b procfs.Listed) int { return cmp.Compare(b.RSS, a.RSS) })
		for began := time.Now(); len(pids) > 0 && time.Since(began) < pssBudget; pids = pids[1:] {
			msg.pss[pids[0]] = procfs.PSS(pids[0])
		}
		return msg
	}
}

// Update takes one message.
func (m *picker) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		if name := paletteFor(msg.IsDark()); m.opts.Theme == "" {
			if t, err := cell.NewTheme(name, m.opts.ASCII, m.opts.Plain); err == nil {
				m.theme = t
			}
		}
	case listedMsg:
		first := m.pss == nil
		m.all, m.pss = msg.all, msg.pss
		if first {
			return m, m.list() // now it is known whose sizes are wanted
		}
		return m, later(listEvery, listMsg{})
	case listMsg:
		return m, m.list()
	case tea.PasteMsg:
		m.filter.insert(msg.Content)
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

func (m *picker) key(k tea.KeyPressMsg) tea.Cmd {
	m.message = ""
	shown := m.shown()
	at := m.index(shown)
	switch k.String() {
	case "ctrl+c":
		return tea.Quit
	case "ctrl+z":
		if terminal.CanStop() {
			return tea.Suspend
		}
	case "esc":
		if m.filter.text() == "" {
			return tea.Quit
		}
		m.filter.set("")
	case "enter":
		return m.choose(shown, at)
	case "up":
		at--
	case "down":
		at++
	case "pgup":
		at -= m.rows()
	case "pgdown":
		at += m.rows()
	default:
		m.filter.key(k)
		return nil
	}
	if len(shown) > 0 {
		m.at = shown[min(max(at, 0), len(shown)-1)].PID
	}
	return nil
}

func (m *picker) choose(shown []procfs.Listed, at int) tea.Cmd {
	if len(shown) == 0 {
		return nil
	}
	p := shown[at]
	if !p.Readable {
		m.message = fmt.Sprintf("process %d is %s's: only %s and root may read its memory", p.PID, m.user(p.UID), m.user(p.UID))
		return nil
	}
	m.chosen = p.PID
	return tea.Quit
}

// shown are the processes that have every word of the filter in their number, user, name or command
// line.
func (m *picker) shown() (out []procfs.Listed) {
	words := strings.Fields(strings.ToLower(m.filter.text()))
	for _, p := range m.all {
		text := strings.ToLower(fmt.Sprint(p.PID, " ", m.user(p.UID), " ", p.Name, " ", p.Args))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			out = append(out, p)
		}
	}
	return out
}

// index is where the cursor stands among those shown: the first where its process is not there.
func (m *picker) index(shown []procfs.Listed) int {
	return max(slices.IndexFunc(shown, func(p procfs.Listed) bool { return p.PID == m.at }), 0)
}

// rows is how many processes the screen has room for.
func (m *picker) rows() int { return max(m.h-5, 1) }

// window are those that the screen has room for, around the cursor.
func (m *picker) window() []procfs.Listed {
	shown := m.shown()
	top := min(max(m.index(shown)-m.rows()/2, 0), max(len(shown)-m.rows(), 0))
	return shown[top:min(top+m.rows(), len(shown))]
}

func (m *picker) user(uid int) string {
	if m.users[uid] == "" {
		m.users[uid] = feature.UserName(uid)
	}
	return m.users[uid]
}

// View draws the list.
func (m *picker) View() tea.View {
	canvas := cell.NewCanvas(m.w, m.h)
	p := canvas.Pen(cell.At(0, 0, m.w, m.h))
	var cursor *tea.Cursor
	if m.w >= pane.MinWidth && m.h >= pane.MinHeight {
		cursor = m.draw(p)
	}
	v := tea.NewView(canvas.Render(m.theme))
	v.AltScreen, v.WindowTitle, v.Cursor = true, "cowscope", cursor
	return v
}

// The columns of the list, the command line last.
const (
	pidWidth, userWidth, sizeWidth, nameWidth = 7, 9, 9, 15
)

func (m *picker) draw(p cell.Pen) *tea.Cursor {
	shown, window := m.shown(), m.window()
	x := p.Put(1, 0, cell.Accent|cell.Bold, "cowscope")
	x = p.Put(x, 0, cell.Faint, " · ")
	p.Put(x, 0, cell.Dim, "watch: which process?")
	count := amount.Of(uint64(len(shown)), "process")
	if len(shown) < len(m.all) {
		count = fmt.Sprintf("%d of %s", len(shown), amount.Of(uint64(len(m.all)), "process"))
	}
	p.Right(p.R.W-1, 0, cell.Dim, count)
	p.Put(1, 1, cell.Dim, "filter")
	cursor := m.filter.draw(p, 8, 1, p.R.W-9, cell.Field)

	m.row(p, 3, cell.Dim, "PID", "USER", "RSS", "PSS", "NAME", "COMMAND")
	for i, l := range window {
		y, st := 4+i, cell.Plain
		pss := "-"
		if n := m.pss[l.PID]; n > 0 {
			pss = amount.Size(n)
		}
		if !l.Readable {
			st = cell.Faint
		}
		m.row(p, y, st, strconv.Itoa(l.PID), m.user(l.UID), amount.Size(l.RSS), pss, l.Name, l.Args)
		if i == m.index(window) {
			p.Put(0, y, cell.Accent|cell.Bold, "▸")
			p.Restyle(0, y, p.R.W, cell.InRow)
		}
	}
	if len(shown) == 0 && m.all != nil {
		p.Put(1, 4, cell.Dim, "no process has that in its number, user, name or command line")
	}
	drawFooter(p, "Enter", "watch", "↑ ↓", "choose", "Esc", "clear the filter, or quit")
	if m.message != "" {
		line := p.Sub(cell.At(0, p.R.H-1, p.R.W, 1))
		line.Fill(0)
		line.Cut(1, 0, p.R.W-2, cell.Bad, m.message)
	}
	return tea.NewCursor(min(cursor, p.R.W-1), 1)
}

// row draws one line of the list.
func (m *picker) row(p cell.Pen, y int, st cell.Style, pid, user, rss, pss, name, args string) {
	x := 1
	p.Right(x+pidWidth, y, st, pid)
	x += pidWidth + 2
	p.Cut(x, y, userWidth, st, user)
	x += userWidth + 1
	for _, size := range []string{rss, pss} {
		p.Right(x+sizeWidth, y, st, size)
		x += sizeWidth + 2
	}
	p.Cut(x, y, nameWidth, st, name)
	x += nameWidth + 2
	p.Cut(x, y, p.R.W-x-1, max(st, cell.Dim), args)
}

// pick lets the user choose a process; it is 0 where none was chosen.
func (o LabOptions) pick(filter string) (pid int, err error) {
	m, err := newPicker(filter, screenOptions(o.ScreenOptions, false))
	if err != nil {
		return 0, err
	}
	err = terminal.Run(m, terminal.Options{Plain: o.plain()})
	return m.chosen, err
}
