package tui_test

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"cowscope/actions"
)

// The bill of a family as text and as JSON, for everybody who may read it.
func TestSnapshotBill(t *testing.T) {
	for _, u := range users(t) {
		pid := strconv.Itoa(u.sleeper(t))
		out, complaint, status := u.asks(t, "", "snapshot", "--children", "--bill", pid)
		if status != 0 || complaint != "" {
			t.Fatalf("status %d, %s", status, complaint)
		}
		for _, want := range []string{"the parent", "\np2, child of p1, pid ", "\na fork of p1 now would share ", "\na fork of p2 now would share "} {
			if !strings.Contains(out, want) {
				t.Errorf("uid %d: no %q in\n%s", u.uid, want, out)
			}
		}
		if strings.Contains(out, "VmFlags") {
			t.Errorf("uid %d: VmFlags were not read:\n%s", u.uid, out)
		}
		if out, _, status = u.asks(t, "", "snapshot", "--bill", pid); status != 0 || !strings.Contains(out, "no process here is the child of another") || strings.Contains(out, "a fork of p2") {
			t.Errorf("uid %d: one process: status %d\n%s", u.uid, status, out)
		}
		for _, with := range []string{"--pages", "--diff"} {
			if _, complaint, status := u.asks(t, "", "snapshot", "--bill", with, pid); status != 2 || complaint == "" {
				t.Errorf("--bill %s: status %d", with, status)
			}
		}
		if _, complaint, status := u.asks(t, "", "snapshot", "--bill", "4194305"); status != 1 || !strings.Contains(complaint, "process 4194305 cannot be read: no such process") {
			t.Errorf("status %d, %s", status, complaint)
		}
	}
}

// A script reads from the JSON what was copied and what is left.
func TestSnapshotBillJSON(t *testing.T) {
	s, err := actions.Open(actions.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, line := range []string{"a = mmap 64p rw private anon", "fill a 1", "fork", "@p2 touch a 16p write"} {
		if st, err := s.Do(context.Background(), line); err != nil || !st.OK() {
			t.Fatalf("%s: %v", line, err)
		}
	}
	for _, u := range users(t) {
		if u.uid != os.Geteuid() {
			continue // the session is another user's
		}
		out, complaint, status := u.asks(t, "", "snapshot", "--children", "--bill", "--json", strconv.Itoa(s.History()[0].PID))
		var b struct {
			PageSize uint64 `json:"page_size"`
			Forks    []struct {
				Parent, Child string
				History       bool
				Most          *uint64 `json:"child_copied_at_most"`
				Mappings      []struct {
					Start, Perms                string
					Shared, Left, Apart, Copied uint64
					Likely                      uint64 `json:"shared_likely"`
				}
			}
		}
		if err := json.Unmarshal([]byte(out), &b); err != nil || status != 0 || len(b.Forks) != 1 {
			t.Fatalf("%v, status %d, %s\n%s", err, status, complaint, out)
		}
		f := b.Forks[0]
		if f.Parent != "p1" || f.Child != "p2" || f.History || f.Most == nil || *f.Most < 16*b.PageSize {
			t.Errorf("%+v", f)
		}
		found := false
		for _, m := range f.Mappings {
			if m.Apart == 16*b.PageSize {
				found = m.Shared+m.Likely == 48*b.PageSize && m.Left == 48*b.PageSize && m.Copied == 0
			}
		}
		if !found {
			t.Errorf("%+v", f.Mappings)
		}
	}
}
