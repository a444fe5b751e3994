package actions

import (
	"strings"
	"testing"
)

// What mmap says of droppable memory: the VmFlags are those, a child finds zeros, a lock passes it
// over, and its pages go without swap, as those do that were freed with MADV_FREE.
func TestDroppable(t *testing.T) {
	if err := hasFeature("droppable")(); err != nil {
		t.Skip(err)
	}
	l := open(t)
	st := l.want("ok", "a = mmap 4p rw droppable anon")
	if !strings.Contains(st.Why, "VmFlags dp") {
		t.Error(st.Why)
	}
	m, _ := st.After.Process("p1").MappingAt(bound(st.Names, "p1", "a").Start)
	for _, f := range strings.Fields("dp wf dd nr") {
		if !m.Smaps.HasFlag(f) {
			t.Errorf("the VmFlags are %v, without %s", m.Smaps.VMFlags, f)
		}
	}
	l.all("fill a 1", "fork", "@p2 read a")
	if st = l.s.last(); st.Bytes[0] != 0 {
		t.Errorf("the child reads %d", st.Bytes[0])
	}
	for _, line := range []string{"mlock a", "mlock a onfault", "mlockall current"} {
		st = l.want("ok", line)
		m, _ = st.After.Process("p1").MappingAt(bound(st.Names, "p1", "a").Start)
		if m.Smaps.HasFlag("lo") || !strings.Contains(st.Why, "is not locked") {
			t.Errorf("%s: %v, %s", line, m.Smaps.VMFlags, st.Why)
		}
	}
	l.all("munlockall", "b = mmap 4p rw private anon", "fill b 1", "madvise b free")
	for _, name := range []string{"a", "b"} {
		st = l.want("ok", "madvise "+name+" pageout")
		l.states("p1", name, "none none none none")
		if !strings.HasPrefix(st.Why, "4 pages were dropped") {
			t.Error(st.Why)
		}
		l.all("read " + name)
		if st = l.s.last(); st.Bytes[0] != 0 {
			t.Errorf("%s holds %d", name, st.Bytes[0])
		}
	}
}
