// A lesson on the screen: the lab is the lesson's session, and the text of the lesson is beside it.
//
// Rules: the player decides what may happen next, and this file only asks it to; everything that
// runs does so in a tea.Cmd; every key of the lab keeps working, so that the learner can try things
// at any moment.

package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cowscope/actions"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/lesson"

	tea "charm.land/bubbletea/v2"
)

// course is the lesson that an App shows, nil in the lab.
type course struct {
	player *lesson.Player
	title  string
	saver  *courseSaver // nil if nothing is saved
	top    int          // first visible line of the text
	swap   bool         // text and lab do not fit side by side, and the lab is shown

	width int // the width that lines was laid out for
	state *lesson.State
	lines []courseLine
}

// courseLab is the lab of a lesson: the player's current session.
type courseLab struct{ *lesson.Player }

func (l courseLab) session() actions.Lab {
	s, _ := l.Session().(actions.Lab) // a session is a lab, and so is a program that is run
	return s
}

func (l courseLab) Peek(ctx context.Context, label string, addr uint64) ([]byte, error) {
	return l.session().Peek(ctx, label, addr)
}
func (l courseLab) History() []*history.Step               { return l.session().History() }
func (l courseLab) Follow(from int, f func(*history.Step)) { l.session().Follow(from, f) }
func (l courseLab) Grammar() *lang.Grammar                 { return l.session().Grammar() }
func (l courseLab) Info() actions.Info                     { return l.session().Info() }

// NewCourse returns the model for a lesson.
func NewCourse(p *lesson.Player, title string, opts Options) (*App, error) {
	m, err := New(courseLab{p}, opts)
	if err == nil {
		m.course, m.presenting = &course{player: p, title: title}, true
	}
	return m, err
}

// courseMsg says that a method of the player has returned.
type courseMsg struct{ err error }

// ask calls a method of the player.
func (m *App) ask(what string, do func(context.Context) error) tea.Cmd {
	m.busy, m.slow = what, false
	m.pressed.became = what
	m.runs++
	run := func() tea.Msg {
		defer m.course.saver.save()
		return courseMsg{do(m.ctx)}
	}
	return tea.Batch(run, m.later(slowAfter, slowMsg(m.runs)))
}

// courseDone handles the end of a method of the player.
func (m *App) courseDone(msg courseMsg) tea.Cmd {
	m.busy, m.slow, m.fresh = "", false, false
	live, was := m.live(), m.steps[len(m.steps)-1]
	if another := m.refresh(); live || another {
		m.show(len(m.steps) - 1)
	}
	if f := m.acted().Focus; m.steps[len(m.steps)-1] != was && !f.Empty() {
		m.cursor = f.Start &^ (m.step().After.PageSize - 1)
	}
	if msg.err != nil && m.ctx.Err() == nil {
		m.waiting = nil
		m.say(msg.err.Error(), true)
	} else if text := m.course.player.State().Message.Text; text != "" {
		m.say(text, true)
	}
	m.course.follow(m)
	if msg.err == nil && m.course.claims() {
		return m.ask("looking", m.course.player.Run)
	}
	return tea.Batch(m.replay(), m.peek())
}

// claims reports whether it is the turn of a block with expectations only: it runs without being
// asked for.
func (c *course) claims() bool {
	it := c.turn()
	return it != nil && it.Kind == lesson.Cow && it.Status == lesson.Pending &&
		!slices.ContainsFunc(it.Commands, func(l lesson.Command) bool { return !l.Check })
}

// courseBindings are the keys of a lesson, which take precedence over those of the lab.
var courseBindings = []binding{
	{keys: []string{"enter", "space"}, show: "Enter", short: "go on", help: "go on: the next screen of text, the commands, the next step", do: (*App).goOn},
	{keys: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, show: "1-9", short: "answer", help: "choose an answer", off: needQuestion},
	{keys: []string{"H"}, short: "hint", help: "a hint for the goal", do: (*App).hint, off: needGoal},
	{keys: []string{"S"}, short: "solution", help: "the lesson's own way to the goal", do: (*App).solution, off: needGoal},
	{keys: []string{"<"}, show: "< >", short: "steps", help: "look at the step before, and go forward again", do: (*App).stepBack},
	{keys: []string{">"}, do: (*App).stepOn},
	{keys: []string{"t"}, short: "text/lab", help: "where both do not fit: the text, or the lab", do: (*App).swapCourse},
	{keys: []string{"pgdown"}, show: "PgUp PgDn", help: "scroll the text", do: scrollCourse(1)},
	{keys: []string{"pgup"}, do: scrollCourse(-1)},
	{keys: []string{"n"}, help: "begin this step again in a fresh subject", do: (*App).restartStep},
	{keys: []string{"N"}, help: "begin the lesson again", do: (*App).restartCourse},
	{keys: []string{"J"}, help: "run for you what is left of this step", do: (*App).skipStep},
}

