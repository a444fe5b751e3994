package feature

import (
	"cowscope/actions/scratch"

	"golang.org/x/sys/unix"
)

// memoryKinds are the file systems without a disk (statfs(2)): reading from them never needs one.
var memoryKinds = map[int64]string{unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.HUGETLBFS_MAGIC: "hugetlbfs"}

// disk checks on which file system a scratch file is created.
func disk(*machine) string {
	folder, err := scratch.New(nil)
	if err != nil {
		return oneLine(err)
	}
	defer folder.Close()
	if err := folder.Make("probe", 1); err != nil {
		return oneLine(err)
	}
	f, done, err := folder.Open("probe")
	if err != nil {
		return oneLine(err)
	}
	defer done()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return oneLine(err)
	}
	if kind := memoryKinds[int64(st.Type)]; kind != "" {
		return "they are in memory (" + kind + "); set TMPDIR to a folder on a disk"
	}
	return ""
}
