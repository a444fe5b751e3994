package tui

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"cowscope/actions/history"
	"cowscope/actions/saved"
	"cowscope/vmspace"
)

// pictureSum is a picture in a number: equal pictures have equal ones.
func pictureSum(t *testing.T, s *vmspace.Snapshot) uint64 {
	if s == nil {
		return 0
	}
	h := fnv.New64a()
	if err := s.WriteText(h); err != nil {
		t.Fatal(err)
	}
	return h.Sum64()
}

// liveHeap is how many bytes are in use when all garbage is gone.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A session of many commands, by the keys of the screen: it takes bounded memory, each step that is
// kept is as it was when it was new, the screen says where steps are no longer kept, and the saved
// file has all. COWSCOPE_HOSTILE_COMMANDS is how many commands; .ci/hostile gives a million.
func TestHostileLongSession(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	commands := 8_000 // more than are all kept
	if n, err := strconv.Atoi(os.Getenv("COWSCOPE_HOSTILE_COMMANDS")); err == nil {
		commands = n
	}
	d := drive(t, 120, 36, Options{})
	sums := make([]uint64, 0, commands+8) // of the picture after each step
	d.s.Follow(0, func(st *history.Step) { sums = append(sums, pictureSum(t, st.After)) })
	file := ""
	if commands <= 100_000 {
		file = filepath.Join(t.TempDir(), "long.cow.jsonl")
		defer saveTo(t, d, file)()
	}
	began, half := time.Now(), uint64(0)
	for len(sums) < commands {
		d.press("m", "enter", "w", "r", "u", "enter")
		if half == 0 && len(sums) >= commands/2 {
			half = liveHeap()
		}
	}
	took, all := time.Since(began), liveHeap()
	t.Logf("%d steps, %v each; %d are kept; %d KiB after half of them, %d KiB after all", len(sums), took/time.Duration(len(sums)), len(d.m.steps), half>>10, all>>10)
	if all > half+24<<20 || all > 128<<20 {
		t.Errorf("%d KiB after half of the session, %d KiB at its end", half>>10, all>>10)
	}

	d.sees(fmt.Sprintf("step %d/%[1]d", len(sums)-1))
	for i, st := range d.m.steps {
		if i > 0 && pictureSum(t, st.Before) != sums[st.N-1] || pictureSum(t, st.After) != sums[st.N] {
			t.Fatalf("step %d is not as it was", st.N)
		}
	}
	first := len(d.m.steps) - 1
	for first > 0 && history.Missing(d.m.steps, first) == 0 {
		d.press("[")
		first--
	}
	if n := len(d.m.steps) - first; n < 4096 {
		t.Fatalf("the newest %d steps are all there", n)
	}
	at, before := d.m.steps[first].N, d.m.steps[first-1].N
	d.sees(fmt.Sprintf("step %d/", at), "no longer kept ┄")
	d.press("[").sees(fmt.Sprintf("steps %d to %d are no longer kept", before+1, at-1), fmt.Sprintf("step %d/", before))
	d.press("]").sees(fmt.Sprintf("steps %d to %d are no longer kept", before+1, at-1), fmt.Sprintf("step %d/", at))
	d.press("{").sees("step 0/").seesNot("no longer")
	d.press("]").sees("no longer kept ┄")
	d.press("}").sees("● live", fmt.Sprintf("step %d/%[1]d", len(sums)-1))
	if file == "" {
		return
	}
	rec, err := saved.Open(file)
	if err != nil || len(rec.Steps) != len(sums) {
		t.Fatalf("%d steps of %d are saved: %v", len(rec.Steps), len(sums), err)
	}
	for n, st := range rec.Steps {
		if pictureSum(t, st.After) != sums[n] {
			t.Fatalf("step %d is saved as another one", n)
		}
	}
}

// saveTo saves the session of d from here on; done closes the file.
func saveTo(t *testing.T, d *driver, name string) (done func()) {
	t.Helper()
	f, err := saved.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := LabOptions{Program: "test"}.saving(d.s, f)
	if err != nil {
		t.Fatal(err)
	}
	d.m.lab = r
	return func() {
		f.Close()
		if err := r.Failed(); err != nil {
			t.Error(err)
		}
	}
}

// Who looks at a step that is let go meanwhile is told, and sees the one before it that is kept.
func TestStepLetGoWhileShown(t *testing.T) {
	if testing.Short() {
		t.Skip("needs more time than -short gives")
	}
	d := drive(t, 120, 36, Options{})
	d.press("m", "enter", "w", "r", "[").sees("step 2/3")
	if _, err := d.s.Do(t.Context(), "repeat 5200 read a"); err != nil {
		t.Fatal(err)
	}
	d.send(polledMsg{step: d.s.History()[0]})
	d.sees("step 2 is no longer kept; this is step 0", "step 0/5203")
}
