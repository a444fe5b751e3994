package verb

import (
	"fmt"
	"slices"
	"strings"

	"cowscope/actions/kernel"
	"cowscope/actions/lang"
	"cowscope/vmspace"
)

var sysMmap = number(9, 222)

// mmapFlags are the MAP_ flags of mmap(2), with the kernel's values
// (include/uapi/asm-generic/mman*.h; 32bit is x86 only).
var mmapFlags = []Constant{
	{"private", "MAP_PRIVATE", 0x02, "writes stay with this process"},
	{"shared", "MAP_SHARED", 0x01, "writes are seen by everyone who maps it"},
	{"shared_validate", "MAP_SHARED_VALIDATE", 0x03, "as shared, and unknown flags are refused"},
	{"droppable", "MAP_DROPPABLE", 0x08, "private, and the kernel may drop the pages at any time (since Linux 6.11)"},
	{"anon", "MAP_ANONYMOUS", 0x20, "no file: zeros on demand"},
	{"fixed", "MAP_FIXED", 0x10, "exactly at addr, replacing what is there"},
	{"fixed_noreplace", "MAP_FIXED_NOREPLACE", 0x100000, "exactly at addr, or EEXIST"},
	{"populate", "MAP_POPULATE", 0x8000, "fault all pages in at once"},
	{"locked", "MAP_LOCKED", 0x2000, "keep the pages in memory"},
	{"noreserve", "MAP_NORESERVE", 0x4000, "reserve no swap space"},
	{"growsdown", "MAP_GROWSDOWN", 0x0100, "grows towards lower addresses, as a stack does"},
	{"stack", "MAP_STACK", 0x20000, "fit for a stack: no huge pages (since Linux 6.7)"},
	{"hugetlb", "MAP_HUGETLB", 0x40000, "from the pool of huge pages"},
	{"hugetlb_2m", "MAP_HUGETLB|MAP_HUGE_2MB", 0x40000 | 21<<26, "huge pages of 2 MiB"},
	{"hugetlb_1g", "MAP_HUGETLB|MAP_HUGE_1GB", 0x40000 | 30<<26, "huge pages of 1 GiB"},
	{"32bit", "MAP_32BIT", 0x40, "in the first 2 GiB (x86)"},
	{"denywrite", "MAP_DENYWRITE", 0x0800, "ignored"},
	{"nonblock", "MAP_NONBLOCK", 0x10000, "with populate: no reading ahead"},
	{"sync", "MAP_SYNC", 0x80000, "with shared_validate on DAX files"},
}

// The flags that cowscope itself uses, and the fields of bits that are one number.
const (
	mapType      = 0x0f // private, shared or shared_validate
	mapShared    = 0x01 // of mapType: also in shared_validate
	mapLocked    = 0x2000
	mapNoreserve = 0x4000
	mapPopulate  = 0x8000
	mapHugetlb   = 0x40000
	mapHugeSize  = 0x3f << 26
)

var mmapAction = Action{
	Verb: lang.Verb{
		Name: "mmap", Summary: "map memory: reserve a range of addresses", Binds: true,
		Params: []lang.Param{
			{Name: "length", Kind: lang.KindQuantity, Default: "4p", Help: "how much"},
			paramProt,
			{Name: "flags", Kind: lang.KindFlags, Optional: true, Default: "private anon", Words: words(mmapFlags), Show: "FLAG", Help: "private or shared, anon, …"},
			{Name: "file", Kind: lang.KindOption, Optional: true, Key: "file", Of: lang.KindFile, Help: "a file of the scratch folder, a memfd, or /dev/zero"},
			{Name: "mode", Kind: lang.KindChoice, Optional: true, Words: words(openModes), Help: "how to open the file; both ways where it is left out"},
			{Name: "fd", Kind: lang.KindOption, Optional: true, Key: "fd", Of: lang.KindNumber, Show: "N", Help: "a file descriptor; -1 is none"},
			{Name: "offset", Kind: lang.KindOption, Optional: true, Key: "offset", Of: lang.KindQuantity, Help: "where in the file"},
			{Name: "addr", Kind: lang.KindOption, Optional: true, Key: "addr", Of: lang.KindPlace, Help: "a hint where to put it, or with fixed the place itself"},
			paramBits,
		},
	},
	Calls:  []uintptr{sysMmap},
	Flags:  mmapFlags,
	Fields: []uint64{mapType, mapHugetlb | mapHugeSize},
	Run:    runMmap,
	Reach:  reachOfMmap,
}

func runMmap(c *Call) error {
	length, err := c.Quantity("length", 0)
	if err != nil {
		return err
	}
	offset, err := c.Quantity("offset", 0)
	if err != nil {
		return err
	}
	addr, _, err := c.Place("addr")
	if err != nil {
		return err
	}
	size := c.PageSize()
	flags := c.Args.Flags
	if huge := (&kernel.Settings{}).PoolPage(flags); huge > 0 {
		size = huge
	}
	if file, given := c.Cmd.Word("file"); given && !c.Cmd.Has("anon") {
		size = max(size, c.filePage(file))
	}
	whole := (length + size - 1) &^ (size - 1) // 0 where it does not fit 64 bits: that is refused
	if !c.mayMap() || size > c.PageSize() && !c.mayPool(whole) {
		return nil
	}
	fd, shown, ok, err := c.descriptor()
	if err != nil || !ok {
		return err
	}
	prot, _ := c.Cmd.Prot("prot")
	at := "NULL"
	if addr != 0 {
		at = fmt.Sprintf("0x%x", addr)
	}
	c.Call = fmt.Sprintf("mmap(%s, %d, %s, %s, %s, %d)", at, length, protText(prot), c.Args.Names, shown, offset)
	c.MapsShared = c.bringsShared(whole)
	ret, ok, err := c.syscall(sysMmap, addr, length, uint64(prot), flags, fd, offset)
	if err == nil && c.Cmd.Given("file") {
		err = c.closeFile(fd)
	}
	if prot.Letters() == lang.ProtExec {
		c.F.Reread(c.P)
	}
	if err != nil || !ok {
		return err
	}
	r := vmspace.Range{Start: ret, End: ret + whole}
	c.Value, c.HasValue = ret, true
	name := c.Cmd.Bind
	if name == "" {
		name = c.Names.NextFree()
	}
	c.bind(name, r, c.Cmd.Bind != "")
	c.focus(r)
	return nil
}

// reachOfMmap: memory that is not plain comes with VmFlags, or with a file.
func reachOfMmap(cmd *lang.Command) Reach {
	if cmd.Given("file") || cmd.Given("fd") || cmd.Given("bits") {
		return ReachAll
	}
	for _, f := range cmd.Flags("flags") {
		if !slices.Contains([]string{"private", "anon", "fixed", "fixed_noreplace", "populate"}, f) {
			return ReachAll
		}
	}
	return reachUnlessKeyed(cmd)
}

// protText writes a protection as the man pages do.
func protText(p lang.Prot) string {
	var parts []string
	for _, x := range []struct {
		bit  lang.Prot
		name string
	}{{lang.ProtRead, "PROT_READ"}, {lang.ProtWrite, "PROT_WRITE"}, {lang.ProtExec, "PROT_EXEC"}} {
		if p&x.bit != 0 {
			parts = append(parts, x.name)
		}
	}
	if rest := p &^ p.Letters(); rest != 0 {
		parts = append(parts, rest.String())
	}
	if len(parts) == 0 {
		return "PROT_NONE"
	}
	return strings.Join(parts, "|")
}
