package verb

import (
	"fmt"
	"math"

	"cowscope/actions/lang"
)

// fallocatePunch allocates nothing.
const fallocatePunch = 0x3

// fallocateModes are the FALLOC_FL_ flags of fallocate(2), with the kernel's values
// (include/uapi/linux/falloc.h). A hole is punched only where the size is kept.
var fallocateModes = []Constant{
	{"punch", "FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE", fallocatePunch, "give the room back: zeros are read there"},
	{"zero", "FALLOC_FL_ZERO_RANGE", 0x10, "zeros are read there; the room is kept"},
	{"keep", "FALLOC_FL_KEEP_SIZE", 0x1, "take the room, also past the end of the file, whose size stays"},
}

var fallocateAction = fileVerb(lang.Verb{Name: "fallocate", Summary: "allocate or free room for a part of a file, from outside",
	Params: []lang.Param{ParamFile, ParamOffset, {Name: "length", Kind: lang.KindQuantity, Default: "1p", Help: "how much"},
		{Name: "mode", Kind: lang.KindChoice, Optional: true, Words: words(fallocateModes), Help: "take room and grow the file, where it is left out"}}},
	func(c *Call, name string) error {
		offset, err := c.Quantity("offset", 0)
		if err != nil {
			return err
		}
		length, err := c.Quantity("length", 0)
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("fallocate(%q, %s, %d, %d)", name, c.Args.Names, offset, length)
		if c.Args.Flags != fallocatePunch && !c.mayAllocate(name, offset, length) {
			return nil
		}
		return c.F.Files.Allocate(name, uint32(c.Args.Flags), offset, length)
	}, fallocateModes...)

// mayAllocate reports whether room in a file fits the limit. A number that is negative to the
// kernel takes none.
func (c *Call) mayAllocate(name string, offset, length uint64) bool {
	if offset > math.MaxInt64 || length > math.MaxInt64 {
		return true
	}
	size := c.filePage(name)
	return c.mayTake((offset+length+size-1)&^(size-1)-offset&^(size-1), "the room in the file")
}
