package saved

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"testing"

	"cowscope/vmspace"

	"pgregory.net/rapid"
)

// fataler is a test of either kind.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// FuzzRead reads what no cowscope wrote: it ends, in bounded memory, and what it gives keeps the
// rules of a session.
func FuzzRead(f *testing.F) {
	b := story(f)
	f.Add(b)
	lines := bytes.SplitAfter(b, []byte("\n"))
	for n := 2; n < len(lines); n += 4 {
		f.Add(bytes.Join(lines[:n], nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) { readAny(t, b) })
}

// TestReadSpoiled puts values of the file, and extreme ones, in the place of others.
func TestReadSpoiled(t *testing.T) {
	b := story(t)
	values := regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\d+|true|false|\[\]`)
	at := values.FindAllIndex(b, -1)
	extreme := []string{"0", "-1", "null", "{}", "[]", `""`, `"0x0"`, `"0xffffffffffffffff"`, `"0xfffffffffffff000"`, "18446744073709551615", "1e300", `"\ud800"`}
	whole := 0
	rapid.Check(t, func(t *rapid.T) {
		out, from := []byte(nil), 0
		for _, i := range slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.IntRange(0, len(at)-1), 1, 3).Draw(t, "places")))) {
			by := rapid.SampledFrom(extreme).Draw(t, "extreme")
			if rapid.Bool().Draw(t, "of the file") {
				k := at[rapid.IntRange(0, len(at)-1).Draw(t, "value")]
				by = string(b[k[0]:k[1]])
			}
			out = append(append(out, b[from:at[i][0]]...), by...)
			from = at[i][1]
		}
		if rec := readAny(t, append(out, b[from:]...)); rec != nil && len(rec.Steps) == 21 {
			whole++
		}
	})
	if whole == 0 && !testing.Short() { // which makes too few checks for it
		t.Error("nothing was ever spoiled without an error")
	}
}

// readAny reads b, whatever it is, and holds what comes of it against the rules.
func readAny(t fataler, b []byte) *Recording {
	t.Helper()
	rec, err := read(bytes.NewReader(b), limits{line: 1 << 20, memory: 16 << 20})
	if rec == nil {
		if err == nil {
			t.Fatal("nothing, and no error")
		}
		return nil
	}
	for i, st := range rec.Steps {
		if st.N != i || st.After == nil || i > 0 && st.Before != rec.Steps[i-1].After {
			t.Fatalf("step %d is %+v", i, st)
		}
		for _, p := range st.After.Processes {
			checkProcess(t, p)
		}
	}
	if err := errors.Join(rec.WriteList(io.Discard), rec.WriteJSON(io.Discard)); err != nil {
		t.Fatal(err)
	}
	again(t, rec)
	return rec
}

// checkProcess holds the lists against their rules.
func checkProcess(t fataler, p *vmspace.Process) {
	end := uint64(0)
	for _, m := range p.Mappings.All() {
		if m.Empty() || m.Start < end {
			t.Fatalf("%v after %#x", m, end)
		}
		end = m.End
	}
	end = 0
	for _, r := range p.Pages.All() {
		if m, ok := p.MappingAt(r.Start); !ok || !m.Covers(r.Bounds()) || r.Bounds().Empty() || r.Start < end {
			t.Fatalf("%+v in %v after %#x", r, m, end)
		}
		end = r.Bounds().End
	}
}

// again writes what was read, and reads it: it is the same.
func again(t fataler, rec *Recording) {
	var b bytes.Buffer
	w, err := NewWriter(&b, rec.Header)
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range rec.Steps {
		if err := w.Write(st, rec.Lines[i]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(&b)
	if err != nil || len(got.Steps) != len(rec.Steps) {
		t.Fatalf("%d steps of %d: %v", len(stepsOf(got)), len(rec.Steps), err)
	}
	for i, st := range rec.Steps {
		if d := vmspace.Diff(st.After, got.Steps[i].After); len(d) > 0 {
			t.Fatalf("step %d: %+v", i, d)
		}
	}
}
