package lesson

import "cowscope/vmspace"

// Lesson is a lesson that was read whole and found well formed, with all that it holds for any
// machine: see On. It is never changed.
type Lesson struct {
	ID   string // what progress is kept under: the name of a lesson that cowscope brings along, the path of any other
	File string // what errors and problems call it
	Front
	Steps []Step // the introduction first, where there is one
}

// Front is what stands in a lesson's head.
type Front struct {
	Title    string
	Summary  string
	Level    string // one of Levels
	Minutes  int
	Language string   // as in HTML: en, zh-CN
	Needs    []string // features without which the lesson makes no sense
}

// Levels are the words for who a lesson is for, the easiest first.
var Levels = []string{"beginner", "intermediate", "advanced"}

// Step is what stands under one heading.
type Step struct {
	Heading string // the lesson's title, for the introduction
	Line    int    // from 1
	Items   []Item
}

// Kind says what an item is.
type Kind string

// The kinds of items.
const (
	Prose   Kind = "prose"
	Cow     Kind = "cow"     // commands of the lesson, and claims about them
	Predict Kind = "predict" // a question, answered before its commands run
	Goal    Kind = "goal"    // what the learner brings about
)

// Item is a stretch of prose or a block that does something.
type Item struct {
	Kind     Kind
	Needs    []string  // features without which it is left out
	Line     int       // the first of the prose, or the fence that opens the block
	Text     string    // Markdown of prose; the question of a predict
	Commands []Command // of a cow or predict block; the expectations of a goal

	// Of a predict.
	Answers []Answer            // to choose from; none where Access asks
	Access  bool                // the one command is an access, and what happens at it is the question
	Happens []vmspace.Happening // what the lesson says will happen, where Access asks
	Then    []Command           // what the lesson claims of the commands, whatever the answer
	Why     string              // Markdown, for after the answer

	// Of a goal.
	Hints        []string // Markdown, to be shown one at a time
	Solution     []Command
	SolutionLine int // 0 where there is none

	passage int // the line where the passage begins that it stands in, 0 outside of any
}

// Answer is one of those to choose from. It is right if all its claims hold after the commands of
// its block.
type Answer struct {
	Line   int
	Text   string
	Claims []Command
}

// Command is a line of the command language.
type Command struct {
	Line, Col int // where it stands in the file, from 1; the column in characters
	Text      string
	Check     bool // it is an expectation
	verb      string
}
