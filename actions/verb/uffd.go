package verb

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"cowscope/actions/lang"
	"cowscope/actions/subject"
	"cowscope/vmspace"
)

var (
	sysUserfaultfd = number(323, 282)
	sysIoctl       = number(16, 29)
)

// What the verbs of userfaultfd share (userfaultfd(2), ioctl_userfaultfd(2)).
//
// Rules: the process creates the descriptor itself, at the first of these commands, and keeps it:
// closing it would end the registrations. It requests UFFD_FEATURE_SIGBUS, so that a fault in a
// registered range is answered with SIGBUS at once, and no handler is needed. A child inherits the
// descriptor, which refers to its parent's memory: it creates one of its own. smaps shows what is
// registered, and for which faults (VmFlags um, uw).

// Requests and constants of include/uapi/linux/userfaultfd.h.
const (
	uffdioAPI          = 0xc018aa3f
	uffdioRegister     = 0xc020aa00
	uffdioUnregister   = 0x8010aa01
	uffdioCopy         = 0xc028aa03
	uffdioZeropage     = 0xc020aa04
	uffdioMove         = 0xc028aa05 // since 6.8
	uffdioWriteProtect = 0xc018aa06
	uffdioPoison       = 0xc020aa08 // since 6.6
	uffdioContinue     = 0xc020aa07 // since 5.13, of shared memory since 5.14

	uffdAPIVersion         = 0xaa
	uffdFeatureSigbus      = 1 << 7  // since 4.14
	uffdFeatureUnpopulated = 1 << 13 // since 6.4: pages that are not there are write-protected too
	uffdProtect            = 1       // UFFDIO_WRITEPROTECT_MODE_WP
)

// uffdOpenings are the ways to create the descriptor; the first that the kernel knows is used.
// Before Linux 5.11 there is no UFFD_USER_MODE_ONLY, which any user may use.
var uffdOpenings = []Constant{
	{"", "O_CLOEXEC|UFFD_USER_MODE_ONLY", 0o2000001, ""},
	{"", "O_CLOEXEC", 0o2000000, ""},
}

// uffdFeatures are the features to request; the first that the kernel knows are used.
var uffdFeatures = []uint64{uffdFeatureSigbus | uffdFeatureUnpopulated, uffdFeatureSigbus}

// uffd is a command with the descriptor of the process that acts, and with lent memory for the
// ioctls: the first page is for the structure, the rest for what it points to.
type uffd struct {
	c    *Call
	loan *subject.Loan
	made string // the call that made the descriptor, "" where it was there
}

// userfaultfd calls act with the descriptor for a range, with room bytes of lent memory after the
// page for the structures. If it cannot be created, the outcome says why.
func (c *Call) userfaultfd(r vmspace.Range, room uint64, act func(*uffd) error) error {
	return c.lend(r, make([]byte, c.PageSize()+room), func(loan *subject.Loan) error {
		u := &uffd{c: c, loan: loan}
		if c.P.Userfaultfd == nil {
			if err := u.open(); err != nil || c.P.Userfaultfd == nil {
				return err
			}
		}
		c.F.Reprotected = true // where mprotect leaves pages write-protected, so do these
		return act(u)
	})
}

func (u *uffd) open() (err error) {
	var fd uint64
	for _, way := range uffdOpenings {
		u.c.Call = fmt.Sprintf("userfaultfd(%s)", way.Name)
		if fd, _, err = u.c.syscall(sysUserfaultfd, way.Value); err != nil || u.c.Result.Name != "EINVAL" {
			break
		}
	}
	if err != nil || !u.c.OK() {
		return err
	}
	u.made = fmt.Sprintf("%s = %d; ", u.c.Call, fd)
	for _, features := range uffdFeatures {
		ok, err := u.ask(fd, uffdioAPI, "UFFDIO_API", fmt.Sprintf("features=0x%x", features), []uint64{uffdAPIVersion, features, 0})
		if err != nil {
			return err
		}
		if ok {
			u.c.P.Userfaultfd, u.c.F.Userfaultfd = &fd, true
			return nil
		}
	}
	_, err = u.c.P.Proc.Syscall(sysClose, fd)
	return err
}

