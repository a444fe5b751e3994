package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cowscope/vmspace"
	"cowscope/vmspace/printable"
)

// File is what is known about a file that a call maps.
type File struct {
	Name               string // for an explanation
	Dir                bool
	Readable, Writable bool   // as it was opened
	Mode               string // how a command opened it: O_RDWR
}

// Descriptor returns what is known about the file behind a descriptor of a process; nil if that
// cannot be read.
func Descriptor(pid int, fd int64) *File {
	base := fmt.Sprintf("/proc/%d/", pid)
	link := filepath.Join(base, "fd", strconv.FormatInt(fd, 10))
	info, err := os.Stat(link)
	name, err2 := os.Readlink(link)
	text, err3 := os.ReadFile(filepath.Join(base, "fdinfo", strconv.FormatInt(fd, 10)))
	if err != nil || err2 != nil || err3 != nil {
		return nil
	}
	r, w := parseAccessMode(string(text))
	return &File{Name: printable.Name(name), Dir: info.IsDir(), Readable: r, Writable: w}
}

// parseAccessMode parses the access mode in the flags of /proc/PID/fdinfo/N, which are octal
// (proc_pid_fdinfo(5), open(2)).
func parseAccessMode(fdinfo string) (read, write bool) {
	fields := FieldsOf(fdinfo, "flags")
	if len(fields) == 0 {
		return false, false
	}
	flags, err := strconv.ParseUint(fields[0], 8, 64)
	mode := flags & 3
	return err == nil && (mode == 0 || mode == 2), err == nil && (mode == 1 || mode == 2)
}

// FileSize is the size in bytes of the file behind a mapping, which is at now.
func (l *Settings) FileSize(m vmspace.Mapping, now vmspace.Range) (uint64, bool) {
	_, info := l.fileBehind(m, now)
	if info == nil {
		return 0, false
	}
	return uint64(info.Size()), true
}

// Full reports whether the file behind a mapping, which is at now, is in a tmpfs that has no free
// page.
func (l *Settings) Full(m vmspace.Mapping, now vmspace.Range) bool {
	path, info := l.fileBehind(m, now)
	return info != nil && fullOfMemory(path)
}

// fileBehind finds the file behind a mapping, which is at now; info is nil if it is not found, or is
// no regular file. The kernel's own link to it is used if it may be followed (root may); otherwise
// the file with that path, if it is the same file. For deleted files and for memory without a file an
// ordinary user learns nothing.
func (l *Settings) fileBehind(m vmspace.Mapping, now vmspace.Range) (path string, info os.FileInfo) {
	if m.Inode == 0 {
		return "", nil
	}
	path = fmt.Sprintf("/proc/%d/map_files/%x-%x", l.PID, now.Start, now.End)
	info, err := os.Stat(path)
	if err != nil {
		path = m.Path
		info, err = os.Stat(path)
		if err != nil || !SameFile(info, m) {
			return "", nil
		}
	}
	if !info.Mode().IsRegular() {
		return "", nil
	}
	return path, info
}

// InMemory reports whether the file behind a mapping is of a file system in memory (tmpfs(5)):
// /proc/PID/mountinfo lists the mounted file systems with their device numbers. A file system that
// shows another number for its files is not found.
func (l *Settings) InMemory(m vmspace.Mapping) (yes, known bool) {
	return parseInMemory(l.OfProcess("mountinfo"), fmt.Sprintf("%d:%d", m.Major, m.Minor))
}

func parseInMemory(mountinfo, device string) (yes, known bool) {
	for line := range strings.Lines(mountinfo) {
		mount, kind, _ := strings.Cut(line, " - ")
		if f := strings.Fields(mount); len(f) > 2 && f[2] == device {
			return strings.HasPrefix(kind, "tmpfs ") || strings.HasPrefix(kind, "devtmpfs "), true
		}
	}
	return false, false
}

// Tasks counts the visible processes and threads of a user.
func (l *Settings) Tasks(user uint64) (n uint64) {
	entries, _ := os.ReadDir("/proc") // none are counted if it cannot be read
	for _, d := range entries {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		text := l.Contents("/proc/" + d.Name() + "/status")
		if uid, known := ParseField(text, "Uid"); known && uid == user {
			threads, _ := ParseField(text, "Threads")
			n += threads
		}
	}
	return n
}
