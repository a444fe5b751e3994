package symbol

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: a file is opened without side effects (O_PATH) until it is known to be the
// regular file that is mapped.

// openMapped opens the file that m maps. /proc/PID/map_files names the file itself, also a deleted
// one, and needs CAP_CHECKPOINT_RESTORE (proc_pid_map_files(5)); the others are compared with the
// mapping, for another file may have that path by now.
func openMapped(pid int, m vmspace.Mapping) (*os.File, identity, error) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	for _, path := range []string{fmt.Sprintf("%smap_files/%x-%x", proc, m.Start, m.End), proc + "root" + m.Path, proc + "exe"} {
		if f, id, err := openFile(path, &m); err == nil {
			return f, id, nil
		}
	}
	return nil, identity{}, errors.New("no file that can be opened is the one that is mapped")
}

// openFile opens a regular file; with m, only if it is the one that m maps.
func openFile(path string, m *vmspace.Mapping) (*os.File, identity, error) {
	hold, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, identity{}, err
	}
	defer unix.Close(hold)
	var st unix.Stat_t
	if err := unix.Fstat(hold, &st); err != nil {
		return nil, identity{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, identity{}, errors.New("not a regular file")
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", hold), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, identity{}, err
	}
	same := m == nil || st.Ino == m.Inode && unix.Major(uint64(st.Dev)) == m.Major && unix.Minor(uint64(st.Dev)) == m.Minor
	if !same && !mapsAs(f, m) {
		f.Close()
		return nil, identity{}, errors.New("another file")
	}
	return f, identity{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano()}, nil
}

// mapsAs reports whether a mapping of f has the device and the inode of m. On btrfs stat(2) gives
// another device than /proc/PID/maps does (show_map_vma in fs/proc/task_mmu.c).
func mapsAs(f *os.File, m *vmspace.Mapping) bool {
	b, err := unix.Mmap(int(f.Fd()), 0, 1, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return false
	}
	defer unix.Munmap(b)
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return false
	}
	own, err := procfs.ParseMaps(nil, text)
	return err == nil && slices.ContainsFunc(own, func(o vmspace.Mapping) bool {
		return o.Contains(addressOf(b)) && o.Inode == m.Inode && o.Major == m.Major && o.Minor == m.Minor
	})
}

// ownVDSO is the vdso of this process.
func ownVDSO() []byte {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	own, _ := procfs.ParseMaps(nil, text)
	i := slices.IndexFunc(own, func(m vmspace.Mapping) bool { return m.Path == "[vdso]" })
	if i < 0 {
		return nil
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil
	}
	defer mem.Close()
	b := make([]byte, min(own[i].Len(), mostVDSO))
	if _, err := mem.ReadAt(b, int64(own[i].Start)); err != nil {
		return nil
	}
	return b
}

// addressOf is the address of b in this process.
func addressOf(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&b[0]))) }
