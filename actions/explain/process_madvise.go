package explain

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/vmspace/amount"
)

// What process_madvise refuses: first what pidfd_open says of a thread, then what is wrong with the
// caller, the target process and the advice (SYSCALL_DEFINE5(process_madvise, …) in mm/madvise.c),
// then everything that madvise refuses.

var processMadviseReasons = slices.Concat([]reason{
	ofThread("EINVAL"), ofThread("ENOENT"), // since Linux 6.16
	{"EINVAL", "length", "lib/iov_iter.c, import_iovec", func(e *evidence) bool { return e.Given.Len() > math.MaxInt64 },
		func(e *evidence) string { return fmt.Sprintf("the length 0x%x is negative.", e.Given.Len()) }},
	callerMemory,
	pastUserTop("EFAULT", "lib/iov_iter.c, import_iovec", func(e *evidence, top uint64) bool { return e.Given.End > top || e.Given.End < e.Given.Start }),
	{"EMFILE", "descriptors", "pidfd_open(2)", nil, func(*evidence) string {
		return "the process may not have another file descriptor (RLIMIT_NOFILE), and needs one that stands for the process it advises."
	}},
	{"ESRCH", "ended", "process_madvise(2)", nil, func(e *evidence) string {
		return fmt.Sprintf("%s has ended: it has no memory any more.", e.owner)
	}},
	unknownAdvice,
	{"EINVAL", "not of another", "process_madvise(2)", func(e *evidence) bool { return e.remote() && !e.advisesRemotely() },
		func(e *evidence) string {
			return fmt.Sprintf("%s is not for the memory of another process: the advices for that are %s.", e.Names, strings.Join(supportedRemoteAdvices(), ", "))
		}},
	{"EINVAL", "not by this call", "process_madvise(2)", func(e *evidence) bool { return !kernel.AdvisesProcesses(e.Flags) },
		func(e *evidence) string {
			return fmt.Sprintf("this kernel takes %s through madvise only, also for the memory of the caller.", e.Names)
		}},
	{"EACCES", "other user", "ptrace(2), PTRACE_MODE_READ_FSCREDS", (*evidence).remote, func(e *evidence) string {
		return fmt.Sprintf("%s may not look into %s, which has other user IDs or is not dumpable.", e.st.Process, e.owner)
	}},
	{"EPERM", "CAP_SYS_NICE", "process_madvise(2)", func(e *evidence) bool { return e.advisesRemotely() && !e.May(kernel.CapSysNice) },
		func(e *evidence) string {
			if !e.remote() {
				return "this kernel requires CAP_SYS_NICE for advice to any process, even to itself."
			}
			return fmt.Sprintf("advice to another process takes CAP_SYS_NICE, which %s does not have.", e.st.Process)
		}},
	{"EAGAIN", "too many mappings", "mm/madvise.c, madvise_update_vma", func(e *evidence) bool {
		left, _, known := e.mappingsLeft()
		return known && left <= 1 && e.splitsMapping(e.rounded)
	}, func(e *evidence) string {
		return "a mapping would have to be split, and the call needs one more for its argument, but " + e.mapCountText() + " (madvise says EAGAIN where other calls say ENOMEM.)"
	}},
}, unlessEmpty(madviseReasons))

// ofThread is why there is no descriptor of a process by the ID of one of its other threads.
func ofThread(errno string) reason {
	return reason{errno, "thread", "kernel/fork.c, pidfd_prepare", func(e *evidence) bool {
		m := e.st.Before.Process(e.text("process"))
		return m != nil && m.Thread
	}, func(e *evidence) string {
		m := e.st.Before.Process(e.text("process"))
		return fmt.Sprintf("pidfd_open takes the ID of the first thread of a process only, and %s is another thread: %s has the same memory.", m.Label, m.Leader())
	}}
}

// unlessEmpty adapts the reasons of madvise: for zero bytes this call checks nothing. The reasons
// about addresses and about the number of mappings have rows of their own, and the advice is
// checked first.
func unlessEmpty(all []reason) (out []reason) {
	for _, r := range all {
		switch when := r.when; {
		case r.name == "unknown advice" || r.name == "wraps" || r.name == "too many mappings":
			continue
		case when != nil:
			r.when = func(e *evidence) bool { return !e.Given.Empty() && when(e) }
		}
		out = append(out, r)
	}
	return out
}

// remote says whether the memory is another process's.
func (e *evidence) remote() bool { return e.owner != e.st.Process }

// remoteAdvices are the advices for the memory of another process: they do not change what that
// finds in it (process_madvise_remote_valid in mm/madvise.c).
var remoteAdvices = []struct {
	word   string
	advice uint64
}{{"cold", 20}, {"pageout", 21}, {"willneed", 3}, {"collapse", 25}}

func (e *evidence) advisesRemotely() bool {
	for _, m := range remoteAdvices {
		if e.has(m.word) {
			return true
		}
	}
	return false
}

// supportedRemoteAdvices are those that this kernel supports.
func supportedRemoteAdvices() (words []string) {
	for _, m := range remoteAdvices {
		if kernel.AdvisesProcesses(m.advice) {
			words = append(words, m.word)
		}
	}
	return words
}

var processMadviseSentences = sentences{
	span: true,
	why: func(e *evidence) string {
		text := explainMadvise(e)
		if e.remote() {
			text = fmt.Sprintf("In %s: %s", e.owner, text)
		}
		if took := e.st.Value; took < e.Given.Len() {
			text += fmt.Sprintf(" The call handled %s of the %s: one call takes no more.", amount.Size(took), amount.Size(e.Given.Len()))
		}
		return text
	},
	reasons: processMadviseReasons,
}