// ioctl makes a request with a structure of these words, which shown formats; after are the words
// as the kernel leaves them.
func (u *uffd) ioctl(request uint64, name, shown string, words ...uint64) (after []uint64, ok bool, err error) {
	ok, err = u.ask(*u.c.P.Userfaultfd, request, name, shown, words)
	return words, ok, err
}

func (u *uffd) ask(fd, request uint64, name, shown string, words []uint64) (ok bool, err error) {
	b, err := binary.Append(nil, binary.LittleEndian, words)
	if err == nil {
		err = u.loan.Write(0, b)
	}
	if err != nil {
		return false, err
	}
	u.c.Call = fmt.Sprintf("%sioctl(%d, %s, {%s})", u.made, fd, name, shown)
	if _, ok, err = u.c.syscall(sysIoctl, fd, request, u.loan.Addr); err != nil {
		return false, err
	}
	if err = u.loan.Read(b); err == nil {
		_, err = binary.Decode(b, binary.LittleEndian, words)
	}
	return ok, err
}

// uffdModes are what a range can be registered for.
var uffdModes = []Constant{
	{"missing", "UFFDIO_REGISTER_MODE_MISSING", 1, "faults on pages that are not there"},
	{"wp", "UFFDIO_REGISTER_MODE_WP", 2, "writes to pages that uffd_wp protects"},
	{"minor", "UFFDIO_REGISTER_MODE_MINOR", 4, "faults on pages that shared memory has and the page table does not"},
}

