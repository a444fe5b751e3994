package feature

import (
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Structures and numbers of include/uapi/linux/userfaultfd.h, which golang.org/x/sys does not have.
type (
	uffdAPI      struct{ api, features, ioctls uint64 }
	uffdRegister struct{ start, len, mode, ioctls uint64 }
	uffdProtect  struct{ start, len, mode uint64 }
	uffdPoison   struct{ start, len, mode, updated uint64 }
	uffdMove     struct{ dst, src, len, mode, moved uint64 }
)

const (
	uffdUserModeOnly       = 1 // since 5.11; what an ordinary user may use
	uffdVersion            = 0xaa
	uffdFeatureWP          = 1 << 0
	uffdFeatureSigbus      = 1 << 7
	uffdFeatureShmem       = 1 << 12
	uffdFeatureUnpopulated = 1 << 13
	uffdFeatureAsync       = 1 << 15
	uffdModeMissing        = 1 << 0
	uffdModeWP             = 1 << 1
	uffdModeMinor          = 1 << 2
	uffdProtectWP          = 1 << 0
	uffdioAPI              = 0xc018aa3f
	uffdioRegister         = 0xc020aa00
	uffdioWriteProtect     = 0xc018aa06
	uffdioMove             = 0xc028aa05
	uffdioPoison           = 0xc020aa08
)

// uffdWPSince is the Linux version from which userfaultfd can write-protect, by architecture.
var uffdWPSince = map[string]string{"amd64": "5.13", "arm64": "6.10"}

// uffdMarkersSince is the Linux version from which it can write-protect absent pages.
var uffdMarkersSince = map[string]string{"amd64": "6.4", "arm64": "6.10"}

// uffdAsyncSince is the Linux version from which nobody has to answer the faults of protected pages.
var uffdAsyncSince = map[string]string{"amd64": "6.7", "arm64": "6.10"}

// uffdAsync write-protects a page of this process, and writes to it: nobody is asked, and the protection
// is gone.
func uffdAsync(*machine) string {
	return borrowPage(func(a area) string {
		return withUffd(a, uffdFeatureAsync|uffdFeatureUnpopulated|uffdFeatureShmem, uffdModeWP, func(ioctl func(string, uintptr, unsafe.Pointer) string) string {
			protect := uffdProtect{start: uint64(a.addr()), len: uint64(a.size), mode: uffdProtectWP}
			if reason := ioctl("UFFDIO_WRITEPROTECT", uffdioWriteProtect, unsafe.Pointer(&protect)); reason != "" {
				return reason
			}
			if reason := a.shows(vmspace.WordUffdWP, "bit 57 stays 0 for a write-protected page"); reason != "" {
				return reason
			}
			a.bytes()[0] = 2
			if a.shows(vmspace.WordUffdWP, "written") == "" {
				return "a page stays write-protected when it is written to"
			}
			return ""
		})
	})
}

// uffdSigbus registers a page of this process for missing faults, with a descriptor that would
// answer them with SIGBUS. The page is never touched.
func uffdSigbus(*machine) string {
	return borrowPage(func(a area) string {
		return withUffd(a, uffdFeatureSigbus, uffdModeMissing, func(func(string, uintptr, unsafe.Pointer) string) string { return "" })
	})
}

// uffdMinor registers shared memory for faults on pages that it has and the page table does not.
func uffdMinor(*machine) string {
	return borrow(pageSize, rw, unix.MAP_SHARED|unix.MAP_ANON, func(a area) string {
		return withUffd(a, uffdFeatureSigbus, uffdModeMinor, func(func(string, uintptr, unsafe.Pointer) string) string { return "" })
	})
}

// uffdMoves moves a page of this process to the one behind it, which is missing.
func uffdMoves(*machine) string {
	return borrow(2*pageSize, rw, anon, func(a area) string {
		a.bytes()[0] = 1
		return withUffd(a, uffdFeatureSigbus, uffdModeMissing, func(ioctl func(string, uintptr, unsafe.Pointer) string) string {
			move := uffdMove{dst: uint64(a.addr() + pageSize), src: uint64(a.addr()), len: uint64(pageSize)}
			return ioctl("UFFDIO_MOVE", uffdioMove, unsafe.Pointer(&move))
		})
	})
}

// uffdPoisons poisons a page of this process, which is never touched.
func uffdPoisons(*machine) string {
	return borrow(pageSize, rw, anon, func(a area) string {
		return withUffd(a, uffdFeatureSigbus, uffdModeMissing, func(ioctl func(string, uintptr, unsafe.Pointer) string) string {
			poison := uffdPoison{start: uint64(a.addr()), len: uint64(pageSize)}
			return ioctl("UFFDIO_POISON", uffdioPoison, unsafe.Pointer(&poison))
		})
	})
}

// uffdWP write-protects a page of this process through userfaultfd and checks bit 57. The page is
// not touched until it is unmapped, so that there is no fault to handle.
func uffdWP(*machine) string {
	return borrowPage(func(a area) string { return protects(a, uffdFeatureWP) })
}

// uffdMarkers does the same with an absent page, whose marker has the bit.
func uffdMarkers(*machine) string {
	return borrow(pageSize, rw, anon, func(a area) string { return protects(a, uffdFeatureWP|uffdFeatureUnpopulated) })
}

func protects(a area, features uint64) string {
	return withUffd(a, features, uffdModeWP, func(ioctl func(string, uintptr, unsafe.Pointer) string) string {
		protect := uffdProtect{start: uint64(a.addr()), len: uint64(a.size), mode: uffdProtectWP}
		if reason := ioctl("UFFDIO_WRITEPROTECT", uffdioWriteProtect, unsafe.Pointer(&protect)); reason != "" {
			return reason
		}
		return a.shows(vmspace.WordUffdWP, "bit 57 stays 0 for a write-protected page")
	})
}

// withUffd runs f with a registered at a userfaultfd that has these features.
func withUffd(a area, features, mode uint64, f func(ioctl func(string, uintptr, unsafe.Pointer) string) string) string {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserModeOnly, 0, 0)
	if errno == unix.EINVAL {
		fd, _, errno = unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	}
	if errno != 0 {
		return answers("userfaultfd", errno)
	}
	defer unix.Close(int(fd))
	ioctl := func(name string, request uintptr, arg unsafe.Pointer) string {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
			return answers("the ioctl "+name, errno)
		}
		return ""
	}
	api := uffdAPI{api: uffdVersion, features: features}
	register := uffdRegister{start: uint64(a.addr()), len: uint64(a.size), mode: mode}
	for _, reason := range []string{
		ioctl("UFFDIO_API", uffdioAPI, unsafe.Pointer(&api)),
		ioctl("UFFDIO_REGISTER", uffdioRegister, unsafe.Pointer(&register)),
	} {
		if reason != "" {
			return reason
		}
	}
	return f(ioctl)
}
