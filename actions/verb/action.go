// Package verb is the actions of the language on a family of processes: each is a file with its
// name, its parameters and its effect, and a line in the table below.
package verb

import (
	"cowscope/actions/explain"
	"cowscope/actions/family"
	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
	"cowscope/vmspace/observe"
)

// Action is one verb of the language: its form, and what it does.
type Action struct {
	lang.Verb
	// Dead says that the process that the action names may be dead or gone.
	Dead bool
	// Check says that the action changes nothing.
	Check bool
	// Expects says that it is an expectation.
	Expects bool
	// Memory says that what it asserts is about memory alone, so that it works for any process.
	Memory bool
	// LoadsFirst says that on arm64 its store loads the byte first.
	LoadsFirst bool
	// Own says that it needs a process of cowscope's own, and not a program that is run.
	Own bool
	// Access is what the subject's own instruction does to memory; nil where it is a system call.
	Access func(*lang.Command) vmspace.Access
	Run    func(*Call) error
	// Calls are the numbers of the system calls that the subject makes for the action: the kernel
	// refuses all others.
	Calls []uintptr
	// Only are the permitted first arguments of its calls; nil if any is.
	Only []uint32
	// Flags are the constants that its flags or its one word stand for.
	Flags []Constant
	// Fields are masks of bits that stand together for one of the Flags.
	Fields []uint64
	// Reach is how much the command can change if it succeeds; nil if that is unlimited.
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
	&processMadviseAction,
	&remapFilePagesAction,
	&msyncAction,
	&mlockAction,
	&munlockAction,
	&mlockallAction,
	&munlockallAction,
	&mincoreAction,
	&mbindAction,
	&movePagesAction,
	&msealAction,
	&pkeyAllocAction,
	&pkeyFreeAction,
	&pkeyMprotectAction,
	&pkeySetAction,
	&setrlimitAction,
	&prctlKSMAction,
	&prctlTHPAction,
	&prctlMDWEAction,
	&uffdRegisterAction,
	&uffdUnregisterAction,
	&uffdCopyAction,
	&uffdZeropageAction,
	&uffdContinueAction,
	&uffdMoveAction,
	&uffdPoisonAction,
	&uffdWPAction,
	&uffdUnwpAction,
	&brkAction,
	&readAction,
	&writeAction,
	&touchAction,
	&fillAction,
	&execAction,
	&forkAction,
	&vforkAction,
	&threadAction,
	&threadExitAction,
	&exitAction,
	&killAction,
	&waitAction,
	&fileAction,
	&memfdAction,
	&sealAction,
	&linkAction,
	&renameAction,
	&fwriteAction,
	&truncateAction,
	&fallocateAction,
	&catAction,
	&rmAction,
	&snapshotAction,
	&useAction,
	&restartAction,
	&needsAction,
}

// Call is one run of an action: its arguments and its results.
type Call struct {
	F *family.Family
	family.Doing
	Cmd    *lang.Command
	Action *Action
	Last   *history.Step // the last command that was not an expectation, nil before the first
	history.Outcome
	Args    explain.Arguments // of the command
	Ending  subject.Ending    // of the last instruction that was injected
	Names   history.Names     // after the action
	Current string
	Opened  *kernel.File // the file that an mmap opened
	Child   string       // the label of a new child
	Removed bool         // MADV_REMOVE was asked for
	Note    string       // what the action itself adds to the explanation
}

// touch records that the action may have changed r, for the snapshot after it.
func (c *Call) touch(r vmspace.Range) {
	c.Touched = append(c.Touched, observe.Touched{Label: c.P.Label, Range: r})
}

// bind names a range of the process that acts; given says that a person chose the name.
func (c *Call) bind(name string, r vmspace.Range, given bool) {
	b := history.Binding{Range: r, Step: c.F.Next}
	c.Names = c.Names.WithAll(c.P.Label, []history.Bound{{Name: name, Binding: b, Given: given}})
	c.F.Bound++
}

// focus records the range of the action, for the cursor, and that it may have changed.
func (c *Call) focus(r vmspace.Range) {
	c.Focus = r
	c.touch(r)
}
