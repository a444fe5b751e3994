package observe

import (
	"errors"
	"io"
	"strconv"
	"time"

	"cowscope/vmspace"
	"cowscope/vmspace/procfs"

	"golang.org/x/sys/unix"
)

// Rules of this file: the only place that opens files of /proc/PID. Descriptors stay open from one
// read to the next, because an open costs more than the read; they are bound to the process or to
// its memory, so a number that is used again for another process answers ESRCH, never with the
// stranger's data.

// procFiles holds what is open of one process. A descriptor of -1 is not open.
type procFiles struct {
	pid                             int
	stat, maps, smaps, pagemap, mem int

	text     []byte                        // of maps, as it was last time
	list     vmspace.List[vmspace.Mapping] // and what it said
	landmark landmarks
	counters procfs.SmapsText // of a small space
	count    int              // mappings seen last; 0 where none were
}

// open opens what is needed for everything but smaps and mem, which wait until they are used.
func openProc(pid int) (*procFiles, error) {
	f := &procFiles{pid: pid, stat: -1, maps: -1, smaps: -1, pagemap: -1, mem: -1}
	return f, f.need(&f.stat, "stat")
}

// need opens the file called name into *fd unless it is open.
func (f *procFiles) need(fd *int, name string) error {
	if *fd >= 0 {
		return nil
	}
	path := "/proc/" + strconv.Itoa(f.pid) + "/" + name
	n, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return err
	}
	*fd = n
	return nil
}

// forget closes what is bound to the memory of the process; after an exec that memory is no longer
// the one it uses.
func (f *procFiles) forget() {
	for _, fd := range []*int{&f.maps, &f.smaps, &f.pagemap, &f.mem} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
	f.text, f.list = nil, vmspace.List[vmspace.Mapping]{}
}

func (f *procFiles) close() {
	f.forget()
	if f.stat >= 0 {
		unix.Close(f.stat)
		f.stat = -1
	}
}

// readStat reads /proc/PID/stat.
func (f *procFiles) readStat() (procfs.Stat, error) {
	var buf [2048]byte
	n, err := pread(f.stat, buf[:], 0)
	if err != nil {
		return procfs.Stat{}, err
	}
	return procfs.ParseStat(buf[:n])
}

// readText reads a text of /proc/PID in full into the scratch text; walks says that the kernel
// walks page tables for it.
func (r *Reader) readText(fd int, walks bool) (text []byte, err error) {
	buf := r.text[:0]
	for {
		if cap(buf)-len(buf) < 8<<10 {
			buf = append(buf, make([]byte, max(16<<10, cap(buf)))...)[:len(buf)]
		}
		start := time.Now()
		n, err := pread(fd, buf[len(buf):cap(buf)], int64(len(buf)))
		if walks {
			r.pages.pace.took(start)
		}
		if err == nil {
			err = r.stopped()
		}
		if err != nil || n == 0 {
			return buf, err
		}
		buf = buf[:len(buf)+n]
	}
}

// readAll reads the file fd from its beginning into buf, which grows as needed. The kernel gives
// /proc text at most a page or so at a time, at a line's end.
func readAll(fd int, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		if cap(buf)-len(buf) < 8<<10 {
			buf = append(buf, make([]byte, max(16<<10, cap(buf)))...)[:len(buf)]
		}
		n, err := pread(fd, buf[len(buf):cap(buf)], int64(len(buf)))
		if err != nil || n == 0 {
			return buf, err
		}
		buf = buf[:len(buf)+n]
	}
}

// pread reads once, and again where a signal came between.
func pread(fd int, b []byte, off int64) (int, error) {
	return retry(func() (int, error) { return unix.Pread(fd, b, off) })
}

// preadFull reads until b is full or nothing more comes.
func preadFull(fd int, b []byte, off int64) (int, error) {
	got := 0
	for got < len(b) {
		n, err := pread(fd, b[got:], off+int64(got))
		if err != nil {
			return got, err
		}
		if n == 0 {
			return got, io.EOF
		}
		got += n
	}
	return got, nil
}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// gone says whether err means that the process is no more.
func gone(err error) bool { return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) }

// reason is err in plain words, for Process.Err.
func reason(err error) string {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return errDenied
	case gone(err):
		return errGone
	}
	return err.Error()
}
