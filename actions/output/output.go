// Package output writes every file that cowscope creates.
//
//	Kind.Open   ──► a File that is written while a session runs, and locked meanwhile
//	Kind.Write  ──► a file that is written as a whole: the old or the new content, never a part
//	Kind.New    ──► the same for a name that must not exist yet
//	Lock        ──► a file that several programs write in turn
//
// Rules, in this order. A file that breaks one is refused and left unchanged.
//   - No link is followed in the last component of a path. Links to its folder are followed.
//   - Only regular files are opened: opening another file could block (fifo(7)) or have an effect.
//     So neither - nor a device is written to: standard output has the screen or the transcript.
//   - An existing file belongs to this user and has one name only: another link (link(2)) to it
//     would lose its content too.
//   - An existing file is empty, or is recognised as what cowscope writes in that place.
//   - A new file is private to this user (0600). An existing one keeps its mode, which is its
//     owner's choice, except that others lose the permission to write to it.
//   - The file that is checked is the file that is written: the folder is held open, and a file
//     that was replaced is checked again before it is removed; if it must not be overwritten, it is
//     put back.
//   - A file that is written as a whole is complete at any time, even if the program is killed. A
//     full disk loses nothing.
//
// On Windows owners, modes, links and locks are not checked. There, and on a file system that
// cannot exchange two names, checking a file and replacing it are two steps.
package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"cowscope/vmspace/printable"
)

// Kind is a kind of file that cowscope writes.
type Kind struct {
	// By begins errors: the flag or the command that names the file, "" for none.
	By   string
	What string                    // what such a file is called in errors: a recording
	Mine func(head io.Reader) bool // recognises such a file by its head; nil recognises none
}

// maxHead is how many bytes of a file Mine may read.
const maxHead = 64 << 10

// Refusal is the reason why a file is not written.
type Refusal struct {
	By, Path, Why string
	err           error
}

func (r *Refusal) Error() string {
	s := printable.Name(r.Path)
	if r.By != "" {
		s = r.By + " " + s
	}
	return s + ": " + r.Why
}

func (r *Refusal) Unwrap() error { return r.err }

// unfit is the reason why a file may not be written to.
type unfit string

func (u unfit) Error() string { return string(u) }

const (
	isLink    unfit = "it is a symbolic link, and where it leads is not touched: name the file itself"
	isFolder  unfit = "it is a folder: name a file in it"
	isSpecial unfit = "it is a pipe, a device or a socket: name a file"
	isStdout  unfit = "standard output is taken: name a file, ./- for one that is called so"
	isTheirs  unfit = "it belongs to another user: choose another name"
	isLinked  unfit = "it has another name too, a hard link, which would lose its content: remove this one, or choose another name"
	isBusy    unfit = "another cowscope is writing to it: choose another name, or end that one"
	isMoving  unfit = "something else keeps changing it: choose another name"
)

// errAgain says that the file was changed while it was checked.
var errAgain = errors.New("the file has changed")

// attempts is how often a file is checked that is changed meanwhile.
const attempts = 100

// do calls f with the folder of a path until no other program interferes, and completes its error.
func (k Kind) do(path string, f func(*folder) error) error {
	err := errAgain
	for n := 0; n < attempts && errors.Is(err, errAgain); n++ {
		var d *folder
		if d, err = openFolder(path); err == nil {
			err = f(d)
			d.done()
		}
	}
	var named *fs.PathError
	var linked *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errAgain):
		err = isMoving
	case errors.As(err, &named):
		err = named.Err
	case errors.As(err, &linked):
		err = linked.Err
	}
	return &Refusal{k.By, path, err.Error(), err}
}

// Check returns the reason why a file could not be written, without touching it; nil if it could.
func (k Kind) Check(path string) error {
	return k.do(path, func(d *folder) error {
		old, err := k.existing(d, false)
		if err != nil {
			return err
		}
		old.close()
		t, err := d.draft()
		if err == nil {
			t.drop()
		}
		return err
	})
}

// New creates a file. If the name exists, whatever it is, the error is fs.ErrExist.
func (k Kind) New(path string, content []byte) error {
	return k.do(path, func(d *folder) error {
		if _, err := d.root.Lstat(d.name); err == nil {
			return taken{}
		}
		err := k.put(d, content, nil)
		if errors.Is(err, fs.ErrExist) {
			return taken{}
		}
		return err
	})
}

