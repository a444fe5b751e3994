package why

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"cowscope/actions/verdict"
	"cowscope/vmspace"
	"cowscope/vmspace/printable"

	"golang.org/x/sys/unix"
)

// files finds the files that a process maps.
type files struct {
	pid      int
	open     map[verdict.FileID]string // its descriptors, as paths; nil before they were listed
	segments map[uint64]segment        // SysV shared memory by identifier; nil before it was listed
}

// find looks at the file behind a mapping: by the kernel's own link where it may be followed, which
// takes a capability; or else by its path, as the process sees it, or by a descriptor, where that is
// the same file.
func (l *files) find(m *vmspace.Mapping) (verdict.File, bool) {
	if s, ok := l.segment(m); ok {
		return s, true
	}
	link := fmt.Sprintf("/proc/%d/map_files/%x-%x", l.pid, m.Start, m.End)
	if to, err := os.Readlink(link); err == nil && to == m.Path {
		if f, _, ok := look(link); ok {
			return f.in(m), true
		}
	}
	if !strings.HasSuffix(m.Path, " (deleted)") {
		if f, id, ok := look(fmt.Sprintf("/proc/%d/root%s", l.pid, m.Path)); ok && id == verdict.IDOf(m) {
			return f.in(m), true
		}
	}
	if l.open == nil {
		l.list()
	}
	if fd, ok := l.open[verdict.IDOf(m)]; ok {
		if f, id, ok := look(fd); ok && id == verdict.IDOf(m) {
			return f.in(m), true
		}
	}
	return verdict.File{}, false
}

// list lists the descriptors of the process.
func (l *files) list() {
	l.open = map[verdict.FileID]string{}
	dir := fmt.Sprintf("/proc/%d/fd/", l.pid)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		var st unix.Stat_t
		if unix.Stat(dir+e.Name(), &st) == nil {
			l.open[idOf(&st)] = dir + e.Name()
		}
	}
}

func idOf(st *unix.Stat_t) verdict.FileID {
	return verdict.FileID{Major: unix.Major(st.Dev), Minor: unix.Minor(st.Dev), Inode: st.Ino}
}

// found is a file as look finds it.
type found struct{ verdict.File }

// in adds to a file what its mapping tells.
func (f found) in(m *vmspace.Mapping) verdict.File {
	f.Folder = printable.Name(path.Dir(m.Path))
	return f.File
}

// The file systems whose files are in memory alone (linux/magic.h).
const (
	tmpfsMagic     = 0x01021994
	ramfsMagic     = 0x858458f6
	hugetlbfsMagic = 0x958458f6
)

// look reads size and place of a file, without opening it (stat(2), statfs(2)).
func look(name string) (f found, id verdict.FileID, ok bool) {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if unix.Stat(name, &st) != nil || unix.Statfs(name, &fs) != nil {
		return f, id, false
	}
	f.Size, f.Allocated, f.Regular = uint64(st.Size), uint64(st.Blocks)*512, st.Mode&unix.S_IFMT == unix.S_IFREG
	switch magic := uint32(fs.Type); {
	case !f.Regular: // a device, perhaps in a devtmpfs
	case magic == tmpfsMagic:
		f.Memory = true
		f.Total, f.Free = fs.Blocks*uint64(fs.Bsize), fs.Bfree*uint64(fs.Bsize)
	case magic == ramfsMagic, magic == hugetlbfsMagic:
		f.Memory = true
	}
	if f.Memory && st.Nlink > 0 {
		f.Kept = "until it is removed"
	}
	var x unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, name, 0, unix.STATX_BASIC_STATS, &x) == nil {
		f.Direct = x.Attributes&unix.STATX_ATTR_DAX != 0
	}
	return f, idOf(&st), true
}

// segment is SysV shared memory.
type segment struct {
	size, there uint64
	removed     bool // it goes with its last user
}

// destroyed is SHM_DEST (shmctl(2)).
const destroyed = 0o1000

// segment finds the SysV shared memory behind a mapping, whose inode is its identifier (newseg in
// ipc/shm.c).
func (l *files) segment(m *vmspace.Mapping) (verdict.File, bool) {
	if !strings.HasPrefix(m.Path, "/SYSV") || m.Major != 0 {
		return verdict.File{}, false
	}
	if l.segments == nil {
		l.segments = map[uint64]segment{}
		f, err := os.Open("/proc/sysvipc/shm")
		mine, err1 := os.Readlink("/proc/self/ns/ipc")
		its, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/ipc", l.pid))
		if err == nil && err1 == nil && err2 == nil && mine == its {
			l.segments = parseSegments(bufio.NewScanner(f))
		}
		f.Close()
	}
	s, ok := l.segments[m.Inode]
	if !ok {
		return verdict.File{}, false
	}
	f := verdict.File{Size: s.size, Allocated: s.there, Regular: true, Memory: true}
	if !s.removed {
		f.Kept = "until ipcrm removes it"
	}
	return f, true
}

// parseSegments parses /proc/sysvipc/shm (proc_sysvipc(5)): key, identifier, mode in octal, size, and
// from Linux 2.6.34 on, in columns 15 and 16, the resident and the swapped part.
func parseSegments(text *bufio.Scanner) map[uint64]segment {
	out := map[uint64]segment{}
	for text.Scan() {
		f := strings.Fields(text.Text())
		if len(f) < 16 {
			continue
		}
		id, err1 := strconv.ParseUint(f[1], 10, 64)
		mode, err2 := strconv.ParseUint(f[2], 8, 32)
		size, err3 := strconv.ParseUint(f[3], 10, 64)
		resident, err4 := strconv.ParseUint(f[14], 10, 64)
		swap, err5 := strconv.ParseUint(f[15], 10, 64)
		if err1 == nil && err2 == nil && err3 == nil && err4 == nil && err5 == nil { // not the heading
			out[id] = segment{size, resident + swap, mode&destroyed != 0}
		}
	}
	return out
}
