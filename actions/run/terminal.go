package run

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"cowscope/vmspace/printable"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
)

// terminal is the terminal of a program, and what was written to it. A process that is attached to
// has its own, and here none: a nil terminal.
type terminal struct {
	master, slave *os.File
	ended         chan struct{} // closed when nothing is read any more
	mu            sync.Mutex
	said          []byte
	cut           bool // there was more before it
}

// mostSaid is how many bytes are kept of what a program writes between two steps.
const mostSaid = 64 << 10

func openTerminal() (*terminal, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("a terminal for the program: %w", err)
	}
	t := &terminal{master: master, slave: slave, ended: make(chan struct{})}
	t.resize(80, 24)
	go t.listen()
	return t, nil
}

// resize sets the size of the terminal, in characters. The program gets SIGWINCH where that is another one.
func (t *terminal) resize(columns, rows int) {
	if t == nil {
		return
	}
	want := pty.Winsize{Cols: uint16(min(max(columns, 1), math.MaxUint16)), Rows: uint16(min(max(rows, 1), math.MaxUint16))}
	if now, err := pty.GetsizeFull(t.master); err != nil || *now != want {
		_ = pty.Setsize(t.master, &want) // EIO: the program has gone
	}
}

// listen reads what the program writes until its terminal is closed.
func (t *terminal) listen() {
	defer close(t.ended)
	buf := make([]byte, 4096)
	for {
		n, err := t.master.Read(buf)
		if err != nil {
			return
		}
		t.mu.Lock()
		t.said = append(t.said, buf[:n]...)
		if more := len(t.said) - mostSaid; more > 0 {
			t.said, t.cut = t.said[more:], true
		}
		t.mu.Unlock()
	}
}

// finish waits until all that the program wrote has been read, after its end: then nobody has the
// terminal, unless it was given to a stranger.
func (t *terminal) finish() {
	if t == nil {
		return
	}
	t.slave.Close()
	select {
	case <-t.ended:
	case <-time.After(time.Second):
	}
}

// take gives what was written since it was asked for last, as lines that any terminal may be given.
func (t *terminal) take() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	said := plain(string(t.said))
	if t.cut {
		said = "…" + said
	}
	t.said, t.cut = nil, false
	return said
}

// plain is the text without what moves the cursor or colours: of a line that was written over, what
// stands there last.
func plain(said string) string {
	lines := strings.Split(strings.ReplaceAll(ansi.Strip(said), "\r\n", "\n"), "\n")
	for i, l := range lines {
		l = strings.TrimRight(l, "\r")
		lines[i] = printable.Line(strings.ReplaceAll(l[strings.LastIndexByte(l, '\r')+1:], "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// keys types for the program.
func (t *terminal) keys(text []byte) error {
	if t == nil {
		return errors.New("the process has a terminal of its own, if any: type there")
	}
	if _, err := t.master.Write(text); err != nil {
		return fmt.Errorf("the program's terminal takes no keys: %w", err)
	}
	return nil
}

func (t *terminal) close() {
	if t == nil {
		return
	}
	t.slave.Close()
	t.master.Close()
}