// taken is fs.ErrExist with a message for people.
type taken struct{}

func (taken) Error() string        { return "it is there already: choose another name" }
func (taken) Is(target error) bool { return target == fs.ErrExist }

// Write creates a file, or replaces one of the same kind as a whole.
func (k Kind) Write(path string, content []byte) error {
	return k.do(path, func(d *folder) error {
		old, err := k.existing(d, false)
		if err != nil {
			return err
		}
		defer old.close()
		err = k.put(d, content, old)
		if old == nil && errors.Is(err, fs.ErrExist) {
			return errAgain
		}
		return err
	})
}

// found is an existing file that may be overwritten.
type found struct {
	*os.File
	info fs.FileInfo
}

func (f *found) close() {
	if f != nil {
		f.Close()
	}
}

// existing opens an existing file that may be overwritten; nil if there is none. With locked, the
// file is locked first.
func (k Kind) existing(d *folder, locked bool) (*found, error) {
	before, err := d.root.Lstat(d.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = fit(before)
	}
	if err != nil {
		return nil, err
	}
	file, err := d.root.OpenFile(d.name, os.O_RDWR|nonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAgain
	}
	if err != nil {
		return nil, err
	}
	f := &found{File: file}
	if err = k.recognise(d, f, before, locked); err != nil {
		file.Close()
		return nil, err
	}
	return f, nil
}

// recognise checks an open file; before is what was found at its name.
func (k Kind) recognise(d *folder, f *found, before fs.FileInfo, locked bool) (err error) {
	if err := block(f.File); err != nil {
		return err
	}
	if locked {
		if err := lock(f.File, false); err != nil {
			return err
		}
	}
	if f.info, err = f.Stat(); err != nil {
		return err
	}
	if !os.SameFile(before, f.info) {
		return errAgain
	}
	// The program that had the lock before has removed the file.
	if now, err := d.root.Lstat(d.name); locked && (err != nil || !os.SameFile(now, f.info)) {
		return errAgain
	}
	if err := fit(f.info); err != nil {
		return err
	}
	if f.info.Size() > 0 && (k.Mine == nil || !k.Mine(io.LimitReader(f, maxHead))) {
		return unfit("it is there already and is not " + k.What + ": remove it, or choose another name")
	}
	return nil
}

// fit returns the reason why a file may not be written to, whatever it contains.
func fit(st fs.FileInfo) error {
	owned, links := owner(st)
	switch mode := st.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return isLink
	case mode.IsDir():
		return isFolder
	case !mode.IsRegular():
		return isSpecial
	case !owned:
		return isTheirs
	case links > 1:
		return isLinked
	}
	return nil
}

// kept is the mode that an overwritten file gets.
func kept(st fs.FileInfo) fs.FileMode { return st.Mode().Perm() &^ 0o022 }

// openFolder opens the folder of a path.
func openFolder(path string) (*folder, error) {
	dir, name := filepath.Split(path)
	switch {
	case path == "-":
		return nil, isStdout
	case name == "" || name == "." || name == "..":
		return nil, isFolder
	case dir == "":
		dir = "."
	}
	// Only a folder contains a ".", a pipe for example does not.
	root, err := os.OpenRoot(dir + string(filepath.Separator) + ".")
	if err != nil {
		return nil, err
	}
	return &folder{root: root, name: name}, nil
}

// Lock waits for the lock that a file stands for, and takes it. The lock is released by unlock or
// by the end of the process. The file stays.
func Lock(path string) (unlock func(), err error) {
	k := Kind{What: "a lock", Mine: func(io.Reader) bool { return true }}
	err = k.do(path, func(d *folder) error {
		f, err := d.root.OpenFile(d.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, private)
		if errors.Is(err, fs.ErrExist) {
			var old *found
			if old, err = k.existing(d, false); old != nil {
				f = old.File
			} else if err == nil {
				return errAgain
			}
		}
		if err != nil {
			return err
		}
		if err := lock(f, true); err != nil {
			f.Close()
			return err
		}
		unlock = func() { f.Close() }
		return nil
	})
	return unlock, err
}

// private is the mode of a new file.
const private = 0o600

func nothingCanBeMade(err error) error {
	return fmt.Errorf("no file can be made in its folder: %w", plain(err))
}

// plain returns the error of a call without the path in it.
func plain(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
