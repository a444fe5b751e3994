package verb

import (
	"errors"

	"cowscope/actions/lang"
	"cowscope/actions/subject"
)

var threadAction = Action{
	Own:  true,
	Verb: lang.Verb{Name: "thread", Summary: "make another thread in the process: it has the same memory, and acts like a process of its own"},
	Run: func(c *Call) error {
		c.Call = "clone(CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM)"
		if !c.mayFork() {
			return nil
		}
		c.everything()
		thread, e, err := c.P.Subject().Thread()
		if err != nil {
			return err
		}
		c.settle(e)
		if thread != nil {
			c.born(c.F.AdoptThread(thread, c.P))
		}
		return nil
	},
}

var threadExitAction = Action{
	Own:  true,
	Verb: lang.Verb{Name: "thread_exit", Summary: "the thread ends, and no other one; exit ends all threads of a process"},
	Run: func(c *Call) error {
		c.Call = "syscall(SYS_exit, 0)" // exit(2) of the C library is exit_group
		c.everything()
		_, err := c.P.Subject().ExitThread()
		if errors.Is(err, subject.ErrFirstThread) {
			c.refuse("cowscope keeps the first thread of a process, by whose ID it reads the memory: exit ends the process, with all its threads.")
			return nil
		}
		return c.died(err)
	},
}
