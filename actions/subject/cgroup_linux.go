//go:build amd64 || arm64

package subject

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The memory cgroup. The session counts the memory of a family and can say which command takes too
// much; the kernel counts too, including memory that the session does not know of. If this user can
// create a cgroup of version 2, each family runs in one of its own with memory.max set
// (Documentation/admin-guide/cgroup-v2.rst). Version 1 is not used: a process can only be moved
// into such a cgroup, which takes 7 ms at each start, and only root can create one.

// cgroup is a directory of the cgroup file system. It is locked as long as it is used: an unlocked
// one was left by a tracer that was killed, and the next tracer removes it.
type cgroup struct {
	dir   *os.File
	kills int // of processes by the kernel, as last reported
}

const cgroupNames = "cowscope-*"

// newCgroup makes an empty cgroup, as close to that of this process as is permitted.
func newCgroup() (*cgroup, error) {
	parents, err := cgroupParents()
	if err != nil {
		return nil, err
	}
	err = errors.New("no cgroup above this process delegates the memory controller (cgroup.subtree_control)")
	for _, parent := range parents {
		b, e := os.ReadFile(filepath.Join(parent, "cgroup.subtree_control"))
		if e != nil || !strings.Contains(" "+strings.TrimSpace(string(b))+" ", " memory ") {
			continue
		}
		sweepCgroups(parent)
		var g *cgroup
		if g, err = makeCgroup(parent); err == nil {
			return g, nil
		}
	}
	return nil, err
}

// makeCgroup tries again if another start mistook the new directory for a left-over one in the
// moment before it was locked.
func makeCgroup(parent string) (*cgroup, error) {
	for try := 0; ; try++ {
		name, err := os.MkdirTemp(parent, cgroupNames)
		if err != nil {
			return nil, err
		}
		g := &cgroup{}
		if g.dir, err = os.Open(name); err == nil {
			if err = unix.Flock(int(g.dir.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil {
				_, err = g.counted("memory.events", "oom_kill")
			}
			if err == nil {
				return g, nil
			}
			g.dir.Close()
		}
		_ = unix.Rmdir(name)
		if try == 3 {
			return nil, err
		}
	}
}

// sweepCgroups removes the cgroups of tracers that were killed. A cgroup that contains a process
// cannot be removed (cgroup-v2.rst).
func sweepCgroups(parent string) {
	left, _ := filepath.Glob(filepath.Join(parent, cgroupNames))
	for _, name := range left {
		dir, err := os.Open(name)
		if err != nil {
			continue // another user's
		}
		if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = unix.Rmdir(name)
		}
		dir.Close()
	}
}

// cgroupParents lists the cgroup of this process and those above it, if they are mounted.
func cgroupParents() ([]string, error) {
	root, mount, err := cgroupMount()
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		below, err := filepath.Rel(root, own)
		if !ok || err != nil || below == ".." || strings.HasPrefix(below, "../") {
			continue // outside the mount, as in a container
		}
		var all []string
		for dir := filepath.Join(mount, below); ; dir = filepath.Dir(dir) {
			if all = append(all, dir); dir == mount {
				return all, nil
			}
		}
	}
	return nil, errors.New("the cgroup of this process is outside of what is mounted here")
}

// cgroupMount returns where version 2 is mounted, and which cgroup is its root there
// (proc_pid_mountinfo(5)).
func cgroupMount() (root, mount string, err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		place, kind, _ := strings.Cut(s.Text(), " - ")
		if fields := strings.Fields(place); strings.HasPrefix(kind, "cgroup2 ") && len(fields) > 4 {
			return fields[3], fields[4], nil
		}
	}
	return "", "", errors.New("cgroups of version 2 are not mounted here")
}

// limit sets how many bytes the family may take in memory, and as many in swap.
func (g *cgroup) limit(bytes uint64) error {
	text := []byte(strconv.FormatUint(bytes, 10))
	_ = os.WriteFile(filepath.Join(g.dir.Name(), "memory.swap.max"), text, 0) // absent without swap
	return os.WriteFile(filepath.Join(g.dir.Name(), "memory.max"), text, 0)
}

// counted reads a number from a cgroup file of keys and values.
func (g *cgroup) counted(file, key string) (int, error) {
	b, err := os.ReadFile(filepath.Join(g.dir.Name(), file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+" "); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, key)
}

// killed reports whether the kernel, since the previous call, killed a process of the family
// because its memory limit was reached.
func (g *cgroup) killed() bool {
	if g == nil {
		return false
	}
	n, err := g.counted("memory.events", "oom_kill")
	more := err == nil && n > g.kills
	if more {
		g.kills++
	}
	return more
}

// bound puts what is started from now on into a cgroup with that memory limit in bytes, if one can
// be created.
func (t *Tracer) bound(bytes uint64) {
	if t.cgroup == nil && t.unbounded == nil {
		t.cgroup, t.unbounded = newCgroup()
	}
	if t.cgroup == nil {
		return
	}
	if err := t.cgroup.limit(bytes); err != nil {
		t.unbounded = err
		_ = t.leaveCgroup()
	}
}

// leaveCgroup removes the cgroup, in which no process is left.
func (t *Tracer) leaveCgroup() error {
	g := t.cgroup
	t.cgroup = nil
	if g == nil {
		return nil
	}
	return g.remove()
}

// remove removes a cgroup in which no process is left.
func (g *cgroup) remove() error {
	defer g.dir.Close()
	if err := unix.Rmdir(g.dir.Name()); err != nil {
		return &os.PathError{Op: "rmdir", Path: g.dir.Name(), Err: err}
	}
	return nil
}
