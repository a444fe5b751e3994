package verb

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"cowscope/actions/history"
	"cowscope/actions/kernel"
	"cowscope/actions/scratch"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

var sysClose = number(3, 57)

// Opening a file for mmap: the subject opens it itself, maps it, and closes it again.

// openModes are the access modes of open(2). Without one a file is opened for both, as far as its
// permissions go.
var openModes = []Constant{
	{"rdonly", "O_RDONLY", syscall.O_RDONLY, "open the file for reading only"},
	{"wronly", "O_WRONLY", syscall.O_WRONLY, "open the file for writing only"},
}

// descriptor is the file descriptor that an mmap gives to the kernel, and how strace -y shows it.
// ok says that there is one: otherwise the outcome says why the file could not be opened.
func (c *Call) descriptor() (fd uint64, shown string, ok bool, err error) {
	n, given := c.Cmd.Number("fd")
	name, file := c.Cmd.Word("file")
	switch {
	case given && file:
		return 0, "", false, c.Cmd.ErrorIn("fd", "file= opens a descriptor of its own", "give one of file= and fd=")
	case file:
		fd, err = c.openFile(name)
		return fd, fmt.Sprintf("%d<%s>", fd, printable.Name(name)), c.Result == history.OK, err
	case !given:
		n = -1
	}
	return uint64(n), fmt.Sprint(n), true, nil
}

// openFile makes the subject open a file.
func (c *Call) openFile(name string) (fd uint64, err error) {
	f, done, err := c.F.Files.Open(name)
	if err != nil {
		return 0, c.FileError("file", err)
	}
	defer done()
	mode, names := bitsOf(openModes, c.Cmd.Has)
	if names != "0" {
		return c.open(f, name, mode, names)
	}
	fd, err = c.open(f, name, syscall.O_RDWR, "O_RDWR")
	if err == nil && slices.Contains([]string{"EACCES", "EISDIR", "EROFS", "EPERM", "ETXTBSY"}, c.Result.Name) {
		fd, err = c.open(f, name, syscall.O_RDONLY, "O_RDONLY")
	}
	return fd, err
}

func (c *Call) open(f *os.File, name string, mode uint64, shown string) (uint64, error) {
	c.Call = fmt.Sprintf("open(%q, %s)", name, shown)
	e, err := c.P.Proc.Open(f, int(mode))
	if err != nil {
		return 0, err
	}
	c.settle(e)
	if c.Result != history.OK {
		c.Note = fmt.Sprintf("%s: %s cannot be opened like this: %s. Nothing was mapped.", c.Result, printable.Name(name), e.Errno)
		return 0, nil
	}
	info, err := f.Stat()
	c.Note = ""
	c.Opened = &kernel.File{Name: printable.Name(name), Mode: shown, Dir: err == nil && info.IsDir(), Readable: mode != syscall.O_WRONLY, Writable: mode != syscall.O_RDONLY}
	return e.Value, nil
}

// filePage is the size of the pages that a file of the session has: huge ones, or the machine's.
func (c *Call) filePage(name string) uint64 {
	if f, ok := history.FileNamed(c.F.Entries, name); ok && f.HugePage > 0 {
		return f.HugePage
	}
	return c.PageSize()
}

// closeFile closes what openFile opened; the outcome stays that of mmap.
func (c *Call) closeFile(fd uint64) error {
	_, err := c.P.Proc.Syscall(sysClose, fd)
	return err
}

// FileError sorts the errors of the scratch folder: a bad name is a mistake in the line, an errno
// is an outcome.
func (c *Call) FileError(param string, err error) error {
	var name *scratch.NameError
	var full *scratch.FullError
	var errno syscall.Errno
	switch {
	case errors.As(err, &full):
		c.refuse("%s are in the scratch folder or mapped from it, which is cowscope's limit: rm removes one.", amount.Of(uint64(full.Files), "file"))
		return nil
	case errors.As(err, &name):
		return c.Cmd.ErrorIn(param, name.Why, name.Hint)
	case errors.As(err, &errno):
		c.Result = history.Errno(errnoName(errno))
		return nil
	}
	return err
}
