package tui_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/history"
)

// toucher is a process with four pages that it writes to when it is told to: a lab's subject, which is as small as a process can
// be. Where a look at a process is slow, watch waits long for the next one.
type toucher struct {
	lab   *actions.Session
	pid   int
	addr  uint64
	pages int // that it wrote to
}

func startToucher(t *testing.T) *toucher {
	t.Helper()
	s, err := actions.Open(actions.Options{})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	u := &toucher{lab: s}
	st := u.do(t, "t = mmap 4p rw private anon")
	u.pid, u.addr = st.After.Processes[0].PID, st.Focus.Start
	return u
}

func (u *toucher) do(t *testing.T, line string) *history.Step {
	t.Helper()
	st, err := u.lab.Do(t.Context(), line)
	if err != nil || !st.OK() {
		t.Fatalf("%s: %v", line, err)
	}
	return st
}

// touch lets it write to the next page.
func (u *toucher) touch(t *testing.T) {
	t.Helper()
	u.do(t, fmt.Sprintf("write t+%dp 1", u.pages))
	u.pages++
}

// picture is a line of watch --json.
type picture struct {
	Time      time.Time
	Processes []struct {
		Label    string
		PID      int
		State    string
		Mappings []struct {
			Start, End string
			Pages      []struct {
				Start, State string
				Count        uint64
			}
		}
	}
	Changes []struct {
		Kind, Process, Start, From, To string
		Pages                          uint64
	}
	Faults []any
	Lost   *int
}

// stream is the program that writes them.
type stream struct {
	*testing.T
	cmd   *exec.Cmd
	out   io.ReadCloser
	lines *bufio.Reader
}

func watchJSON(t *testing.T, args ...string) *stream {
	t.Helper()
	s := &stream{T: t, cmd: exec.Command(program(t), append([]string{"watch", "--json"}, args...)...)}
	var err error
	s.out, err = s.cmd.StdoutPipe()
	must(t, err)
	s.cmd.Stderr = os.Stderr
	must(t, s.cmd.Start())
	s.lines = bufio.NewReader(s.out)
	// Watching takes a hundredth of a CPU: where a look is slow, the next one waits for long.
	late := time.AfterFunc(9*patience, func() { s.cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	return s
}

// next is the next picture; ok is false at the end.
func (s *stream) next() (p picture, ok bool) {
	s.Helper()
	line, err := s.lines.ReadBytes('\n')
	if err == io.EOF && len(line) == 0 {
		return p, false
	}
	must(s.T, err)
	if err := json.Unmarshal(line, &p); err != nil || p.Time.IsZero() || p.Changes == nil || p.Faults == nil || p.Lost == nil {
		s.Fatalf("%v in %.2000s", err, line)
	}
	return p, true
}

// ends holds that the program ends with status 0.
func (s *stream) ends() {
	s.Helper()
	if err := s.cmd.Wait(); err != nil {
		s.Error(err)
	}
}

// stateAt is what the picture says of a page of p1: "" where it has no word.
func (p picture) stateAt(addr uint64) string {
	for _, q := range p.Processes {
		if q.Label != "p1" {
			continue
		}
		for _, m := range q.Mappings {
			for _, r := range m.Pages {
				if start := parseHex(r.Start); addr >= start && addr < start+r.Count*uint64(os.Getpagesize()) {
					return r.State
				}
			}
		}
	}
	return ""
}

func parseHex(text string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64)
	return n
}

// Each write to a fresh page is a change in the line that tells it, and the page is there as the
// kernel has it; the last line tells the end.
func TestWatchJSON(t *testing.T) {
	u := startToucher(t)
	s := watchJSON(t, strconv.Itoa(u.pid))
	first, ok := s.next()
	if !ok || len(first.Processes) != 1 || first.Processes[0].PID != u.pid || len(first.Changes) > 0 {
		t.Fatalf("the first picture: %+v", first)
	}
	if st := first.stateAt(u.addr); st != "" && st != "none" {
		t.Fatalf("the page is %s before it is written to", st)
	}
	for i := range uint64(2) {
		addr := u.addr + i*uint64(os.Getpagesize())
		u.touch(t)
		for told := false; !told; {
			p, ok := s.next()
			if !ok {
				t.Fatalf("page %d is not told", i)
			}
			for _, c := range p.Changes {
				start := parseHex(c.Start)
				told = told || c.Kind == "page" && c.Process == "p1" && start <= addr && addr < start+c.Pages*uint64(os.Getpagesize()) && c.From == "none" && c.To == "anon"
			}
			if told && p.stateAt(addr) != "anon" {
				t.Errorf("page %d is told as written, and is %q", i, p.stateAt(addr))
			}
		}
	}
	u.lab.Close()
	var last picture
	for p, ok := s.next(); ok; p, ok = s.next() {
		last = p
	}
	if len(last.Processes) != 1 || last.Processes[0].State != "zombie" && last.Processes[0].State != "gone" {
		t.Errorf("the last picture: %+v", last)
	}
	s.ends()
}

// Whoever interrupts it, or reads no further, gets status 0.
func TestWatchJSONEnds(t *testing.T) {
	u := startToucher(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE} {
		s := watchJSON(t, strconv.Itoa(u.pid))
		if _, ok := s.next(); !ok {
			t.Fatal("no picture")
		}
		if sig == syscall.SIGPIPE {
			s.out.Close()
			u.touch(t)
		} else {
			must(t, s.cmd.Process.Signal(sig))
		}
		s.ends()
	}
	for args, want := range map[string]string{"": "which process?", "no-such-process": "no process is called", "1 --save x": "none of the others can be"} {
		out, err := exec.Command(program(t), append([]string{"watch", "--json"}, strings.Fields(args)...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
}
