package output

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
)

// folder is an open directory and the name of the file in it. All calls are relative to the open
// directory, because its path may lead elsewhere later.
type folder struct {
	root *os.Root
	name string
	held bool // by a File
}

func (d *folder) keep() *folder { d.held = true; return d }
func (d *folder) close()        { d.root.Close() }

// done closes the folder unless a File holds it.
func (d *folder) done() {
	if !d.held {
		d.close()
	}
}

// spare is a name that no file has.
func spare() string { return fmt.Sprintf(".cowscope-%016x%016x", rand.Uint64(), rand.Uint64()) }

// other is another name in the same folder.
func (d *folder) other(name string) *folder { return &folder{root: d.root, name: name} }

// draft is a file that is not in its place yet. If the system supports it, the draft has no name,
// so that nothing is left of it if cowscope is killed.
type draft struct {
	*os.File
	in   *folder
	name string // "" where it has none
}

// draft creates a draft.
func (d *folder) draft() (*draft, error) {
	if f := d.unnamed(); f != nil {
		return &draft{File: f, in: d}, nil
	}
	name := spare()
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, private)
	if err != nil {
		return nil, nothingCanBeMade(err)
	}
	return &draft{f, d, name}, nil
}

// drop closes a draft, and removes any temporary name that it, or the file that it replaced, has.
func (t *draft) drop() {
	t.Close()
	if t.name != "" {
		t.in.root.Remove(t.name)
	}
}

// put writes a file and moves it into its place, replacing old if that is not nil.
func (k Kind) put(d *folder, content []byte, old *found) error {
	t, err := d.draft()
	if err != nil {
		return err
	}
	defer t.drop()
	if old != nil {
		err = t.Chmod(kept(old.info))
	}
	if err == nil {
		_, err = t.Write(content)
	}
	if err = errors.Join(err, t.Sync()); err != nil {
		return err
	}
	if old == nil {
		return k.place(t)
	}
	return k.replace(t)
}

// place gives the draft its final name, which must not exist.
func (k Kind) place(t *draft) error {
	if t.name == "" {
		return t.link(t.in.name)
	}
	// The file reserves the name, because not every file system has links.
	f, err := t.in.root.OpenFile(t.in.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, private)
	if err != nil {
		return err
	}
	f.Close()
	return k.replace(t)
}

// replace replaces a file that may be overwritten by the draft. If another file has appeared there,
// that one stays.
func (k Kind) replace(t *draft) error {
	if t.name == "" {
		name := spare()
		if err := t.link(name); err != nil {
			return err
		}
		t.name = name
	}
	root, place := t.in.root, t.in.name
	swapped, err := t.in.exchange(t.name, place)
	if errors.Is(err, fs.ErrNotExist) {
		return errAgain
	}
	if err != nil {
		return err
	}
	if !swapped { // then checking and replacing are two steps
		old, err := k.existing(t.in, false)
		old.close()
		if err != nil {
			return err
		}
		if err = root.Rename(t.name, place); err == nil {
			t.name = ""
		}
		return err
	}
	if k.overwritable(t.in.other(t.name)) {
		return nil // drop removes it
	}
	if _, err = t.in.exchange(t.name, place); err == nil && k.overwritable(t.in.other(t.name)) {
		return errAgain
	}
	// Another file was put there in between: it stays in its place, and nothing is removed.
	aside := t.name
	t.name = ""
	_, err = t.in.exchange(aside, place)
	return errors.Join(unfit("it was changed while it was written, and what was there before is "+aside), err)
}

// overwritable reports whether the file with that name may be overwritten.
func (k Kind) overwritable(d *folder) bool {
	old, err := k.existing(d, false)
	old.close()
	return old != nil && err == nil
}

// remove removes the file with that name, if it is the given one.
func (d *folder) remove(it fs.FileInfo) {
	aside := spare()
	if !d.move(d.name, aside) {
		if now, err := d.root.Lstat(d.name); err == nil && os.SameFile(now, it) {
			d.root.Remove(d.name)
		}
		return
	}
	if went, err := d.root.Lstat(aside); err == nil && os.SameFile(went, it) {
		d.root.Remove(aside)
		return
	}
	d.move(aside, d.name)
}
