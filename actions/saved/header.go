package saved

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"cowscope/actions"
	"cowscope/actions/history"
)

// The first line of a file: its format, and the machine it was recorded on.

const (
	kind    = "session"
	version = 1
)

// Header describes what was recorded, where and when.
type Header struct {
	Cowscope string    `json:"cowscope"` // "session": what the file is
	Version  int       `json:"version"`
	Kernel   string    `json:"kernel"` // as the screen shows it: "Linux 6.18"
	Arch     string    `json:"arch"`   // as in GOARCH
	PageSize uint64    `json:"page_size"`
	Frames   bool      `json:"frames"` // frame numbers were visible
	Rights   string    `json:"rights"` // what the user was permitted to see, in words
	ASLR     bool      `json:"aslr"`   // addresses were randomised
	Started  time.Time `json:"started"`
	Program  string    `json:"program"` // version of cowscope
}

// NewHeader describes a session by its first step.
func NewHeader(info actions.Info, first *history.Step, aslr bool, program string) Header {
	return Header{Cowscope: kind, Version: version, Kernel: info.Kernel, Arch: first.Facts.Arch, PageSize: first.After.PageSize,
		Frames: first.After.Frames, Rights: info.Rights, ASLR: aslr, Started: time.Now().Truncate(time.Second), Program: program}
}

// errForeign says that a file is not a saved session.
var errForeign = errors.New("this is not a saved session: the first line of one is {\"cowscope\":\"session\",\"version\":…}")

// check returns what is wrong with a header that was read.
func (h Header) check() error {
	switch {
	case h.Cowscope != kind:
		return errForeign
	case h.Version < 1:
		return fmt.Errorf("there is no version %d: versions count from 1", h.Version)
	case h.Version > version:
		return fmt.Errorf("it is written in version %d of the format by cowscope %.40q, and this cowscope reads version %d: use one as new as that",
			h.Version, h.Program, version)
	case bits.OnesCount64(h.PageSize) != 1 || h.PageSize < 4<<10 || h.PageSize > 64<<10:
		return fmt.Errorf("page_size is %d: it must be 4096, 16384 or 65536", h.PageSize)
	}
	return nil
}

// shift is log2 of the page size.
func (h Header) shift() uint8 { return uint8(bits.TrailingZeros64(h.PageSize)) }
