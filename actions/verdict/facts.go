package verdict

import "cowscope/vmspace"

// Facts is what is judged by beside a snapshot. What could not be read is zero, and then nothing is
// said that rests on it.
type Facts struct {
	MaxMapCount uint64 // vm.max_map_count (proc_sys_vm(5))
	THP         string // the word in brackets of /sys/kernel/mm/transparent_hugepage/enabled
	Merging     bool   // KSM has merged pages, of any process
	CountsKSM   bool   // smaps has a counter of merged pages (since Linux 6.7)
	Files       map[FileID]File
	Own         map[string]Own // by the label of the process
}

// FileID identifies a file as /proc/PID/maps does.
type FileID struct {
	Major, Minor uint32
	Inode        uint64
}

// IDOf is the file that m maps.
func IDOf(m *vmspace.Mapping) FileID { return FileID{m.Major, m.Minor, m.Inode} }

// File is what is known of a file that is mapped.
type File struct {
	Size      uint64 // bytes
	Allocated uint64 // bytes that it takes (st_blocks)
	Regular   bool
	Memory    bool // its pages are all that there is of it: tmpfs, ramfs, hugetlbfs
	Direct    bool // it is mapped past the page cache (DAX)
	// Kept says until when it stays though nobody maps it: "until it is removed"; "" where it goes with
	// its last user.
	Kept string
	// Total and Free are those of a tmpfs with a limit, in bytes; Total is 0 for all else.
	Total, Free uint64
	Folder      string // in which it is, for an explanation
}

// Own are facts of one process.
type Own struct {
	Locked    uint64 // VmLck: the size of its locked mappings, in bytes
	LockLimit uint64 // RLIMIT_MEMLOCK, in bytes; 0 if it does not apply or is unknown
	Huge      HugeSample
}

// HugeSample is what is in some of the huge pages of a process.
type HugeSample struct {
	Blocks uint64 // huge pages that were read
	Of     uint64 // that there are
	Bytes  uint64 // that were read
	Zero   uint64 // of them, in small pages that are all zeros
	Err    string // why none could be read
}

// file is what is known of the file that m maps.
func (v *view) file(m *vmspace.Mapping) (File, bool) {
	f, ok := v.facts.Files[IDOf(m)]
	return f, ok
}

// flagged reports whether m has one of the VmFlags.
func flagged(m *vmspace.Mapping, flags ...string) bool {
	for _, f := range flags {
		if m.Smaps.HasFlag(f) {
			return true
		}
	}
	return false
}
