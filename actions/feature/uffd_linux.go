package feature

import (
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Layouts and numbers of include/uapi/linux/userfaultfd.h, which x/sys does not have.
type (
	uffdAPI      struct{ api, features, ioctls uint64 }
	uffdRegister struct{ start, len, mode, ioctls uint64 }
	uffdProtect  struct{ start, len, mode uint64 }
)

const (
	uffdUserModeOnly   = 1 // since 5.11; what an ordinary user may have
	uffdVersion        = 0xaa
	uffdFeatureWP      = 1 << 0
	uffdModeWP         = 1 << 1
	uffdProtectWP      = 1 << 0
	uffdioAPI          = 0xc018aa3f
	uffdioRegister     = 0xc020aa00
	uffdioWriteProtect = 0xc018aa06
)

// uffdWPSince is the Linux in which userfaultfd write-protects, by architecture.
var uffdWPSince = map[string]string{"amd64": "5.13", "arm64": "6.10"}

// uffdWP write-protects a page of ours through userfaultfd and looks for bit 57. Nobody touches the
// page until it is unmapped, so that there is no fault to handle.
func uffdWP(*machine) string {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserModeOnly, 0, 0)
	if errno == unix.EINVAL {
		fd, _, errno = unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	}
	if errno != 0 {
		return answers("userfaultfd", errno)
	}
	defer unix.Close(int(fd))
	return borrowPage(func(a area) string {
		start, size := uint64(a.addr()), uint64(a.size)
		api := uffdAPI{api: uffdVersion, features: uffdFeatureWP}
		register := uffdRegister{start: start, len: size, mode: uffdModeWP}
		protect := uffdProtect{start: start, len: size, mode: uffdProtectWP}
		for _, c := range []struct {
			name    string
			request uintptr
			arg     unsafe.Pointer
		}{
			{"UFFDIO_API", uffdioAPI, unsafe.Pointer(&api)},
			{"UFFDIO_REGISTER", uffdioRegister, unsafe.Pointer(&register)},
			{"UFFDIO_WRITEPROTECT", uffdioWriteProtect, unsafe.Pointer(&protect)},
		} {
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, c.request, uintptr(c.arg)); errno != 0 {
				return answers("the ioctl "+c.name, errno)
			}
		}
		return a.shows(vmspace.WordUffdWP, "bit 57 stays 0 for a write-protected page")
	})
}
