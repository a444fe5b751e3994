package observe

import (
	"testing"
	"time"
)

// A reading waits as long as the last one of its kind asks for, and longer where nothing changes.
func TestRhythm(t *testing.T) {
	r := Rhythm{Share: 100, Rest: 10}
	for _, c := range []struct {
		what      Reading
		took, ago time.Duration
		changed   bool
		want      bool
	}{
		{Signs, 0, 0, false, true},
		{Signs, freely - 1, 0, false, true},
		{Signs, time.Second, 99 * time.Second, true, false},
		{Signs, time.Second, 100 * time.Second, false, true},
		{Everything, freely - 1, 0, false, true},
		{Everything, time.Second, 99 * time.Second, true, false},
		{Everything, time.Second, 100 * time.Second, true, true},
		{Everything, time.Second, 100 * time.Second, false, false},
		{Everything, time.Second, 1000 * time.Second, false, true},
	} {
		r.last[c.what] = spent{time.Now().Add(-c.ago), c.took}
		if got := r.Due(c.what, c.changed); got != c.want {
			t.Errorf("%+v: due %v", c, got)
		}
	}
	r.last[Everything] = spent{time.Now(), time.Hour}
	r.Forget()
	if !r.Due(Everything, false) {
		t.Error("not due after it was to forget")
	}
	done := r.Begin(Everything)
	time.Sleep(2 * freely) // it is the time that counts
	done()
	if r.Due(Everything, true) || !r.Due(Signs, true) {
		t.Error("what took its time may be repeated at once, or something else may not")
	}
}
