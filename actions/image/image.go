//go:build linux && (amd64 || arm64)

// Package image makes small programs and executes them: an ELF executable of one page of machine
// code, whose file has no name in any folder.
package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Offset is where the page lies in the file. Headers and text are different pages of it: the text
// then begins with an instruction instead of "\x7fELF", and jumping to its start is harmless.
const Offset = offset

const (
	ehSize = 64
	phSize = 56

	etExec     = 2
	ptLoad     = 1
	ptGNUStack = 0x6474e551
	pfX        = 1
	pfW        = 2
	pfR        = 4
)

type elfHeader struct {
	Ident                                      [16]byte
	Type, Machine                              uint16
	Version                                    uint32
	Entry, Phoff, Shoff                        uint64
	Flags                                      uint32
	Ehsize, Phentsize, Phnum, Shentsize, Shnum uint16
	Shstrndx                                   uint16
}

type progHeader struct {
	Type, Flags                                uint32
	Offset, Vaddr, Paddr, Filesz, Memsz, Align uint64
}

// ELF is the file of a program for this machine whose only segment is text, mapped at base, r-x. It
// has no heap, no data and no interpreter. PT_GNU_STACK without PF_X keeps the stack from being
// executable (fs/binfmt_elf.c); without it older x86 kernels made every readable mapping
// executable.
func ELF(text []byte, base, entry uint64) []byte {
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err) // fixed-size values into memory: cannot fail
		}
	}
	put(elfHeader{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', 2 /* 64 bit */, 1 /* little endian */, 1 /* version */},
		Type:  etExec, Machine: machine, Version: 1,
		Entry: entry, Phoff: ehSize,
		Ehsize: ehSize, Phentsize: phSize, Phnum: 2,
	})
	put(progHeader{
		Type: ptLoad, Flags: pfR | pfX, Offset: offset, Vaddr: base, Paddr: base,
		Filesz: uint64(len(text)), Memsz: uint64(len(text)), Align: offset,
	})
	put(progHeader{Type: ptGNUStack, Flags: pfR | pfW, Align: 16})
	return append(append(b.Bytes(), make([]byte, offset-b.Len())...), text...)
}

// A Source creates the executable file. Several are tried, because each can be forbidden: memfds by
// vm.memfd_noexec, directories by a noexec mount.
type Source struct {
	Name string
	Open func(name string, image []byte) (*os.File, error)
}

// Sources are all there are, the best first.
func Sources() []Source {
	all := []Source{{"memfd", OpenMemfd}}
	dirs := []string{os.TempDir(), os.Getenv("XDG_RUNTIME_DIR")}
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, cache)
	}
	dirs = append(dirs, "/dev/shm")
	for _, dir := range dirs {
		if dir != "" {
			all = append(all, InDir(dir))
		}
	}
	return all
}

// OpenMemfd creates the file in memory. MFD_EXEC exists since 6.3 and is needed if vm.memfd_noexec
// is 1. The file is sealed, so that no process can change what is in it.
func OpenMemfd(name string, image []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	if _, err := f.Write(image); err != nil {
		f.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, os.NewSyscallError("F_ADD_SEALS", err)
	}
	return f, nil
}

// InDir creates the file in a directory and removes its name at once. It is reopened for reading,
// because a file that is open for writing cannot be executed.
func InDir(dir string) Source {
	return Source{dir, func(name string, image []byte) (*os.File, error) {
		w, err := os.CreateTemp(dir, name+"-*")
		if err != nil {
			return nil, err
		}
		defer w.Close()
		if err := os.Remove(w.Name()); err != nil {
			return nil, err
		}
		if _, err := w.Write(image); err != nil {
			return nil, err
		}
		if err := w.Chmod(0o500); err != nil {
			return nil, err
		}
		return os.Open(path(w))
	}}
}

func path(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// Exec starts a program from an image as a child, with args from argv[0] on; name is that of its
// file, which nobody can open.
func (s Source) Exec(name string, image []byte, args []string, attr *syscall.ProcAttr) (pid int, err error) {
	f, err := s.Open(name, image)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for try := 0; ; try++ {
		pid, err := syscall.ForkExec(path(f), args, attr)
		// Another goroutine may have forked while the file was open for writing, and its child
		// holds it until it has executed.
		if err != syscall.ETXTBSY || try == 20 {
			return pid, err
		}
		time.Sleep(time.Millisecond)
	}
}
