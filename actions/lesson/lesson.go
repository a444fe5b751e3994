package lesson

import (
	"cowscope/actions/run"
	"cowscope/vmspace"
)

// Lesson is a complete and well-formed lesson, including the passages for other machines: see On.
// It is immutable.
type Lesson struct {
	// ID is the key of its progress: the name of an embedded lesson, the path of any other.
	ID   string
	File string // its name in errors and problems
	Front
	Steps []Step // the introduction first, if there is one
}

// Front is the head of a lesson.
type Front struct {
	Title    string
	Summary  string
	Level    string // one of Levels
	Minutes  int
	Language string     // as in HTML: en, zh-CN
	Needs    []string   // features that the whole lesson needs
	Program  run.Source // what the lesson is about; none where that is a session
}

// Levels are the words for who a lesson is for, the easiest first.
var Levels = []string{"beginner", "intermediate", "advanced"}

// Step is the part of a lesson under one heading.
type Step struct {
	Heading string // for the introduction, the lesson's title
	Line    int    // from 1
	Items   []Item
}

// Kind is the kind of an item.
type Kind string

// The kinds of items.
const (
	Prose   Kind = "prose"
	Cow     Kind = "cow"     // commands, and claims about them
	Predict Kind = "predict" // a question, answered before its commands run
	Goal    Kind = "goal"    // a state that the learner brings about
)

// Item is a piece of prose or a block with a function.
type Item struct {
	Kind     Kind
	Needs    []string  // features that this item needs
	Line     int       // of the first line of prose, or of the opening fence
	Text     string    // Markdown of prose; the question of a predict
	Commands []Command // of a cow or predict block; the expectations of a goal

	// Of a predict block.
	Answers []Answer // to choose from; empty if Access
	// Access: the block has one command, an access, and the question is what happens at it.
	Access  bool
	Happens []vmspace.Happening // the outcomes that the lesson claims, if Access
	Then    []Command           // claims about the commands, whatever the answer
	Why     string              // Markdown, shown after the answer

	// Of a goal block.
	Hints        []string // Markdown, shown one at a time
	Solution     []Command
	SolutionLine int // 0 if there is none

	passage int // the line where its passage begins, 0 outside a passage
}

// Answer is one answer of a question. It is right if all its claims hold after the commands of its
// block.
type Answer struct {
	Line   int
	Text   string
	Claims []Command
}

// Command is a line of the command language.
type Command struct {
	Line, Col int // its place in the file, from 1; the column in characters
	Text      string
	Check     bool // it is an expectation
	verb      string
	once      string // Text without repeat
	times     int
}
