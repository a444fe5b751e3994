package actions

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cowscope/actions/kernel"
	"cowscope/actions/verb"
	"cowscope/vmspace"
)

// A step tells the rights of every process that lives, and shares the list with the step before
// where nothing differs.
func TestKeysOfSteps(t *testing.T) {
	require(t, "pkeys")
	l := open(t)
	// xor ecx, ecx; xor edx, edx; mov eax, 8; wrpkru; ret: loads with key 1, and everything with
	// the others
	const opens = `"\x31\xc9\x31\xd2\xb8\x08\x00\x00\x00\x0f\x01\xef\xc3"`
	for _, c := range []struct{ line, want string }{
		{"a = mmap 1p rw private anon", "p1:55555554"},
		{"b = mmap 1p x private anon", "p1:55555554"}, // the kernel's own key was closed already
		{"write a " + opens, "p1:55555554"},
		{"mprotect a rx", "p1:55555554"},
		{"fork", "p1:55555554 p2:55555554"},
		{"exec a", "p1:8* p2:55555554"},
		{"read b", "p1:8* p2:55555554"},
		{"mmap 1p x private anon", "p1:4* p2:55555554"}, // the kernel closes its key again
		{"@p2 pkey_set 15", "p1:4* p2:15555554*"},
		{"@p2 pkey_alloc write", "p1:4* p2:15555564*"}, // key 2: key 1 is the kernel's
		{"@p2 fork", "p1:4* p2:15555564* p3:15555564*"},
		{"@p2 kill", "p1:4* p3:15555564*"},
	} {
		before := l.s.last()
		st := l.do(c.line)
		var got []string
		for _, k := range st.Keys {
			if !k.Value.Known {
				t.Errorf("%s: the rights of %s are not known", c.line, k.Process)
			}
			got = append(got, fmt.Sprintf("%s:%x%s", k.Process, k.Value.PKRU, map[bool]string{true: "*"}[k.Value.Used]))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.line, s, c.want)
		}
		if len(before.Keys) > 0 && fmt.Sprint(before.Keys) == fmt.Sprint(st.Keys) && &before.Keys[0] != &st.Keys[0] {
			t.Errorf("%s: the same list is there twice", c.line)
		}
	}
	if k := l.s.last().KeysOf("p9"); k != (vmspace.Keys{}) {
		t.Errorf("a process that is not there: %+v", k)
	}
}

// What drops the contents of sealed memory is refused exactly where they could not be overwritten, by
// the letters or by the rights to the protection key, and are kept nowhere else.
func TestKeysOfSealed(t *testing.T) {
	require(t, "pkeys", "mseal")
	l := open(t)
	l.all("file x 2p", "pkey_alloc write", "pkey_alloc")
	zero := "madvise EPERM sealed"
	if until(6, 17)() == nil { // that take it for a file
		zero = ""
	}
	drops := strings.Fields("dontneed dontneed_locked free dontfork wipeonfork guard_install")
	for _, c := range []struct{ mmap, prot, row string }{
		{"rw private anon", "rw 1", "madvise EPERM sealed and keyed"},
		{"rw private anon", "r 1", "madvise EPERM sealed"},
		{"rw private anon", "none 2", "madvise EPERM sealed"},
		{"rw private anon", "rw 2", ""},
		{"rw private file=x", "rw 1", ""},
		{"rw private file=/dev/zero", "r 1", zero},
		{"rw shared anon", "rw 1", ""},
	} {
		for _, advice := range verb.Advices {
			if !slices.Contains(drops, advice.Word) || !kernel.KnowsAdvice(advice.Value) {
				continue
			}
			l.want("ok", "a = mmap 2p "+c.mmap)
			l.want("ok", "pkey_mprotect a "+c.prot)
			l.want("ok", "mseal a")
			if st := l.do("madvise a " + advice.Word); (st.Result.String() == "EPERM") != (c.row != "") || c.row != "" && st.Reason != c.row {
				t.Errorf("%s, pkey_mprotect %s, %s: %s, row %q, want %q", c.mmap, c.prot, advice.Word, st.Result, st.Reason, c.row)
			}
			l.want("ok", "madvise a willneed")
		}
	}
}

// Where there are no keys, nothing is said of them, and what executes alone is as it always was.
func TestStepsWithoutKeys(t *testing.T) {
	if hasFeature("pkeys")() == nil {
		t.Skip("needs a processor without protection keys")
	}
	l := open(t)
	l.all("mmap 1p x private anon", "fork")
	if st := l.s.last(); len(st.Keys) > 0 {
		t.Errorf("%+v", st.Keys)
	}
}
