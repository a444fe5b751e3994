package actions

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
	// loadsFirst says that on arm64 its store loads the byte first.
	loadsFirst bool
	// access is what the subject's own instruction does to memory; nil where it is a system call.
	access func(*lang.Command) vmspace.Access
	run    func(*call) error
	// calls are the numbers of the system calls that the subject makes for the action: the kernel refuses it all others.
	calls []uintptr
	// flags are the constants that its flags or its one word stand for.
	flags []constant
	// reach is how far the command goes where it ends well; left out, it may go anywhere.
	reach func(*lang.Command) reach
}

// All is the table of actions. A new action is a file of its own and a line here; forms, completion, help and the README's tables
// follow from it.
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
	&expectResult,
	&expectPage,
	&expectPerms,
	&expectMapped,
	&expectUnmapped,
	&expectVMAs,
	&expectBytes,
	&expectSame,
	&expectOther,
	&expectFaults,
	&expectFile,
	&expectExited,
	&expectSignaled,
}

// Grammar is the language of All.
func Grammar() (*lang.Grammar, error) {
	verbs := make([]lang.Verb, len(All))
	for i, a := range All {
		verbs[i] = a.Verb
	}
	return lang.NewGrammar(verbs)
}

// systemCalls are the calls of All.
func systemCalls() []uintptr {
	var all []uintptr
	for _, a := range All {
		all = append(all, a.calls...)
	}
	return all
}

func actionOf(verb string) *Action {
	for _, a := range All {
		if a.Name == verb {
			return a
		}
	}
	return nil
}

// call is one run of an action: what it was given, and what it found out.
type call struct {
	f *family.Family
	family.Doing
	cmd    *lang.Command
	action *Action
	last   *history.Step // the last command that was no expectation, nil before the first
	history.Outcome
	args    explain.Arguments // of the command
	ending  subject.Ending    // of the last instruction that was injected
	names   history.Names     // after the action
	current string
	opened  *explain.File // the file that an mmap opened
	child   string        // the label of a new child
	removed bool          // MADV_REMOVE was asked for
	note    string        // what the action itself has to say beside the changes
}

// touch notes that the action may have changed what lies in r, for the snapshot after it.
func (c *call) touch(r vmspace.Range) {
	c.Touched = append(c.Touched, observe.Touched{Label: c.P.Label, Range: r})
}

// bind names a range in the process that acts.
func (c *call) bind(name string, b history.Binding) {
	c.names = c.names.With(c.P.Label, name, b)
	c.f.Bound++
}

// focus notes what the action was about, for the cursor, and that it may have changed it.
func (c *call) focus(r vmspace.Range) {
	c.Focus = r
	c.touch(r)
}
