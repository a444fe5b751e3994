package actions

import (
	"strings"
	"testing"

	"cowscope/vmspace"
)

// Every state and attribute on a live process, one test each: the table vmspace.Proofs names them.

// Of the kernel's data pages pagemap says nothing, before and after they are read: they are special and never none.
func TestStateSpecial(t *testing.T) {
	l := open(t)
	l.all("expect page vvar special")
	if st := l.want(ResultOK, "read vvar"); st.Minor == 0 {
		t.Error("the first read took no fault")
	}
	l.all("expect page vvar special")
	if st := l.want(ResultOK, "read vvar"); st.Minor != 0 {
		t.Error("the page that was read was not there")
	}
	l.all("expect page vdso none", "read vdso", "expect page vdso 1p special")
}

// Where frames are hidden, nobody can say whether a write after a fork kept the frame: as root, the kernel is seen to do both.
func TestHiddenFramesAreNotSaidToBeKept(t *testing.T) {
	l := open(t)
	l.all("a = mmap 1p rw private anon", "write a 1", "fork", "@p2 write a 2")
	st := l.want(ResultOK, "@p1 write a 3")
	if kept := strings.Contains(st.Why, "and it was kept"); !l.frames() && (kept || st.Minor == 1 && !strings.Contains(st.Why, "hidden")) {
		t.Error(st.Why)
	} else if l.frames() && kept != (st.Happened == vmspace.Reuse) {
		t.Errorf("%s: %s", st.Happened, st.Why)
	}
}
