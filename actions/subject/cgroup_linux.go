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

// The memory cgroup. Whoever starts a family counts what it takes, and can tell what was too much;
// the kernel counts too, and knows of memory that nobody else thought of. Where this user may make
// a cgroup of version 2, each family lives in one of its own with memory.max set
// (Documentation/admin-guide/cgroup-v2.rst). Version 1 is not used: there a process can only be
// moved into a cgroup, which takes 7 ms at each start, and nothing can be made without root.

// cgroup is a directory of the cgroup file system. A lock is held on it for as long as it is used:
// one that nobody has locked is left over from a tracer that was killed, and the next one removes
// it.
type cgroup struct {
	dir   *os.File
	kills int // by the kernel, as far as told
}

const cgroupNames = "cowscope-*"

// newCgroup makes a cgroup, empty, as near to that of this process as it may.
func newCgroup() (*cgroup, error) {
	parents, err := cgroupParents()
	if err != nil {
		return nil, err
	}
	err = errors.New("no cgroup above this process hands memory on (cgroup.subtree_control)")
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

// makeCgroup tries again if another start took the new directory for one that was left over, in the
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

// sweepCgroups removes what tracers left that were killed. A cgroup in which a process lives cannot
// be removed (cgroup-v2.rst).
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

// cgroupParents lists the cgroup of this process and those above it, where they are mounted.
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
			continue // outside of what is mounted, as in a container
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

// cgroupMount finds where version 2 is mounted, and which cgroup is the root there
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

// limit sets how many bytes the family may take, in memory and then again in swap.
func (g *cgroup) limit(bytes uint64) error {
	text := []byte(strconv.FormatUint(bytes, 10))
	_ = os.WriteFile(filepath.Join(g.dir.Name(), "memory.swap.max"), text, 0) // not there without swap
	return os.WriteFile(filepath.Join(g.dir.Name(), "memory.max"), text, 0)
}

// counted reads a number from one of the cgroup's files of keys and values.
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

// killed says whether the kernel killed a process of the family, since it was asked last, because
// no more memory was to be had.
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

// bound puts what is started from now on into a cgroup that may take so many bytes, if one can be
// made.
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

// leaveCgroup removes the cgroup, whose processes are gone.
func (t *Tracer) leaveCgroup() error {
	g := t.cgroup
	t.cgroup = nil
	if g == nil {
		return nil
	}
	return g.remove()
}

// remove is for a cgroup whose processes are gone.
func (g *cgroup) remove() error {
	defer g.dir.Close()
	if err := unix.Rmdir(g.dir.Name()); err != nil {
		return &os.PathError{Op: "rmdir", Path: g.dir.Name(), Err: err}
	}
	return nil
}
