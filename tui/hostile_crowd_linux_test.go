package tui_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// crowdScript has the kernel do what the programs beside this one do, too.
const crowdScript = `file data "one"
f = mmap 1p rw shared file=data
a = mmap 4p rw private anon
touch a write
write f "two"
fork
@p2 write a 2
expect mapped a
@p2 expect bytes a 2
fwrite data 0 "six"
expect bytes f "six"
repeat 20 mmap 16p rw private anon populate
repeat 20 @p2 touch a write
repeat 5 fork
@p2 kill SIGKILL
wait
expect signaled p2 SIGKILL
expect file data 0 "six"
`

// TestHostileCrowd runs scripts side by side. COWSCOPE_HOSTILE_CROWD is how many.
func TestHostileCrowd(t *testing.T) {
	hostilely(t)
	crowd := 8
	if n, err := strconv.Atoi(os.Getenv("COWSCOPE_HOSTILE_CROWD")); err == nil {
		crowd = n
	}
	o := newOrphanage(t)
	scratch := t.TempDir()
	program := program(t)
	ready, all := make(chan struct{}), sync.WaitGroup{}
	wrong := make([]string, crowd)
	for i := range crowd {
		all.Go(func() {
			cmd := exec.Command(program, "exec", "--max-time", "0", "-")
			cmd.Stdin, cmd.Env = strings.NewReader(crowdScript), append(os.Environ(), "TMPDIR="+scratch)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			<-ready
			o.mu.Lock()
			err := cmd.Start()
			if err == nil {
				o.started[cmd.Process.Pid] = true
			}
			o.mu.Unlock()
			if err == nil {
				err = cmd.Wait()
			}
			if oks := strings.Count(out.String(), ": ok: "); err != nil || oks != 5 {
				wrong[i] = fmt.Sprintf("%v, %d expectations hold: %s", err, oks, tail(out.String()))
			}
		})
	}
	close(ready)
	all.Wait()
	for i, w := range wrong {
		if w != "" {
			t.Errorf("number %d of %d: %s", i, crowd, w)
		}
	}
	if left := o.empty(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if files, err := os.ReadDir(scratch); err != nil || len(files) > 0 {
		t.Errorf("left: %v, %v", files, err)
	}
}