// turn is the item whose turn it is, nil if there is none.
func (c *course) turn() *lesson.ItemState {
	st := c.player.State()
	if st.Step != st.Front || st.Next < 0 {
		return nil
	}
	return &st.Steps[st.Front].Items[st.Next]
}

func needQuestion(m *App) string {
	if it := m.course.turn(); it == nil || it.Kind != lesson.Predict {
		return "nothing is asked just now"
	}
	return ""
}

func needGoal(m *App) string {
	if it := m.course.turn(); it == nil || it.Kind != lesson.Goal {
		return "there is no goal to reach at the moment"
	}
	return ""
}

// goOn does the next thing.
func (m *App) goOn() tea.Cmd {
	c := m.course
	if c.more(m) {
		return scrollCourse(1)(m)
	}
	st := c.player.State()
	if st.Lost {
		m.say("the process that acts is gone: n begins this step again", true)
		return nil
	}
	it := c.turn()
	switch {
	case it == nil && st.Step == len(st.Steps)-1:
		m.say("That was the lesson. q leaves it, N begins it again, and everything can still be tried.", false)
		return nil
	case it == nil:
		return m.ask("going on", c.player.Next)
	case it.Kind == lesson.Goal:
		m.say("Your turn: reach the goal with commands of your own. H gives a hint, S the solution.", false)
		return nil
	case it.Kind == lesson.Predict && it.Chosen < 0:
		m.say(fmt.Sprintf("What do you think? Choose 1 to %d.", len(it.Offered)), false)
		return nil
	}
	return m.ask("running", c.player.Run)
}

func (m *App) answer(i int) tea.Cmd {
	if it := m.course.turn(); i >= len(it.Offered) {
		m.say(fmt.Sprintf("there are answers 1 to %d", len(it.Offered)), true)
		return nil
	}
	if err := m.course.player.Answer(i); err != nil {
		m.say(err.Error(), true)
	}
	m.course.follow(m)
	return nil
}

// told reports the player's immediate answer.
func (m *App) told(err error) tea.Cmd {
	if text := m.course.player.State().Message.Text; err == nil && text != "" {
		err = errors.New(text)
	}
	if err != nil {
		m.say(err.Error(), true)
	}
	m.course.follow(m)
	return nil
}

func (m *App) hint() tea.Cmd     { return m.told(m.course.player.Hint()) }
func (m *App) stepBack() tea.Cmd { return m.told(m.course.player.Back()) }
func (m *App) solution() tea.Cmd { return m.ask("the solution", m.course.player.Solution) }
func (m *App) skipStep() tea.Cmd { return m.ask("skipping", m.course.player.Skip) }
func (m *App) stepOn() tea.Cmd   { return m.ask("going on", m.course.player.Next) }

func (m *App) restartStep() tea.Cmd {
	return m.ask("beginning the step again", m.course.player.RestartStep)
}

func (m *App) restartCourse() tea.Cmd {
	return m.ask("beginning again", m.course.player.Restart)
}

func (m *App) swapCourse() tea.Cmd {
	if _, side := courseColumns(m.w); side {
		m.say("text and lab stand side by side here", false)
		return nil
	}
	m.course.swap = !m.course.swap
	return nil
}

func scrollCourse(d int) func(*App) tea.Cmd {
	return func(m *App) tea.Cmd {
		m.course.swap = false
		h := m.course.height(m)
		m.course.scroll(m, m.course.top+d*max(h-2, 1))
		return nil
	}
}

// scroll shows the text from line top on, within its length.
func (c *course) scroll(m *App, top int) {
	c.top = max(0, min(top, len(c.layout(m))-c.height(m)))
}

// more reports whether there is text below the visible part.
func (c *course) more(m *App) bool { return c.top+c.height(m) < len(c.layout(m)) }

// height is the number of visible lines of text.
func (c *course) height(m *App) int { return max(m.courseRect().H-2, 1) }

// follow scrolls to the new part: the beginning of a step, or the item whose turn it is.
func (c *course) follow(m *App) {
	before := c.state
	lines := c.layout(m)
	switch st := c.player.State(); {
	case before == nil || before.Step != st.Step || before.Fresh != st.Fresh:
		c.top = 0
	default:
		last := slices.IndexFunc(lines, func(l courseLine) bool { return l.item >= st.Next && st.Next >= 0 })
		if last < 0 {
			last = len(lines)
		}
		// As much of the text before the item as fits, and the whole item if it fits.
		c.scroll(m, min(max(c.top, len(lines)-c.height(m)), last))
	}
}

// courseKey handles a key of the lesson; ok reports whether it was one.
func (m *App) courseKey(k tea.KeyPressMsg) (cmd tea.Cmd, ok bool) {
	name := k.String()
	for _, b := range courseBindings {
		i := slices.Index(b.keys, name)
		if i < 0 {
			continue
		}
		if b.off != nil {
			if why := b.off(m); why != "" {
				m.say(why, true)
				return nil, true
			}
		}
		if b.do == nil {
			return m.answer(i), true
		}
		return b.do(m), true
	}
	return nil, false
}
