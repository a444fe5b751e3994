package actions

import (
	"fmt"
	"os"
	"strings"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Machine describes this kernel and what this user may see of it.
func Machine(s *vmspace.Snapshot) Info {
	var u unix.Utsname
	kernel := "Linux"
	if unix.Uname(&u) == nil {
		parts := strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3)
		kernel += " " + strings.Join(parts[:min(len(parts), 2)], ".")
	}
	rights := fmt.Sprintf("frames hidden (uid %d)", os.Getuid())
	if s.Frames {
		rights = "frames visible"
		if os.Getuid() == 0 {
			rights += " (root)"
		}
	}
	return Info{Kernel: kernel, Rights: rights}
}
