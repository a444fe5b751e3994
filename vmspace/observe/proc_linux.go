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

// Rules of this file: the only place that opens files of /proc/PID. Descriptors stay open between
// readings, because an open costs more than the read. They are bound to the process or to its
// memory, so that after the pid was reused a read fails with ESRCH and never returns data of the
// new process.

// procFiles holds the open files of one process. A descriptor of -1 is not open.
type procFiles struct {
	pid                             int
	stat, maps, smaps, pagemap, mem int
	program                         program // when they were opened

	text     []byte                        // of maps, as last read
	list     vmspace.List[vmspace.Mapping] // the list parsed from text
	landmark landmarks
	counters procfs.SmapsText // of a small space
	count    int              // number of mappings last read; 0 if none were
}

// program tells one program that a process has executed from another one.
type program struct{ stack, args, heap uint64 }

func programOf(st procfs.Stat) program {
	return program{stack: st.StartStack, args: st.ArgStart, heap: st.StartBrk}
}

// openProc opens everything but smaps and mem, which are opened at first use.
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

// forget closes the files that are bound to the memory of the process: after an exec it uses
// another memory. The old one may live on: that of a child of vfork(2) is its parent's.
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

// readText reads a whole text of /proc/PID into the scratch text; walks says that the kernel walks
// page tables to produce it.
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

// pread reads once, and again if a signal interrupted it.
func pread(fd int, b []byte, off int64) (int, error) {
	return retry(func() (int, error) { return unix.Pread(fd, b, off) })
}

// preadFull reads until b is full or the file ends.
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

// gone reports whether err means that the process no longer exists.
func gone(err error) bool { return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) }

// reason is err as text for Process.Err.
func reason(err error) string {
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return errDenied
	case gone(err):
		return errGone
	}
	return err.Error()
}
