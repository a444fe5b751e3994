//go:build amd64 || arm64

package subject

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bounded starts a subject whose memory the kernel holds.
func bounded(t *testing.T, tr *Tracer, bytes uint64) *Process {
	t.Helper()
	p := start(t, tr, Config{Memory: bytes})
	if err := p.Unbounded(); err != nil {
		t.Skip("needs memory-cgroup:", err)
	}
	return p
}

// Whoever of the family takes too much is killed by the kernel, and the others live.
func TestCgroup(t *testing.T) {
	inTracer(t, func(tr *Tracer) {
		p := bounded(t, tr, 32<<20)
		name := tr.cgroup.dir.Name()
		c := fork(t, p)
		addr := mmap(t, c, 128<<20/pageSize, unix.PROT_READ|unix.PROT_WRITE)
		_, err := c.Touch(addr, 128<<20/pageSize, pageSize, true)
		wantExit(t, err, ExitedError{PID: c.PID(), Signal: unix.SIGKILL, Full: true})
		alive(t, p)
		d := fork(t, p)
		if _, err := d.Kill(unix.SIGKILL); err == nil {
			t.Error("it lives")
		} else {
			wantExit(t, err, ExitedError{PID: d.PID(), Signal: unix.SIGKILL})
		}
		if err := tr.killAll(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there after the end: %v", name, err)
		}
	})
}

// What the kernel holds is held for page tables too, of which a family can take more than of pages.
func TestCgroupCountsPageTables(t *testing.T) {
	inTracer(t, func(tr *Tracer) {
		p := bounded(t, tr, 16<<20)
		table := pageSize / 8 * pageSize // as much as one page of a page table is for
		const tables = 16 << 10
		e := call(t, p, unix.SYS_MMAP, 0, tables*table, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, none, 0)
		if e.Errno != 0 {
			t.Fatal(e.Errno)
		}
		_, err := p.Touch(e.Value, tables, table, false) // the zero page each time
		wantExit(t, err, ExitedError{PID: p.PID(), Signal: unix.SIGKILL, Full: true})
	})
}

// Where a start inside the cgroup is refused there is one without.
func TestCgroupRefused(t *testing.T) {
	inTracer(t, func(tr *Tracer) {
		p := bounded(t, tr, 64<<20)
		if _, err := p.Exit(0); err == nil {
			t.Fatal("it lives")
		}
		if err := unix.Rmdir(tr.cgroup.dir.Name()); err != nil {
			t.Fatal(err)
		}
		p = start(t, tr, Config{})
		if p.Unbounded() == nil {
			t.Error("nobody says that no cgroup holds it")
		}
		alive(t, p)
	})
}

// A cgroup whose tracer was killed is removed by the next start, and one in use is not.
func TestCgroupOfTheKilled(t *testing.T) {
	inTracer(t, func(tr *Tracer) { bounded(t, tr, 64<<20) })
	cmd, lines := startVictim(t)
	lines.Scan() // the pids
	lines.Scan()
	name := strings.TrimSpace(lines.Text())
	if ok, _ := filepath.Match(cgroupNames, filepath.Base(name)); !ok {
		t.Fatalf("the victim says %q", name)
	}
	inTracer(t, func(tr *Tracer) { bounded(t, tr, 64<<20) })
	if _, err := os.Stat(name); err != nil {
		t.Error("a cgroup in use was removed:", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until(t, "its processes are gone", func() bool {
		b, err := os.ReadFile(filepath.Join(name, "cgroup.procs"))
		return err != nil || len(b) == 0
	})
	inTracer(t, func(tr *Tracer) { bounded(t, tr, 64<<20) })
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", name, err)
	}
}