var uffdRegisterAction = Action{
	Own: true,
	Verb: lang.Verb{Name: "uffd_register", Summary: "let userfaultfd handle faults in a range: they become SIGBUS", Params: []lang.Param{ParamRange,
		{Name: "modes", Kind: lang.KindFlags, Optional: true, Default: "missing", Words: words(uffdModes)}}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Flags: uffdModes,
	Run: func(c *Call) error {
		err := c.uffdRange(uffdioRegister, "UFFDIO_REGISTER", ", mode="+c.Args.Names, c.Args.Flags, 0)
		c.F.WriteTracked = c.F.WriteTracked || c.Cmd.Has("wp")
		return err
	},
}

var uffdUnregisterAction = Action{
	Own:   true,
	Verb:  lang.Verb{Name: "uffd_unregister", Summary: "leave the faults in a range to the kernel again", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Run: func(c *Call) error {
		return c.uffdRange(uffdioUnregister, "UFFDIO_UNREGISTER", "")
	},
}

var uffdWPAction = Action{
	Own:   true,
	Verb:  lang.Verb{Name: "uffd_wp", Summary: "write-protect the pages of a range, which keeps its letters", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Run: func(c *Call) error {
		if r, err := c.RangeOf("range"); err != nil || !c.mayMark(r, "marked pages") {
			return err
		}
		return c.uffdRange(uffdioWriteProtect, "UFFDIO_WRITEPROTECT", ", mode=UFFDIO_WRITEPROTECT_MODE_WP", uffdProtect)
	},
}

var uffdUnwpAction = Action{
	Own:   true,
	Verb:  lang.Verb{Name: "uffd_unwp", Summary: "let the pages of a range be written again", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Run: func(c *Call) error {
		return c.uffdRange(uffdioWriteProtect, "UFFDIO_WRITEPROTECT", ", mode=0", 0)
	},
}

// uffdRange makes a request whose structure begins with a range; more is what follows in it, which
// shown formats.
func (c *Call) uffdRange(request uint64, name, shown string, more ...uint64) error {
	r, err := c.RangeOf("range")
	if err != nil {
		return err
	}
	c.focus(r)
	return c.userfaultfd(r, 0, func(u *uffd) error {
		_, _, err := u.ioctl(request, name, rangeText(r)+shown, append([]uint64{r.Start, r.Len()}, more...)...)
		return err
	})
}

func rangeText(r vmspace.Range) string { return fmt.Sprintf("start=0x%x, len=%d", r.Start, r.Len()) }

var uffdZeropageAction = Action{
	Own:   true,
	Verb:  lang.Verb{Name: "uffd_zeropage", Summary: "bring missing pages in, as pages of zeros", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil || !c.mayBringIn(r, "the pages, once they are written to,") {
			return err
		}
		c.focus(r)
		return c.userfaultfd(r, 0, func(u *uffd) error {
			after, _, err := u.ioctl(uffdioZeropage, "UFFDIO_ZEROPAGE", rangeText(r)+", mode=0", r.Start, r.Len(), 0, 0)
			c.Done = c.pagesOf(after[3])
			return err
		})
	},
}

// uffdCopyModes are the modes of a copy.
var uffdCopyModes = []Constant{{"wp", "UFFDIO_COPY_MODE_WP", 2, "write-protected, as by uffd_wp"}}

var uffdCopyAction = Action{
	Own: true,
	Verb: lang.Verb{Name: "uffd_copy", Summary: "bring missing pages in, with these bytes", Params: []lang.Param{ParamRange,
		{Name: "value", Kind: lang.KindValue, Default: `"hello"`, Help: `a "text", with zeros behind it, or a byte for the whole range`},
		{Name: "modes", Kind: lang.KindFlags, Optional: true, Words: words(uffdCopyModes)}}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Flags: uffdCopyModes,
	Run:   runUffdCopy,
}

// runUffdCopy copies in pieces, each with a call of its own: what is copied lies in lent memory.
func runUffdCopy(c *Call) error {
	r, err := c.RangeOf("range")
	if err != nil || !c.mayBringIn(r, "the pages") {
		return err
	}
	text, _ := c.Cmd.Bytes("value")
	ps := c.PageSize()
	piece := min(r.Len(), loanSize-ps)
	shown := fmt.Sprintf("dst=0x%x, src=%s, len=%d, mode=%s", r.Start, valueText(text), r.Len(), c.Args.Names)
	c.focus(r)
	return c.userfaultfd(r, piece, func(u *uffd) error {
		done := uint64(0)
		for at := r.Start; ; at += piece {
			if err := u.loan.Write(ps, sourceOf(text, at-r.Start, piece)); err != nil {
				return err
			}
			n := min(r.End-at, piece)
			after, ok, err := u.ioctl(uffdioCopy, "UFFDIO_COPY", shown, at, u.loan.Addr+ps, n, c.Args.Flags, 0)
			done += c.pagesOf(after[4])
			if c.Done = done; err != nil || !ok || at+n == r.End {
				return err
			}
		}
	})
}

// sourceOf returns n bytes of the source of a copy, from offset on: one byte repeated, or a text
// and then zeros.
func sourceOf(text []byte, offset, n uint64) []byte {
	if len(text) == 1 {
		return bytes.Repeat(text, int(n))
	}
	b := make([]byte, n)
	copy(b, text[min(offset, uint64(len(text))):])
	return b
}

// pagesOf converts what the kernel wrote about a copy to pages: a number of bytes, or a negative
// errno.
func (c *Call) pagesOf(n uint64) uint64 {
	if int64(n) < 0 {
		return 0
	}
	return n / c.PageSize()
}

// mayBringIn reports whether the pages that userfaultfd brings in fit the limit, even if they are
// all the zero page: a call for many pages takes long and cannot be interrupted. The kernel brings
// in none beyond one mapping.
func (c *Call) mayBringIn(r vmspace.Range, what string) bool {
	p := c.Space()
	if p == nil {
		return true
	}
	m, ok := p.MappingAt(r.Start)
	return !ok || !m.Covers(r) || c.mayTake(r.Len(), what)
}
