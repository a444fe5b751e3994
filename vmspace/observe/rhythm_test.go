package observe

import (
	"testing"
	"time"
)

// A reading waits as long as the last one of its kind asks for, and longer where nothing changes.
func TestRhythm(t *testing.T) {
	r := Rhythm{Share: 100, Rest: 10}
	read := func(what Reading, took, ago time.Duration) { r.last[what] = spent{time.Now().Add(-ago), took} }
	due := func(changed bool, want Reading) {
		t.Helper()
		if got := r.Due(changed); got != want {
			t.Errorf("due is %d, want %d", got, want)
		}
	}
	due(false, Everything)
	read(Everything, freely-1, 0)
	due(false, Everything)
	read(Everything, time.Second, 99*time.Second)
	due(true, Signs)
	read(Signs, time.Second, 99*time.Second)
	due(true, Nothing)
	read(Signs, time.Second, 100*time.Second)
	due(true, Signs)
	read(Everything, time.Second, 100*time.Second)
	due(true, Everything)
	due(false, Signs)
	read(Everything, time.Second, 1000*time.Second)
	due(false, Everything)
	read(Everything, time.Hour, 0)
	r.Forget()
	due(true, Everything)
	done := r.Begin(Everything)
	time.Sleep(2 * freely) // it is the time that counts
	done()
	due(true, Signs)
}
