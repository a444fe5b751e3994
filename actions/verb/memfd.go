package verb

import (
	"fmt"

	"cowscope/actions/lang"
)

// memfdFlags are the MFD_ flags of memfd_create(2), with the kernel's values
// (include/uapi/linux/memfd.h).
var memfdFlags = []Constant{
	{"sealing", "MFD_ALLOW_SEALING", 0x2, "it can be sealed"},
	{"hugetlb", "MFD_HUGETLB", 0x4, "from the pool of huge pages"},
}

var memfdAction = fileVerb(lang.Verb{Name: "memfd", Summary: "make a file in memory, which is in no folder",
	Params: []lang.Param{
		{Name: "file", Kind: lang.KindFile, Help: "what it is called here and in /proc/PID/maps"},
		{Name: "size", Kind: lang.KindQuantity, Default: "4p", Help: "its size"},
		{Name: "flags", Kind: lang.KindFlags, Optional: true, Words: words(memfdFlags)}}},
	func(c *Call, name string) error {
		size, err := c.Quantity("size", 0)
		if err != nil {
			return err
		}
		c.Call = fmt.Sprintf("memfd_create(%q, %s) + ftruncate(%d)", name, c.Args.Names, size)
		err = c.F.MakeMemfd(name, size, uint(c.Args.Flags))
		c.F.ReleaseFiles()
		return err
	}, memfdFlags...)
