package history

import (
	"fmt"
	"strings"
)

// Ending is one of the ways in which a command ends.
type Ending uint8

// The endings. The zero value is that of a step that is not a command with a result, such as an
// event.
const (
	EndedNot     Ending = iota
	EndedWell           // the kernel did what was asked
	EndedErrno          // the kernel refused it
	EndedSignal         // an instruction was stopped by a signal
	EndedLate           // it did not return before its deadline
	EndedExited         // the process that acted is gone, or cannot act any more
	EndedRefused        // cowscope did not make the call, or foreign code tried a system call
	EndedFailed         // an expectation does not hold
)

// Result is how a command ended. Results can be compared.
type Result struct {
	Ending Ending
	Name   string // of the errno (errno(3)) or the signal (signal(7)): ENOMEM, SIGSEGV
	// Code is that of the signal, without its prefix (sigaction(2)): ACCERR; "" if it says nothing.
	Code string
}

// The results without a name.
var (
	OK      = Result{Ending: EndedWell}
	Timeout = Result{Ending: EndedLate}
	Exited  = Result{Ending: EndedExited}
	Refused = Result{Ending: EndedRefused}
	Failed  = Result{Ending: EndedFailed}
)

// Errno is the result of a call that the kernel refused.
func Errno(name string) Result { return Result{EndedErrno, name, ""} }

// Signal is the result of an instruction that was stopped.
func Signal(name, code string) Result { return Result{EndedSignal, name, code} }

// words are the endings without a name of their own, as String writes them.
var words = map[Ending]string{EndedNot: "", EndedWell: "ok", EndedLate: "timeout", EndedExited: "exited", EndedRefused: "refused", EndedFailed: "failed"}

// String is the result as scripts, the screen and JSON write it: ok, ENOMEM, SIGSEGV/ACCERR,
// timeout, exited, refused, failed.
func (r Result) String() string {
	switch {
	case r.Ending == EndedSignal && r.Code != "":
		return r.Name + "/" + r.Code
	case r.Ending == EndedSignal, r.Ending == EndedErrno:
		return r.Name
	}
	return words[r.Ending]
}

// Is reports whether text denotes the result. A signal without a code matches every code.
func (r Result) Is(text string) bool {
	return r.String() == text || r.Ending == EndedSignal && r.Name == text
}

// ParseResult parses the output of String.
func ParseResult(text string) (Result, error) {
	for ending, word := range words {
		if word == text {
			return Result{Ending: ending}, nil
		}
	}
	switch name, code, _ := strings.Cut(text, "/"); {
	case strings.HasPrefix(name, "SIG"):
		return Signal(name, code), nil
	case strings.HasPrefix(name, "E") && name == text:
		return Errno(name), nil
	}
	return Result{}, fmt.Errorf("%.40q is not a result: expected ok, an errno, a signal with its code, timeout, exited, refused or failed", text)
}
