package why

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: what the lab's subject may not do, this test binary does as a process of its
// own: it says "here" when it is done, and waits until its standard input ends.

var roles = map[string]func(args []string) error{
	"mappings": func(args []string) error { return wait(mapMany(args[0])) },
	"tmpfs":    func(args []string) error { return wait(mapTmpfs(args[0], args[1], args[2])) },
	"segment":  func(args []string) error { return wait(mapSegment(args[0] == "removed")) },
	"merged":   func([]string) error { return wait(mapEqual()) },
}

func wait(err error) error {
	if err != nil {
		fmt.Println(err)
		return err
	}
	fmt.Println("here")
	_, err = os.Stdin.Read(make([]byte, 1))
	return err
}

// start starts this binary in a role, and gives its process when it says that it is there.
func start(t *testing.T, attr *syscall.SysProcAttr, role string, args ...string) vmspace.Member {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "COWSCOPE_ROLE="+role, "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = attr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("needs a process in namespaces of its own: ", err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	said := make([]byte, 100)
	n, err := stdout.Read(said)
	switch text := strings.TrimSpace(string(said[:n])); {
	case err == nil && text == "here":
	case role == "mappings": // needs no right
		t.Fatalf("%s: %s %v", role, text, err)
	default:
		t.Skipf("needs the rights of %s: %s %v", role, text, err)
	}
	return vmspace.Member{Label: "p1", PID: cmd.Process.Pid}
}

// mapMany makes a process have about so many mappings.
func mapMany(count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, n*page, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	for i := 1; i < n && err == nil; i += 2 {
		err = unix.Mprotect(mem[i*page:][:page], unix.PROT_NONE)
	}
	return err
}

func TestNearMapLimit(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		t.Fatal(err)
	}
	most, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if most > 1<<18 {
		t.Skip("needs a vm.max_map_count of at most 262144")
	}
	for _, c := range []struct {
		count int
		near  bool
	}{{1000, false}, {most * 85 / 100, true}} {
		if testing.Short() && c.near {
			continue // reading so many takes minutes in an emulator
		}
		m := start(t, nil, "mappings", strconv.Itoa(c.count))
		f := ask(t, m).of("p1", "near-map-limit")
		if (f != nil) != c.near {
			t.Fatalf("%d of %d: %+v", c.count, most, f)
		}
		if !c.near {
			continue
		}
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", m.PID))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(string(maps), "\n") - strings.Count(string(maps), "[vsyscall]")
		if want := fmt.Sprintf("It has %d mappings, and vm.max_map_count is %d:", lines, most); !strings.HasPrefix(f.Text, want) {
			t.Errorf("%q, want %q", f.Text, want)
		}
	}
}

// mapTmpfs mounts a tmpfs of so many bytes, in namespaces of this process, and maps a file of which
// the first bytes are there.
func mapTmpfs(room, size, there string) error {
	var n [3]int
	for i, text := range []string{room, size, there} {
		var err error
		if n[i], err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	const dir = "/dev/shm"
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+room); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "f"))
	if err == nil {
		err = f.Truncate(int64(n[1]))
	}
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, n[1], unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	for i := 0; i < n[2] && err == nil; i += os.Getpagesize() {
		mem[i] = 1
	}
	f.Close()
	return err
}

func TestShmFull(t *testing.T) {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	const mib = 1 << 20
	for _, c := range []struct {
		name              string
		room, size, there int
		says              string // "" where it is not so
	}{
		{"more than there is room for", 4 * mib, 16 * mib, mib, "has 3 MiB of 4 MiB left, and files mapped here have 15 MiB to be filled"},
		{"filled up", 4 * mib, 4 * mib, 4 * mib, "has 0 bytes of 4 MiB left."},
		{"with room", 16 * mib, 4 * mib, mib, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, attr, "tmpfs", strconv.Itoa(c.room), strconv.Itoa(c.size), strconv.Itoa(c.there))
			f := ask(t, m).of("p1", "shm-full")
			if (f != nil) != (c.says != "") || f != nil && !strings.Contains(f.Text, c.says) {
				t.Fatalf("%+v, want %q", f, c.says)
			}
			if f == nil {
				return
			}
			var st unix.Statfs_t
			if err := unix.Statfs(fmt.Sprintf("/proc/%d/root/dev/shm", m.PID), &st); err != nil || f.Bytes != st.Bfree*uint64(st.Bsize) {
				t.Errorf("%d bytes, statfs says %d: %v", f.Bytes, st.Bfree*uint64(st.Bsize), err)
			}
		})
	}
}

// mapSegment maps 2 MiB of SysV shared memory, which is marked to be destroyed at the latest when
// the process ends.
func mapSegment(removed bool) error {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 2<<20, unix.IPC_CREAT|0o600)
	if err != nil {
		return err
	}
	mem, err := unix.SysvShmAttach(id, 0, 0)
	for i := 0; i < len(mem) && err == nil; i += os.Getpagesize() {
		mem[i] = 1
	}
	if err == nil && !removed {
		fmt.Println("here")
		os.Stdin.Read(make([]byte, 1))
	}
	if _, err := unix.SysvShmCtl(id, unix.IPC_RMID, nil); err != nil {
		return err
	}
	if !removed && err == nil {
		os.Exit(0)
	}
	return err
}

// A SysV segment stays when its last process ends, unless it is marked to be destroyed.
func TestSegmentOutlives(t *testing.T) {
	f := ask(t, start(t, nil, "segment", "kept")).of("p1", "outlives")
	if f == nil || f.Bytes != 2<<20 || !strings.Contains(f.Evidence, "until ipcrm removes it") {
		t.Errorf("%+v", f)
	}
	if f := ask(t, start(t, nil, "segment", "removed")).of("p1", "outlives"); f != nil {
		t.Errorf("%+v", f)
	}
}

// mapEqual maps 8 MiB of equal pages, and lets KSM merge them.
func mapEqual() error {
	mem, err := unix.Mmap(-1, 0, 8<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	unix.Madvise(mem, unix.MADV_NOHUGEPAGE)
	for i := range mem {
		mem[i] = 7
	}
	return unix.Madvise(mem, unix.MADV_MERGEABLE)
}
