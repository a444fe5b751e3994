package actions

import (
	"fmt"
	"strings"
	"testing"

	"cowscope/actions/history"
	"cowscope/vmspace"
)

// Where a step says what grows down, or could not, the mapping is that: [stack], or another with
// VmFlags gd.

// growers are the words of the sentences for what grows, and whether each is the stack.
var growers = map[string]bool{
	"the stack grows down to it": true, "the stack grew": true, "the stack would have to grow": true,
	", which grows downwards (VmFlags gd), grows down to it": false, ", which grows downwards (VmFlags gd), grew": false,
	", which grows downwards (VmFlags gd), would have to grow": false,
}

// checkGrower says what is wrong with what a step says of the mapping that grows.
func checkGrower(st *history.Step) string {
	for words, stack := range growers {
		if !strings.Contains(st.Why, words) {
			continue
		}
		m, ok := grower(st)
		if !ok || m.Smaps != nil && !m.Smaps.HasFlag("gd") || (m.Kind() == vmspace.KindStack) != stack {
			return fmt.Sprintf("%q speaks of %s %s", st.Why, m.Range, m.Path)
		}
	}
	return ""
}

// grower is the mapping that grew, could have grown to a fault, or can after the step.
func grower(st *history.Step) (vmspace.Mapping, bool) {
	was, is := st.Before.Process(st.Process), st.After.Process(st.Process)
	at, in := st.Focus.Start, is
	for _, c := range st.Changes {
		if c.Process == st.Process && c.Kind == vmspace.ChangeGrown {
			return is.MappingAt(c.Range.Start)
		}
	}
	if st.Result.Ending == history.EndedSignal {
		at, in = st.Fault, was
	}
	for _, c := range st.Claims {
		if c.Kind == history.ClaimGrows {
			at = c.Range.Start
		}
	}
	i, mapped := in.Mappings.Find(at)
	if mapped || i == in.Mappings.Len() {
		return vmspace.Mapping{}, false
	}
	return in.Mappings.At(i), true
}

// What is said of a mapping made with MAP_GROWSDOWN is said of it, and of the stack what is said of
// the stack.
func TestGrower(t *testing.T) {
	l := open(t)
	for _, c := range []struct{ line, says string }{
		{growsDown, ""},
		{"write a-3p 1", "It lies below what was mapped: a, which grows downwards (VmFlags gd), grew down to it, by 3 pages."},
		{"munmap a-3p 1p", "1 page no longer mapped, but a, which grows downwards (VmFlags gd), grows down to it again when it is touched."},
		{"munmap a+1p 1p", "but a, which grows downwards (VmFlags gd), grows down to it again"},
		{"read a+1p", "a, which grows downwards (VmFlags gd), grew down to it, by 1 page."},
		{"munmap a-2p 6p", "6 pages no longer mapped: the next touch is SIGSEGV/MAPERR."},
		{"munmap stack 1p", "but the stack grows down to it again"},
		{"write stack-1p 1", "It lies below what was mapped: the stack grew down to it, by 1 page."},
	} {
		st := l.want("ok", c.line)
		if !strings.Contains(st.Why, c.says) {
			t.Errorf("%s: %s\nwant %q", c.line, st.Why, c.says)
		}
		if wrong := checkGrower(st); wrong != "" {
			t.Error(wrong)
		}
	}
}

// What is mapped where the stack began is called [stack], and does not grow.
func TestCalledStack(t *testing.T) {
	l := open(t)
	var begin uint64
	for _, m := range l.s.last().After.Processes[0].Mappings.All() {
		if m.Kind() == vmspace.KindStack {
			begin = m.End - 2*ps // the stack pointer began in the last page
		}
	}
	l.want("ok", fmt.Sprintf("mmap 3p rw private anon fixed addr=0x%x", begin-ps))
	l.want("ok", fmt.Sprintf("munmap 0x%x 1p", begin))
	m, ok := l.s.last().After.Processes[0].MappingAt(begin + ps)
	if !ok || m.Kind() != vmspace.KindStack || m.Smaps.HasFlag("gd") {
		t.Fatalf("%+v", m)
	}
	l.want("ok", "fork") // the child has never had it
	if st := l.want("SIGSEGV/MAPERR", fmt.Sprintf("@p2 read 0x%x", begin)); strings.Contains(st.Why, "grow") || checkGrower(st) != "" {
		t.Errorf("%s %s", st.Why, checkGrower(st))
	}
}

// The check finds a stack that is none.
func TestGrowerIsChecked(t *testing.T) {
	l := open(t)
	l.all(growsDown)
	st := *l.want("ok", "write a-1p 1")
	st.Why = strings.ReplaceAll(st.Why, "a, which grows downwards (VmFlags gd),", "the stack")
	if checkGrower(&st) == "" {
		t.Errorf("nothing is wrong with %q", st.Why)
	}
}
