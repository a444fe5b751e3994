// Package verb is what the language can do to a family of processes: a verb is a file with what it
// is called, what it takes and what it does, and a line in the table below.
package verb

import (
	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Action is one verb of the language: how it is written, and what it does.
type Action struct {
	lang.Verb
	// Dead says that the action makes sense when the process that it names is dead or gone.
	Dead bool
	// Check says that the action only looks.
	Check bool
	// Expects says that it asserts something.
	Expects bool
	// LoadsFirst says that on arm64 its store loads the byte first.
	LoadsFirst bool
	// Access is what the subject's own instruction does to memory; nil where it is a system call.
	Access func(*lang.Command) vmspace.Access
	Run    func(*Call) error
	// Calls are the numbers of the system calls that the subject makes for the action: the kernel
	// refuses it all others.
	Calls []uintptr
	// Flags are the constants that its flags or its one word stand for.
	Flags []Constant
	// Reach is how far the command goes where it ends well; left out, it may go anywhere.
	Reach func(*lang.Command) Reach
}

// All is the table of actions. A new action is a file of its own and a line here; forms,
// completion, help and the README's tables follow from it.
var All = []*Action{
	&mmapAction,
	&munmapAction,
	&mprotectAction,
	&mremapAction,
	&madviseAction,
	&msyncAction,
	&mlockAction,
	&munlockAction,
	&mlockallAction,
	&munlockallAction,
	&mincoreAction,
	&msealAction,
	&pkeyAllocAction,
	&pkeyFreeAction,
	&pkeyMprotectAction,
	&pkeySetAction,
	&brkAction,
	&readAction,
	&writeAction,
	&touchAction,
	&fillAction,
	&execAction,
	&forkAction,
	&exitAction,
	&killAction,
	&waitAction,
	&fileAction,
	&fwriteAction,
	&truncateAction,
	&catAction,
	&rmAction,
	&snapshotAction,
	&useAction,
	&restartAction,
	&needsAction,
}

// Call is one run of an action: what it was given, and what it found out.
type Call struct {
	F *family.Family
	family.Doing
	Cmd    *lang.Command
	Action *Action
	Last   *history.Step // the last command that was no expectation, nil before the first
	history.Outcome
	Args    explain.Arguments // of the command
	Ending  subject.Ending    // of the last instruction that was injected
	Names   history.Names     // after the action
	Current string
	Opened  *explain.File // the file that an mmap opened
	Child   string        // the label of a new child
	Removed bool          // MADV_REMOVE was asked for
	Note    string        // what the action itself has to say beside the changes
}

// touch notes that the action may have changed what lies in r, for the snapshot after it.
func (c *Call) touch(r vmspace.Range) {
	c.Touched = append(c.Touched, observe.Touched{Label: c.P.Label, Range: r})
}

// bind names a range in the process that acts.
func (c *Call) bind(name string, b history.Binding) {
	c.Names = c.Names.With(c.P.Label, name, b)
	c.F.Bound++
}

// focus notes what the action was about, for the cursor, and that it may have changed it.
func (c *Call) focus(r vmspace.Range) {
	c.Focus = r
	c.touch(r)
}
