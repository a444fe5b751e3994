package verb

import (
	"fmt"

	"cowscope/actions/lang"
	"cowscope/vmspace"
)

// What userfaultfd does with pages that exist: it maps those of shared memory, and moves those of
// anonymous memory.

var uffdContinueAction = Action{
	Own: true,
	Verb: lang.Verb{Name: "uffd_continue", Summary: "map pages that the shared memory has", Params: []lang.Param{ParamRange,
		{Name: "modes", Kind: lang.KindFlags, Optional: true, Words: words(uffdContinueModes)}}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Flags: uffdContinueModes,
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil || !c.mayBringIn(r, "the pages") {
			return err
		}
		c.focus(r)
		return c.userfaultfd(r, 0, func(u *uffd) error {
			after, _, err := u.ioctl(uffdioContinue, "UFFDIO_CONTINUE", rangeText(r)+", mode="+c.Args.Names, r.Start, r.Len(), c.Args.Flags, 0)
			c.Done = c.pagesOf(after[3])
			return err
		})
	},
}

// uffdContinueModes are what the pages can be besides. Linux 6.4 brought it.
var uffdContinueModes = []Constant{{"wp", "UFFDIO_CONTINUE_MODE_WP", 2, "write-protected, as by uffd_wp"}}

// uffdMoveModes are the flags of UFFDIO_MOVE.
var uffdMoveModes = []Constant{{"allow_src_holes", "UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES", 2, "what is missing in the range stays missing there"}}

var uffdMoveAction = Action{
	Own: true,
	Verb: lang.Verb{Name: "uffd_move", Summary: "move pages to where they are missing", Params: []lang.Param{ParamRange,
		{Name: "to", Kind: lang.KindPlace, Help: "where they are missing: a registered range"},
		{Name: "modes", Kind: lang.KindFlags, Optional: true, Words: words(uffdMoveModes)}}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Flags: uffdMoveModes,
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil {
			return err
		}
		to, _, err := c.Place("to")
		if err != nil || !c.mayBringIn(r, "the page tables") {
			return err
		}
		there := vmspace.Range{Start: to, End: to + r.Len()}
		c.touch(r)
		c.focus(there)
		both := vmspace.Range{Start: min(r.Start, there.Start), End: max(r.End, there.End)}
		return c.userfaultfd(both, 0, func(u *uffd) error {
			shown := fmt.Sprintf("dst=0x%x, src=0x%x, len=%d, mode=%s", to, r.Start, r.Len(), c.Args.Names)
			after, _, err := u.ioctl(uffdioMove, "UFFDIO_MOVE", shown, to, r.Start, r.Len(), c.Args.Flags, 0)
			c.Done = c.pagesOf(after[4])
			return err
		})
	},
}

var uffdPoisonAction = Action{
	Own:   true,
	Verb:  lang.Verb{Name: "uffd_poison", Summary: "make missing pages pages that are broken: a touch is SIGBUS", Params: []lang.Param{ParamRange}},
	Calls: []uintptr{sysUserfaultfd, sysIoctl},
	Run: func(c *Call) error {
		r, err := c.RangeOf("range")
		if err != nil || !c.mayBringIn(r, "the page tables") {
			return err
		}
		c.focus(r)
		return c.userfaultfd(r, 0, func(u *uffd) error {
			after, _, err := u.ioctl(uffdioPoison, "UFFDIO_POISON", rangeText(r)+", mode=0", r.Start, r.Len(), 0, 0)
			c.Done = c.pagesOf(after[3])
			return err
		})
	},
}
