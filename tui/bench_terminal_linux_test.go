package tui_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cowscope/actions"
	"cowscope/actions/family"
	"cowscope/tui"
	"cowscope/tui/terminal"

	tea "charm.land/bubbletea/v2"
	"github.com/creack/pty"
)

// What a person at a terminal waits for, and what a frame costs: the program as a process of its
// own, keys pressed one by one, each once all is quiet, and the time until its first byte comes
// back, which is the whole frame. The frame period is part of it. Beside small subjects stand those
// with 60,000 mappings and with 4 GiB of pages, and beside the lab the least that Bubble Tea needs
// for as many cells.

const (
	benchWidth, benchHeight = 200, 50
	benchQuiet              = 120 * time.Millisecond // with no output for so long a frame and what follows it is over
)

func init() {
	for name, commands := range subjects {
		roles[name] = func() error { return labWith(commands()) }
	}
	roles["floor"] = func() error {
		_, err := tea.NewProgram(&floor{}, tea.WithFPS(terminal.FramesPerSecond)).Run()
		return err
	}
}

// subjects are what the lab has done before its first frame.
var subjects = map[string]func() []string{
	"5 mappings": func() []string { return []string{"a = mmap 4p rw private anon", "write a 1"} },
	"60000 mappings": func() []string {
		lines := []string{"big = mmap 60000p rw private anon noreserve"}
		for i := 1; i < 60000; i += 2 {
			lines = append(lines, fmt.Sprintf("mprotect big+%dp 1p r", i))
		}
		return append(lines, "a = mmap 4p rw private anon", "write a 1")
	},
	"4 pages": func() []string { return []string{"a = mmap 4p rw private anon", "touch a write", "fork", "write a 1"} },
	"4 GiB": func() []string {
		return []string{"a = mmap 4g rw private anon noreserve", "madvise a nohugepage", "touch a write", "fork", "write a 1"}
	},
}

func labWith(commands []string) error {
	s, err := actions.Open(actions.Options{Limits: family.Limits{Memory: 20 << 30}})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, line := range commands {
		if st, err := s.Do(context.Background(), line); err != nil || !st.OK() {
			return fmt.Errorf("%s: %v %+v", line, err, st)
		}
	}
	return tui.RunWith(s)
}

// floor shows a screen in which each key changes 60 cells.
type floor struct{ n int }

func (*floor) Init() tea.Cmd { return nil }

func (f *floor) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		if f.n++; k.String() == "q" {
			return f, tea.Quit
		}
	}
	return f, nil
}

func (f *floor) View() tea.View {
	rows := make([]string, benchHeight)
	for y := range rows {
		rows[y] = strings.Repeat("\x1b[38;5;75m■\x1b[m·", benchWidth/2)
	}
	rows[7] = strings.Repeat(strconv.Itoa(f.n%10), 60) + strings.Repeat(".", benchWidth-60)
	v := tea.NewView(strings.Join(rows, "\n"))
	v.AltScreen = true
	return v
}

// keyboard is a program on a terminal of which only the times of its output matter.
type keyboard struct {
	cmd   *exec.Cmd
	tty   *os.File
	came  chan time.Time
	bytes int
}

func sitDown(b *testing.B, name string) *keyboard {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	k := &keyboard{cmd: exec.Command(self), came: make(chan time.Time, 1<<16)}
	k.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor", "COWSCOPE_ROLE="+name)
	tty, err := pty.StartWithSize(k.cmd, &pty.Winsize{Cols: benchWidth, Rows: benchHeight})
	if err != nil {
		b.Fatal(err)
	}
	k.tty = pollable(b, tty)
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := k.tty.Read(buf)
			if err != nil {
				close(k.came)
				return
			}
			k.bytes += n
			k.came <- time.Now()
		}
	}()
	b.Cleanup(func() {
		k.cmd.Process.Kill()
		k.tty.Close()
		for range k.came {
		}
		k.cmd.Wait()
	})
	if _, ok := <-k.came; !ok { // the first frame, however long the subject's preparation takes
		b.Fatal(name, " ended")
	}
	k.quiet(b)
	return k
}

// quiet waits until nothing more comes.
func (k *keyboard) quiet(b *testing.B) {
	for {
		select {
		case _, ok := <-k.came:
			if !ok {
				b.Fatal("the program ended")
			}
		case <-time.After(benchQuiet):
			return
		}
	}
}

// press presses a key and gives the time to its frame.
func (k *keyboard) press(b *testing.B, key string) time.Duration {
	start := time.Now()
	if _, err := k.tty.WriteString(key); err != nil {
		b.Fatal(err)
	}
	select {
	case at, ok := <-k.came:
		if ok {
			return at.Sub(start)
		}
		b.Fatal("the program ended")
	case <-time.After(10 * time.Second):
		b.Fatalf("nothing came of the key %q", key)
	}
	return 0
}

// onCPU is how long the threads of the program have run.
func (k *keyboard) onCPU(b *testing.B) time.Duration {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", k.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		b.Fatal("no schedstat: ", err)
	}
	total := int64(0)
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil {
			n, _ := strconv.ParseInt(string(bytes.Fields(text)[0]), 10, 64)
			total += n
		}
	}
	return time.Duration(total)
}

// BenchmarkTerminal reports milliseconds from key to frame and of CPU a frame, idle ticks included.
func BenchmarkTerminal(b *testing.B) {
	keys := map[string][]string{"right": {"\x1b[C", "\x1b[D"}, "w": {"w", "w"}}
	for _, key := range []string{"right", "w"} {
		median := map[string]time.Duration{}
		cost := map[string]time.Duration{}
		for _, c := range []struct{ name, peer string }{
			{"floor", ""}, {"5 mappings", "floor"}, {"60000 mappings", "5 mappings"}, {"4 pages", "floor"}, {"4 GiB", "4 pages"},
		} {
			b.Run(key+"/"+strings.ReplaceAll(c.name, " ", ""), func(b *testing.B) {
				k := sitDown(b, c.name)
				k.press(b, ":read a\r") // which takes the cursor there
				k.quiet(b)
				var took []time.Duration
				k.bytes = 0
				cpu := k.onCPU(b)
				for i := 0; b.Loop(); i++ {
					took = append(took, k.press(b, keys[key][i%2]))
					// At another moment of the frame period each time.
					time.Sleep(time.Duration(i*7%33) * time.Millisecond)
					k.quiet(b)
				}
				cost[c.name] = (k.onCPU(b) - cpu) / time.Duration(len(took))
				slices.Sort(took)
				median[c.name] = took[len(took)/2]
				ms := func(d time.Duration, unit string) { b.ReportMetric(float64(d.Microseconds())/1000, unit) }
				b.ReportMetric(0, "ns/op")
				ms(median[c.name], "ms-median")
				ms(took[len(took)*99/100], "ms-p99")
				ms(cost[c.name], "ms-CPU")
				b.ReportMetric(float64(k.bytes/len(took)), "B/frame")
				if peer := median[c.peer]; peer > 0 {
					b.ReportMetric(float64(median[c.name])/float64(peer), "times-median")
					b.ReportMetric(float64(cost[c.name])/float64(cost[c.peer]), "times-CPU")
				}
			})
		}
	}
}
